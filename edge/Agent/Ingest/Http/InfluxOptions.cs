namespace Foretier.Agent.Ingest.Http;

/// <summary>Limits of the Influx write endpoints on the node's HTTP address.</summary>
public sealed record InfluxOptions
{
    /// <summary>Largest body, unpacked. Telegraf's default batch of 1,000 metrics is some 300 KB. Default 8 MB.</summary>
    public int BodyBytesMax { get; init; } = 8 * 1024 * 1024;

    /// <summary>Writes being handled at a time; further ones wait before their body is read. Default 4.</summary>
    public int WritesMax { get; init; } = 4;

    /// <exception cref="ArgumentException">A value is impossible; the message names it.</exception>
    public InfluxOptions Validated()
    {
        Require(BodyBytesMax is >= 64 * 1024 and <= 64 * 1024 * 1024, nameof(BodyBytesMax), "must lie within 64 KB and 64 MB");
        Require(WritesMax is >= 1 and <= 256, nameof(WritesMax), "must lie within 1 and 256");
        return this;
    }

    private static void Require(bool condition, string name, string rule)
    {
        if (!condition)
        {
            throw new ArgumentException($"Influx:{name} {rule}");
        }
    }
}

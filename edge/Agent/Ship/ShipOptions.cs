namespace Foretier.Agent.Ship;

/// <summary>Where the edge sends its data.</summary>
public sealed record ShipOptions
{
    /// <summary>The gateway's address, for example <c>http://10.0.0.2:8081</c>.</summary>
    public required Uri Url { get; init; }

    /// <summary>Bearer token of this edge's link.</summary>
    public required string Token { get; init; }

    /// <summary>Batches end at the flush with which they reach about this size; default 8 MB. One flush is never divided.</summary>
    public long BatchBytesMax { get; init; } = 8L * 1024 * 1024;

    /// <summary>The first wait after a failure; it doubles up to <see cref="RetryMax"/>. Default 500 ms.</summary>
    public TimeSpan RetryMin { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Default 15 s.</summary>
    public TimeSpan RetryMax { get; init; } = TimeSpan.FromSeconds(15);
}

/// <summary>How shipping goes.</summary>
/// <param name="Connected">Whether the last request reached the gateway and was understood.</param>
/// <param name="WindowsLeft">Windows with flushes not yet acknowledged.</param>
/// <param name="Batches">Acknowledged since the start.</param>
/// <param name="Bytes">Of these batches.</param>
/// <param name="LastError">What went wrong last; null since the last success.</param>
public sealed record ShipStatus(bool Connected, int WindowsLeft, long Batches, long Bytes, string? LastError);

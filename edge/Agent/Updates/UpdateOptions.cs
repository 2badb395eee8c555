using Foretier.Core.Samples;

namespace Foretier.Agent.Updates;

/// <summary>Whose models and images this box takes from afar, and how it tries them.</summary>
public sealed record UpdateOptions
{
    /// <summary>PEM file with the certificate of the key that models are signed with; null: none is taken from afar.</summary>
    public string? Certificate { get; init; }

    /// <summary>PEM file with the certificate of the key that images of the agent are signed with; null: none is taken from afar.</summary>
    public string? ImageCertificate { get; init; }

    /// <summary>By which rollouts choose boxes: canary, building-7, …</summary>
    public IReadOnlyList<string> Labels { get; init; } = [];

    /// <summary>How long a model forecasts beside the one that serves before it is decided. 2 to 2160, default 168: a week.</summary>
    public int ShadowHours { get; init; } = 168;

    /// <summary>How long after that it goes back easily. 2 to 2160, default 48.</summary>
    public int ProbationHours { get; init; } = 48;

    /// <summary>What a model on trial may take for 100 series. Default 5 s (5 ms on a PC).</summary>
    public TimeSpan AnswerWithin { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Resident memory that it may take. Default 128 MB (volume-lstm takes 85).</summary>
    public long MemoryBytesMax { get; init; } = 128 << 20;

    /// <summary>Of layers of images that came from afar, so many bytes are kept for the next image, which then brings only what is new in it. Default 512 MB, and never more than a twentieth of the disk; 0: none.</summary>
    public long KeepBytesMax { get; init; } = 512 << 20;

    /// <exception cref="ArgumentException">A value is impossible; the message names it.</exception>
    public UpdateOptions Validated()
    {
        const int hoursMax = 90 * 24;
        Require(Labels.All(SeriesKey.IsValidPart), nameof(Labels), "are 1 to 128 of A-Z a-z 0-9 _ . : @ - each");
        Require(ShadowHours is >= 2 and <= hoursMax, nameof(ShadowHours), "must lie within 2 and 2160");
        Require(ProbationHours is >= 2 and <= hoursMax, nameof(ProbationHours), "must lie within 2 and 2160");
        Require(AnswerWithin > TimeSpan.Zero && AnswerWithin <= TimeSpan.FromMinutes(1), nameof(AnswerWithin), "must lie within 0 and 1 min");
        Require(MemoryBytesMax >= 32 << 20, nameof(MemoryBytesMax), "must be at least 32 MB");
        Require(KeepBytesMax >= 0, nameof(KeepBytesMax), "must be at least 0");
        return this;
    }

    private static void Require(bool condition, string name, string rule)
    {
        if (!condition)
        {
            throw new ArgumentException($"Updates:{name} {rule}");
        }
    }
}

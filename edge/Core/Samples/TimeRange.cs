namespace Foretier.Core.Samples;

/// <summary>A half-open stretch of time, [From, To), in microseconds since 1970-01-01 UTC.</summary>
public readonly record struct TimeRange(long From, long To)
{
    public static readonly TimeRange Everything = new(long.MinValue, long.MaxValue);
    public static readonly TimeRange Nothing = new(0, 0);

    public bool IsEmpty => To <= From;
    public long Length => To - From;

    public bool Contains(long time) => time >= From && time < To;
    public bool Contains(TimeRange other) => other.From >= From && other.To <= To;
    public bool Overlaps(TimeRange other) => From < other.To && other.From < To;

    /// <summary>The part that both ranges share; empty when they do not meet.</summary>
    public TimeRange Clip(TimeRange other)
    {
        var from = Math.Max(From, other.From);
        return new(from, Math.Max(from, Math.Min(To, other.To)));
    }

    /// <summary>The smallest range that holds both; an empty one adds nothing.</summary>
    public TimeRange Hull(TimeRange other) =>
        IsEmpty ? other : other.IsEmpty ? this : new(Math.Min(From, other.From), Math.Max(To, other.To));

    public override string ToString() => $"[{Instant.Format(From)}, {Instant.Format(To)})";
}

namespace Foretier.Agent.Ship;

/// <summary>Where the edge sends its data.</summary>
public sealed record ShipOptions
{
    /// <summary>The gateway's address, for example <c>http://10.0.0.2:8081</c>.</summary>
    public required Uri Url { get; init; }

    /// <summary>Bearer token of this edge's link.</summary>
    public required string Token { get; init; }

    /// <summary>
    /// Batches end at the flush with which they reach about this size; default 8 MB. One flush is never divided. Over a slow link they are smaller:
    /// what the link takes in <see cref="BatchTime"/>, so that what is newest never waits long behind history.
    /// </summary>
    public long BatchBytesMax { get; init; } = 8L * 1024 * 1024;

    /// <summary>How long a batch should be on the way; default 5 s.</summary>
    public TimeSpan BatchTime { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The most that is sent, bytes/s; 0, the default: as much as the link takes. From 1,000.</summary>
    public long BytesPerSecondMax { get; init; }

    /// <summary>
    /// For links that are paid by the byte or by the connection: at most one batch in this time, while there is less than a whole one to send.
    /// Up to 1 h; 0, the default: at once. A move to the gateway waits for it too.
    /// </summary>
    public TimeSpan CoalesceFor { get; init; }

    /// <summary>How long a request may neither send nor receive a byte before it is given up; default 60 s.</summary>
    public TimeSpan SilenceMax { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How often the gateway is asked what it has of everything it ever acknowledged; also after every failure. Default 5 min.</summary>
    public TimeSpan CompareEvery { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The first wait after a failure; it doubles up to <see cref="RetryMax"/>. Default 500 ms.</summary>
    public TimeSpan RetryMin { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Default 15 s.</summary>
    public TimeSpan RetryMax { get; init; } = TimeSpan.FromSeconds(15);

    /// <exception cref="ArgumentException">The message names the setting.</exception>
    public ShipOptions Validated() =>
        BytesPerSecondMax is < 0 or > 0 and < 1000 ? throw new ArgumentException($"Ship:BytesPerSecondMax is {BytesPerSecondMax}; 0 (no limit), or from 1000 bytes/s")
        : CoalesceFor < TimeSpan.Zero || CoalesceFor > TimeSpan.FromHours(1) ? throw new ArgumentException($"Ship:CoalesceFor is {CoalesceFor}; 0 to 1 h")
        : BatchBytesMax is < 1 << 16 or > 32 << 20 ? throw new ArgumentException($"Ship:BatchBytesMax is {BatchBytesMax}; 64 KB to 32 MB")
        : new[] { BatchTime, SilenceMax, CompareEvery, RetryMin, RetryMax }.Any(time => time <= TimeSpan.Zero)
            ? throw new ArgumentException("Ship: BatchTime, SilenceMax, CompareEvery, RetryMin and RetryMax are longer than 0")
        : this;
}

/// <summary>How shipping goes.</summary>
/// <param name="Connected">Whether the last request reached the gateway and was understood.</param>
/// <param name="WindowsLeft">Windows with flushes not yet acknowledged.</param>
/// <param name="Batches">Acknowledged since the start.</param>
/// <param name="Bytes">Of these batches.</param>
/// <param name="LastError">What went wrong last; null since the last success.</param>
/// <param name="Missing">What the gateway no longer has although it acknowledged it, and this edge cannot send again; one sentence a window.</param>
public sealed record ShipStatus(bool Connected, int WindowsLeft, long Batches, long Bytes, string? LastError, IReadOnlyList<string> Missing);

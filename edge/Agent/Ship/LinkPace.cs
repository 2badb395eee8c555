namespace Foretier.Agent.Ship;

/// <summary>
/// How fast the link may be used, and how fast it is. One user at a time.
/// </summary>
/// <param name="bytesPerSecondMax">0: no limit.</param>
/// <param name="batchTime">How long a batch should be on the way.</param>
/// <param name="batchBytesMax">No batch is meant to be larger, however fast the link.</param>
internal sealed class LinkPace(long bytesPerSecondMax, TimeSpan batchTime, long batchBytesMax, TimeProvider clock)
{
    /// <summary>Below it a batch is mostly headers and waiting.</summary>
    private const long BatchBytesMin = 64 << 10;

    private long _freeAt = clock.GetTimestamp();

    /// <summary>What to send at once: a quarter of a second's worth where there is a limit.</summary>
    public int PieceBytes { get; } = bytesPerSecondMax == 0 ? 64 << 10 : (int)Math.Clamp(bytesPerSecondMax / 4, 256, 64 << 10);

    /// <summary>How large the next batch should be: begins small, and follows what the last ones took.</summary>
    public long BatchBytes { get; private set; } = Math.Min(4 * BatchBytesMin, batchBytesMax);

    /// <summary>Completes when so many bytes may be sent.</summary>
    public async Task TakeAsync(int bytes, CancellationToken cancel)
    {
        if (bytesPerSecondMax == 0)
        {
            return;
        }
        var now = clock.GetTimestamp();
        if (_freeAt > now)
        {
            await Task.Delay(clock.GetElapsedTime(now, _freeAt), clock, cancel);
        }
        _freeAt = Math.Max(now, _freeAt) + (long)(bytes / (double)bytesPerSecondMax * clock.TimestampFrequency);
    }

    /// <summary>A batch arrived, after so long. The next may be at most four times the size: one fast answer says little.</summary>
    public void Arrived(long bytes, TimeSpan took)
    {
        var fitting = (long)(bytes / Math.Max(took.TotalSeconds, 1e-3) * batchTime.TotalSeconds);
        BatchBytes = Math.Clamp(Math.Min(fitting, BatchBytes * 4), Math.Min(BatchBytesMin, batchBytesMax), batchBytesMax);
    }

    /// <summary>A batch did not arrive: a smaller one has a better chance.</summary>
    public void Failed() => BatchBytes = Math.Clamp(BatchBytes / 2, Math.Min(BatchBytesMin, batchBytesMax), batchBytesMax);
}

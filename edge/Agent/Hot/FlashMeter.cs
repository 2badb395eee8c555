using System.Buffers;
using Foretier.Core.Samples;

namespace Foretier.Agent.Hot;

/// <summary>
/// What the store has written to its device, by the hour, over restarts: the last 24 hours are held against the budget, the total is the
/// wear. Thread-safe.
/// </summary>
/// <param name="budget">Bytes that may be written in 24 hours; 0: as many as it takes.</param>
internal sealed class FlashMeter(long budget)
{
    private const int Hours = 24;
    private const double NearShare = 0.75;

    private readonly Lock _gate = new();
    private readonly long[] _byHour = new long[Hours];
    private long _hour = -1, _total, _day;

    /// <summary>Bytes since the store was made.</summary>
    public long Total => Interlocked.Read(ref _total);

    /// <summary>Bytes of this hour and the 23 before it.</summary>
    public long LastDay => Interlocked.Read(ref _day);

    public long Budget => budget;

    /// <summary>So much is written that what can wait should.</summary>
    public bool IsNear => budget > 0 && LastDay >= budget * NearShare;

    public bool IsSpent => budget > 0 && LastDay >= budget;

    /// <summary>Counts bytes; time that goes back counts as the hour that was reached.</summary>
    public void Add(long bytes, long now)
    {
        lock (_gate)
        {
            Reach(now / Instant.Hour);
            _byHour[_hour % Hours] += bytes;
            _total += bytes;
            Interlocked.Exchange(ref _day, _byHour.Sum());
        }
    }

    /// <summary>total · newest hour · the 24 hours' bytes, newest first.</summary>
    public void Write(IBufferWriter<byte> into)
    {
        lock (_gate)
        {
            RecordWriter.WriteSigned(into, _total);
            RecordWriter.WriteSigned(into, _hour);
            for (var i = 0; i < Hours; i++)
            {
                RecordWriter.WriteSigned(into, _hour < i ? 0 : _byHour[(_hour - i) % Hours]);
            }
        }
    }

    /// <summary>Takes over what was written down; an older account does not replace a newer one.</summary>
    public void Read(ref RecordReader record)
    {
        lock (_gate)
        {
            var (total, hour) = (record.Signed(), record.Signed());
            var isNewer = total > _total;
            if (isNewer)
            {
                Array.Clear(_byHour);
                (_total, _hour) = (total, hour);
            }
            for (var i = 0; i < Hours; i++)
            {
                var bytes = record.Signed();
                if (isNewer && hour >= i)
                {
                    _byHour[(hour - i) % Hours] = bytes;
                }
            }
            Interlocked.Exchange(ref _day, _byHour.Sum());
        }
    }

    private void Reach(long hour)
    {
        if (_hour < 0 || hour - _hour >= Hours)
        {
            Array.Clear(_byHour);
            _hour = Math.Max(hour, _hour);
        }
        while (_hour < hour)
        {
            _byHour[++_hour % Hours] = 0;
        }
    }
}

namespace Foretier.Agent.Ingest.Identity;

/// <summary>
/// When a device was last heard, and how often it speaks: learnt from its gaps, or told. Written by the connection that hears it, one at a
/// time or nearly so; a lost update costs one gap. Times in µs.
/// </summary>
/// <remarks>
/// A device that sends ten values at once, every minute, speaks every minute: gaps of less than a second, or a twentieth of the known
/// interval, belong to one burst. Of the last 16 gaps the second longest counts, so that one outage does not make a device look slow;
/// 64 short gaps in a row say that it has become faster.
/// </remarks>
public sealed class Presence
{
    private const int GapsMax = 16;
    private const int GapsMin = 4;
    private const int ShortGapsMax = 64;
    private const long Second = 1_000_000;

    /// <summary>A learnt interval may be missed this often in a row, a told one once: who tells one knows it.</summary>
    private const int LearntFactor = 3;
    private const int ToldFactor = 2;
    private const long PatienceMin = 60 * Second;

    /// <summary>For a device that has not been heard often enough to know it.</summary>
    private const long PatienceUnknown = 24 * 3600 * Second;

    private readonly long[] _gaps = new long[GapsMax];
    private int _count;
    private int _shortGaps;
    private long _lastSeen;
    private long _learnt;

    /// <summary>0 = never.</summary>
    public long LastSeen => Volatile.Read(ref _lastSeen);

    /// <summary>How long it had been silent when the program before this one was last sure; null where it has been heard since.</summary>
    internal long? SilentBefore { get; private set; }

    /// <summary>The interval learnt; 0 = not yet.</summary>
    public long Learnt => Volatile.Read(ref _learnt);

    /// <summary>The interval told by the operator; 0 = none.</summary>
    public long Told { get; internal set; }

    /// <summary>What it is expected to keep to; 0 = unknown.</summary>
    public long Expected => Told > 0 ? Told : Learnt;

    /// <summary>How long it may be silent before that is worth telling.</summary>
    public long Patience => Told > 0 ? Told * ToldFactor : Learnt > 0 ? Math.Max(Learnt * LearntFactor, PatienceMin) : PatienceUnknown;

    public void Seen(long now)
    {
        var last = Interlocked.Exchange(ref _lastSeen, now);
        SilentBefore = null;
        if (last == 0 || now <= last)
        {
            return;
        }
        var gap = now - last;
        if (gap < Math.Max(Second, _learnt / 20))
        {
            if (_learnt > 20 * Second && ++_shortGaps >= ShortGapsMax)
            {
                (_count, _shortGaps) = (0, 0);
                Volatile.Write(ref _learnt, 0);
            }
            return;
        }
        _shortGaps = 0;
        Learn(gap);
    }

    /// <summary>Goes on from what was known before a restart.</summary>
    internal void Restore(long lastSeen, long silent, long learnt)
    {
        _lastSeen = lastSeen;
        SilentBefore = silent;
        _learnt = learnt;
        if (learnt > 0)
        {
            Array.Fill(_gaps, learnt, 0, GapsMin);
            _count = GapsMin;
        }
    }

    private void Learn(long gap)
    {
        _gaps[_count++ % GapsMax] = gap;
        _count = _count >= 2 * GapsMax ? _count - GapsMax : _count;
        if (_count < GapsMin)
        {
            return;
        }
        var (longest, second) = (0L, 0L);
        foreach (var known in _gaps.AsSpan(0, Math.Min(_count, GapsMax)))
        {
            (longest, second) = known >= longest ? (known, longest) : (longest, Math.Max(second, known));
        }
        Volatile.Write(ref _learnt, second);
    }
}

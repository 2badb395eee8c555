namespace Foretier.Predict.Replay;

/// <summary>Bélády's MIN on demand: promotes what misses, in place of what will be read last again. The most that any policy on demand can do.</summary>
internal sealed class BeladyPolicy : ReplayPolicy
{
    private readonly int[] _next;
    private readonly int[] _until;
    private readonly SortedSet<(int Next, int Key)> _hot = [];
    private int _at;

    public BeladyPolicy(ReadTrace trace)
        : base(AccessReplay.Belady)
    {
        // Where the thing that a read asked for is read again.
        _next = new int[trace.Times.Count];
        var upcoming = new int[trace.Names.Count];
        Array.Fill(upcoming, int.MaxValue);
        for (var i = _next.Length - 1; i >= 0; i--)
        {
            _next[i] = upcoming[trace.Keys[i]];
            upcoming[trace.Keys[i]] = i;
        }
        _until = new int[trace.Names.Count];
    }

    public override void Read(long time, int key, int count, HotTier tier)
    {
        var next = _next[_at++];
        if (tier.Has(key))
        {
            _hot.Remove((_until[key], key));
        }
        else if ((next == int.MaxValue && count == 1) || tier.Sizes[key] > tier.Capacity)
        {
            return;
        }
        else
        {
            while (tier.Used + tier.Sizes[key] > tier.Capacity)
            {
                var last = _hot.Max;
                if (last.Next <= next)
                {
                    return;
                }
                _hot.Remove(last);
                tier.Demote(last.Key);
            }
            tier.Promote(key);
        }
        _until[key] = next;
        _hot.Add((next, key));
    }
}

/// <summary>At each epoch, what will be read most in it: the most that any policy with the same epochs can do, whatever it moves.</summary>
internal sealed class ClairvoyantPolicy(ReadTrace trace, long epochSeconds) : ReplayPolicy("clairvoyant")
{
    private readonly double[] _scores = new double[trace.Names.Count];
    private int _at;

    public override ValueTask EpochAsync(long time, HotTier tier, CancellationToken cancel)
    {
        Array.Clear(_scores);
        for (; _at < trace.Times.Count && trace.Times[_at] < time + epochSeconds; _at++)
        {
            _scores[trace.Keys[_at]] += trace.Counts[_at];
        }
        // What is not read in this epoch stays where it is, as far as there is room.
        for (var key = 0; key < _scores.Length; key++)
        {
            _scores[key] += tier.Has(key) ? 1e-9 : 0;
        }
        Fill(tier, _scores);
        return ValueTask.CompletedTask;
    }
}

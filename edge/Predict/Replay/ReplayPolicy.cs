using Foretier.Predict.Access;
using Foretier.Predict.Place;

namespace Foretier.Predict.Replay;

/// <summary>Decides what is on the fast tier. It is told of reads as they come and asked at each epoch; only those of the future know more.</summary>
public abstract class ReplayPolicy(string name)
{
    public string Name => name;

    /// <summary>At the beginning of an epoch, before its first read. All reads before it have been told.</summary>
    /// <param name="time">Seconds since 1970.</param>
    public virtual ValueTask EpochAsync(long time, HotTier tier, CancellationToken cancel) => ValueTask.CompletedTask;

    /// <summary>A read, after it was counted as found or not.</summary>
    /// <param name="count">How many it stands for; those after the first are counted after this.</param>
    public virtual void Read(long time, int key, int count, HotTier tier)
    {
    }

    /// <summary>Fills the tier with what has the highest scores per size; nothing with a score of 0.</summary>
    protected static void Fill(HotTier tier, ReadOnlySpan<double> scores)
    {
        var candidates = new Candidate[scores.Length];
        for (var key = 0; key < candidates.Length; key++)
        {
            candidates[key] = new("", "", tier.Has(key) ? CandidateState.Here : CandidateState.Below, tier.Sizes[key], new(scores[key]), SavedSeconds: 1);
        }
        tier.Become(new PlacePolicy(new() { MoveCost = 0 }).Plan(candidates, new(tier.Capacity), 0).Keeps);
    }
}

/// <summary>What was read last: promoted by each read that misses, in place of what has gone unread longest.</summary>
internal sealed class LruPolicy(int keys) : ReplayPolicy("lru")
{
    private readonly LinkedListNode<int>?[] _nodes = new LinkedListNode<int>?[keys];
    private readonly LinkedList<int> _order = new();

    public override void Read(long time, int key, int count, HotTier tier)
    {
        if (_nodes[key] is { } node)
        {
            _order.Remove(node);
            _order.AddFirst(node);
            return;
        }
        if (tier.Sizes[key] > tier.Capacity)
        {
            return;
        }
        while (tier.Used + tier.Sizes[key] > tier.Capacity)
        {
            var last = _order.Last!.Value;
            _order.RemoveLast();
            _nodes[last] = null;
            tier.Demote(last);
        }
        tier.Promote(key);
        _nodes[key] = _order.AddFirst(key);
    }
}

/// <summary>What was read within thirty days, the last read first.</summary>
internal sealed class RecencyPolicy(int keys) : ReplayPolicy("recency")
{
    private const long Kept = 30 * 86_400L;

    private readonly long[] _last = new long[keys];
    private readonly double[] _scores = new double[keys];

    public override ValueTask EpochAsync(long time, HotTier tier, CancellationToken cancel)
    {
        for (var key = 0; key < keys; key++)
        {
            // Per size only among equals: recency is a rule of time.
            _scores[key] = _last[key] > time - Kept ? (_last[key] - (time - Kept)) * tier.Sizes[key] : 0;
        }
        Fill(tier, _scores);
        return ValueTask.CompletedTask;
    }

    public override void Read(long time, int key, int count, HotTier tier) => _last[key] = time;
}

/// <summary>What was read most in the first 28 days, for ever.</summary>
internal sealed class StaticPolicy(ReadTrace trace) : ReplayPolicy("static")
{
    private const long Watched = 28 * 86_400L;

    private readonly double[] _counts = new double[trace.Names.Count];
    private readonly long _until = trace.Times[0] + Watched;
    private bool _isFilled;

    public override ValueTask EpochAsync(long time, HotTier tier, CancellationToken cancel)
    {
        if (!_isFilled)
        {
            _isFilled = time >= _until;
            Fill(tier, _counts);
        }
        return ValueTask.CompletedTask;
    }

    public override void Read(long time, int key, int count, HotTier tier) => _counts[key] += time < _until ? count : 0;
}

/// <summary>EWMA over 28 days: a day weighs 2/29 of the whole.</summary>
internal sealed class EwmaPolicy(ReadTrace trace) : ReplayPolicy("ewma28d")
{
    private readonly ReadFeatures _features = new(trace.ZoneOf);
    private readonly double[] _scores = new double[trace.Names.Count];
    private readonly bool[] _isKnown = new bool[trace.Names.Count];

    public override ValueTask EpochAsync(long time, HotTier tier, CancellationToken cancel)
    {
        for (var key = 0; key < _scores.Length; key++)
        {
            _scores[key] = _isKnown[key] ? _features.Ewma28(trace.Names[key], time / 3600) : 0;
        }
        Fill(tier, _scores);
        return ValueTask.CompletedTask;
    }

    public override void Read(long time, int key, int count, HotTier tier)
    {
        _features.Add(trace.Names[key], time / 3600, count);
        _isKnown[key] = true;
    }
}

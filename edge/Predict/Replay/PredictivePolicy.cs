using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Predict.Access;
using Foretier.Predict.Models;

namespace Foretier.Predict.Replay;

/// <summary>
/// What a node does: expected reads by <see cref="AccessScorer"/>, who reads by the clock by <see cref="PeriodicReaders"/>, placed by
/// <see cref="HotPlacement"/>.
/// </summary>
internal sealed class PredictivePolicy(ReadTrace trace, IInference? ranker, long epochSeconds) : ReplayPolicy("predictive")
{
    private readonly ReadFeatures _features = new(trace.ZoneOf);
    private readonly HotPlacement _placement = new();
    private readonly ReaderBook _readers = new(trace.ZoneOf);
    private readonly Dictionary<string, int> _known = new(StringComparer.Ordinal);
    private readonly double[] _scores = new double[trace.Names.Count];
    private readonly double[] _sizes = [.. trace.Sizes];

    public override async ValueTask EpochAsync(long time, HotTier tier, CancellationToken cancel)
    {
        var hour = time / 3600;
        Array.Clear(_scores);
        List<string> names = [.. _known.Keys.Where(name => _features.IsRemembered(name, hour))];
        var scores = await AccessScorer.ScoreAsync(_features, names, hour, ranker, cancel).ConfigureAwait(false);
        for (var i = 0; i < scores.Length; i++)
        {
            _scores[_known[names[i]]] = scores[i];
        }
        var epochHours = epochSeconds / 3600;
        foreach (var (name, reads) in _readers.Due(hour, hour + epochHours))
        {
            // Worth bringing for this one time, if it is not here anyway.
            if (reads > 2 * _placement.MoveCost)
            {
                _scores[_known[name]] = Math.Max(_scores[_known[name]], reads * 24 / epochHours);
            }
        }
        tier.Become(_placement.Choose(_scores, _sizes, tier.IsHot, tier.Capacity));
    }

    public override void Read(long time, int key, int count, HotTier tier)
    {
        var name = trace.Names[key];
        _known.TryAdd(name, key);
        _features.Add(name, time / 3600, count);
        _readers.Add(name, ReadShape.Unknown, time / 3600, count);
    }
}

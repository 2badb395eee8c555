using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Predict.Access;
using Foretier.Predict.Models;
using Foretier.Predict.Place;

namespace Foretier.Predict.Replay;

/// <summary>
/// What a node does: expected reads by <see cref="AccessScorer"/>, who reads by the clock by <see cref="PeriodicReaders"/>, placed by
/// <see cref="PlacePolicy"/>.
/// </summary>
internal sealed class PredictivePolicy(ReadTrace trace, IInference? ranker, long epochSeconds) : ReplayPolicy("predictive")
{
    private readonly ReadFeatures _features = new(trace.ZoneOf);
    private readonly PlacePolicy _policy = new(new() { Lead = TimeSpan.FromSeconds(epochSeconds) });
    private readonly ReaderBook _readers = new(trace.ZoneOf);
    private readonly Dictionary<string, int> _known = new(StringComparer.Ordinal);
    private readonly Candidate[] _candidates = new Candidate[trace.Names.Count];

    public override async ValueTask EpochAsync(long time, HotTier tier, CancellationToken cancel)
    {
        var hour = time / 3600;
        for (var key = 0; key < _candidates.Length; key++)
        {
            _candidates[key] = new(trace.Names[key], "", tier.Has(key) ? CandidateState.Here : CandidateState.Below, trace.Sizes[key], Demand.None, SavedSeconds: 1);
        }
        List<string> names = [.. _known.Keys.Where(name => _features.IsRemembered(name, hour))];
        var scores = await AccessScorer.ScoreAsync(_features, names, hour, ranker, cancel).ConfigureAwait(false);
        for (var i = 0; i < scores.Length; i++)
        {
            Expect(_known[names[i]], new(scores[i]));
        }
        foreach (var (name, reads) in _readers.Due(hour, hour + epochSeconds / 3600))
        {
            Expect(_known[name], _candidates[_known[name]].Demand with { Due = time * Instant.Second, DueReads = reads });
        }
        tier.Become(_policy.Plan(_candidates, new(tier.Capacity), time * Instant.Second).Keeps);
    }

    public override void Read(long time, int key, int count, HotTier tier)
    {
        var name = trace.Names[key];
        _known.TryAdd(name, key);
        _features.Add(name, time / 3600, count);
        _readers.Add(name, ReadShape.Unknown, time / 3600, count);
    }

    private void Expect(int key, Demand demand) => _candidates[key] = _candidates[key] with { Demand = demand };
}

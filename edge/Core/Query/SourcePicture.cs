using System.Collections.Immutable;
using Foretier.Core.Tiers;

namespace Foretier.Core.Query;

/// <summary>What was known of the sources' reachability and costs at one moment: what a plan is made from. Immutable.</summary>
public sealed class SourcePicture
{
    private readonly ImmutableDictionary<string, SourceState> _states;
    private readonly ImmutableDictionary<(string Node, Tier Tier), SourceCost> _costs;
    private readonly TimeProvider _clock;
    private readonly string? _hopefulOf;
    private double[]? _luck;

    internal SourcePicture(ImmutableDictionary<string, SourceState> states, ImmutableDictionary<(string, Tier), SourceCost> costs, long now, TimeProvider clock,
        string? hopefulOf = null) => (_states, _costs, Now, _clock, _hopefulOf) = (states, costs, now, clock, hopefulOf);

    /// <summary>Clock ticks.</summary>
    public long Now { get; }

    /// <summary>Nodes that have not been heard since this one started, and should be.</summary>
    public IReadOnlySet<string> Awaited { get; internal init; } = ImmutableHashSet<string>.Empty;

    /// <summary>How long a node that is cut off has been silent; null for one that is connected, or was never here.</summary>
    public TimeSpan? CutOffFor(string node) => _states.TryGetValue(node, out var state) && !state.Connected && state.SeenAt > 0 ? _clock.GetElapsedTime(state.SeenAt, Now) : null;

    /// <summary>Connected, and no failure in the last second: one lost packet does not hide a tier for long.</summary>
    public bool IsAvailable(string node) => _states.TryGetValue(node, out var state) && state.Connected
        && (state.FailedAt == 0 || _clock.GetElapsedTime(state.FailedAt, Now) >= SourceHealth.RetryAfter);

    /// <summary>
    /// Expected time of a fetch, ms. One who was never asked is expected to be as much quicker than usual as the quickest of those on his tier or further away
    /// turned out to be: else what has just been brought nearer would never be tried where all are quick.
    /// </summary>
    public double Estimate(string node, Tier tier, FetchWork work)
    {
        tier = TierAsked(tier);
        var cost = _costs.TryGetValue((node, tier), out var known) ? known : SourceCost.Unknown with { Asking = LuckOf(tier) };
        return (node == _hopefulOf && known is not null ? cost with { Asking = cost.Best } : cost).Estimate(tier, work);
    }

    /// <summary>The least multiple of what is expected that was measured on a tier or further away; at most 1.</summary>
    private double LuckOf(Tier tier)
    {
        if (_luck is not { } luck)
        {
            luck = [1, 1, 1, 1];
            foreach (var ((_, measured), cost) in _costs)
            {
                for (var nearer = 0; nearer <= (int)measured; nearer++)
                {
                    luck[nearer] = Math.Min(luck[nearer], cost.Asking);
                }
            }
            _luck = luck;
        }
        return luck[(int)tier];
    }

    /// <summary>The same, but for a node that is slow as it was at its best: the plan that would be made if it has recovered.</summary>
    public SourcePicture Hoping(string node) => new(_states, _costs, Now, _clock, node) { Awaited = Awaited };

    /// <summary>Nodes that were slower than at their best when they were asked last, and have not been asked for a while.</summary>
    public IEnumerable<string> Unheard(TimeSpan since) => _costs.Where(cost => cost.Value.Asking > 1.2 * cost.Value.Best
        && _clock.GetElapsedTime(cost.Value.MeasuredAt, Now) >= since && IsAvailable(cost.Key.Node)).Select(cost => cost.Key.Node);

    /// <summary>An edge's memory and its files answer one fetch together.</summary>
    internal static Tier TierAsked(Tier tier) => tier == Tier.Memory ? Tier.Ssd : tier;
}

/// <param name="FailedAt">Clock ticks of the last failure; 0: it has answered since.</param>
/// <param name="SeenAt">Clock ticks of its last word; 0: never heard.</param>
internal sealed record SourceState(bool Connected, long FailedAt, long SeenAt);

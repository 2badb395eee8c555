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

    internal SourcePicture(ImmutableDictionary<string, SourceState> states, ImmutableDictionary<(string, Tier), SourceCost> costs, long now, TimeProvider clock,
        string? hopefulOf = null) => (_states, _costs, Now, _clock, _hopefulOf) = (states, costs, now, clock, hopefulOf);

    /// <summary>Clock ticks.</summary>
    public long Now { get; }

    /// <summary>Connected, and no failure in the last second: one lost packet does not hide a tier for long.</summary>
    public bool IsAvailable(string node) => _states.TryGetValue(node, out var state) && state.Connected
        && (state.FailedAt == 0 || _clock.GetElapsedTime(state.FailedAt, Now) >= SourceHealth.RetryAfter);

    /// <summary>Expected time of a fetch, ms.</summary>
    public double Estimate(string node, Tier tier, FetchWork work)
    {
        var cost = _costs.GetValueOrDefault((node, TierAsked(tier)), SourceCost.Unknown);
        return (node == _hopefulOf ? cost with { Asking = cost.Best } : cost).Estimate(tier, work);
    }

    /// <summary>The same, but for a node that is slow as it was at its best: the plan that would be made if it has recovered.</summary>
    public SourcePicture Hoping(string node) => new(_states, _costs, Now, _clock, node);

    /// <summary>Nodes that were slower than at their best when they were asked last, and have not been asked for a while.</summary>
    public IEnumerable<string> Unheard(TimeSpan since) => _costs.Where(cost => cost.Value.Asking > 1.2 * cost.Value.Best
        && _clock.GetElapsedTime(cost.Value.MeasuredAt, Now) >= since && IsAvailable(cost.Key.Node)).Select(cost => cost.Key.Node);

    /// <summary>An edge's memory and its files answer one fetch together.</summary>
    internal static Tier TierAsked(Tier tier) => tier == Tier.Memory ? Tier.Ssd : tier;
}

/// <param name="FailedAt">Clock ticks of the last failure; 0: it has answered since.</param>
/// <param name="SeenAt">Clock ticks of its last word; 0: never heard.</param>
internal sealed record SourceState(bool Connected, long FailedAt, long SeenAt);

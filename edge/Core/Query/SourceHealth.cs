using System.Collections.Immutable;
using Foretier.Core.Tiers;

namespace Foretier.Core.Query;

/// <summary>
/// What is known of the sources' reachability and speed: written by links and by every fetch, read by the planner as a <see cref="SourcePicture"/>.
/// Thread-safe; a mutable holder of immutable dictionaries.
/// </summary>
/// <param name="clock">The machine's own, however fast the data's may run: what a fetch takes, and how long it is waited for, is real time.</param>
public sealed class SourceHealth(TimeProvider clock)
{
    /// <summary>What waits for sources goes by it.</summary>
    internal TimeProvider Clock => clock;

    /// <summary>A source that failed is tried again after this long.</summary>
    internal static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private const long Always = long.MaxValue;

    private static readonly SourceState Unknown = new(false, 0, 0);

    private ImmutableDictionary<string, SourceState> _states = ImmutableDictionary<string, SourceState>.Empty;
    private ImmutableDictionary<(string, Tier), SourceCost> _costs = ImmutableDictionary<(string, Tier), SourceCost>.Empty;

    /// <summary>What is known now.</summary>
    public SourcePicture Picture => new(Volatile.Read(ref _states), Volatile.Read(ref _costs), clock.GetTimestamp(), clock);

    public void Connected(string node) => Change(node, s => s with { Connected = true, FailedAt = 0, SeenAt = clock.GetTimestamp() });

    /// <summary>The node itself: always there, and heard at any time.</summary>
    public void Own(string node) => Change(node, s => s with { Connected = true, FailedAt = 0, SeenAt = Always });

    public void Disconnected(string node) => Change(node, s => s with { Connected = false });

    /// <summary>The node said something: its knowledge is as fresh as now.</summary>
    public void Seen(string node) => Change(node, s => s with { SeenAt = clock.GetTimestamp() });

    public void Failed(string node) => Change(node, s => s with { FailedAt = clock.GetTimestamp() });

    /// <summary>A fetch was answered.</summary>
    public void Answered(string node, Tier tier, FetchWork work, double milliseconds)
    {
        Change(node, s => s.SeenAt == Always ? s.FailedAt == 0 ? s : s with { FailedAt = 0 } : s with { FailedAt = 0, SeenAt = clock.GetTimestamp() });
        Took(node, tier, work, milliseconds);
    }

    /// <summary>A fetch took so long, or at least so long where it was given up.</summary>
    public void Took(string node, Tier tier, FetchWork work, double milliseconds)
    {
        var now = clock.GetTimestamp();
        var key = (node, SourcePicture.TierAsked(tier));
        ImmutableInterlocked.AddOrUpdate(ref _costs, key, _ => SourceCost.Unknown.Observe(tier, work, milliseconds, now), (_, cost) => cost.Observe(tier, work, milliseconds, now));
    }

    /// <summary>How long ago the node was last heard; null if never.</summary>
    public TimeSpan? SilentFor(string node) => Volatile.Read(ref _states).GetValueOrDefault(node) is { SeenAt: > 0 } state
        ? state.SeenAt == Always ? TimeSpan.Zero : clock.GetElapsedTime(state.SeenAt) : null;

    private void Change(string node, Func<SourceState, SourceState> change) =>
        ImmutableInterlocked.AddOrUpdate(ref _states, node, _ => change(Unknown), (_, state) => change(state));
}

using System.Collections.Concurrent;
using Foretier.Core.Tiers;

namespace Foretier.Core.Query;

/// <summary>
/// What is known of the sources' reachability and speed: written by links and by every fetch, read by the planner.
/// Thread-safe; a mutable holder of small immutable records.
/// </summary>
public sealed class SourceHealth(TimeProvider clock)
{
    /// <summary>Share of the newest measurement in the moving average: a tenfold slowdown shows within five queries.</summary>
    private const double NewestShare = 0.3;

    /// <summary>A source that failed is tried again after this long, so that one lost packet does not hide a tier.</summary>
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private const long Always = long.MaxValue;

    private readonly ConcurrentDictionary<string, State> _states = new();

    private sealed record State(bool Connected, long FailedAt, long SeenAt, double? Milliseconds);

    /// <summary>The prior for a source never measured: roughly an index look-up and one block there, ms.</summary>
    public static double PriorMilliseconds(Tier tier) => tier switch
    {
        Tier.Memory => 0.5,
        Tier.Ssd => 1,
        Tier.Hdd => 8,
        _ => 40,
    };

    public bool IsAvailable(string node)
    {
        var state = Of(node);
        return state.Connected && (state.FailedAt == 0 || clock.GetElapsedTime(state.FailedAt) >= RetryAfter);
    }

    /// <summary>Expected time of one fetch of this many parts, ms.</summary>
    public double Estimate(string node, Tier tier, int parts) =>
        (Of(node).Milliseconds ?? PriorMilliseconds(tier)) + (parts - 1) * 0.1 * PriorMilliseconds(tier);

    public void Connected(string node) => Change(node, s => s with { Connected = true, FailedAt = 0, SeenAt = clock.GetTimestamp() });

    /// <summary>The node itself: always there, and heard at any time.</summary>
    public void Own(string node) => Change(node, s => s with { Connected = true, FailedAt = 0, SeenAt = Always });

    public void Disconnected(string node) => Change(node, s => s with { Connected = false });

    /// <summary>The node said something: its knowledge is as fresh as now.</summary>
    public void Seen(string node) => Change(node, s => s with { SeenAt = clock.GetTimestamp() });

    public void Failed(string node) => Change(node, s => s with { FailedAt = clock.GetTimestamp() });

    public void Answered(string node, double milliseconds) => Change(node, s => s with
    {
        FailedAt = 0,
        SeenAt = s.SeenAt == Always ? Always : clock.GetTimestamp(),
        Milliseconds = s.Milliseconds is { } old ? old + NewestShare * (milliseconds - old) : milliseconds,
    });

    /// <summary>How long ago the node was last heard; null if never.</summary>
    public TimeSpan? SilentFor(string node) =>
        Of(node) is { SeenAt: > 0 } state ? state.SeenAt == Always ? TimeSpan.Zero : clock.GetElapsedTime(state.SeenAt) : null;

    private State Of(string node) => _states.TryGetValue(node, out var state) ? state : Unknown;

    private void Change(string node, Func<State, State> change) => _states.AddOrUpdate(node, _ => change(Unknown), (_, s) => change(s));

    private static readonly State Unknown = new(false, 0, 0, null);
}

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
    private ImmutableHashSet<string> _awaited = [];

    /// <summary>What is known now.</summary>
    public SourcePicture Picture => new(Volatile.Read(ref _states), Volatile.Read(ref _costs), clock.GetTimestamp(), clock) { Awaited = Volatile.Read(ref _awaited) };

    /// <summary>This moment, for <see cref="Seen"/>.</summary>
    public long Moment => clock.GetTimestamp();

    public void Connected(string node) => Connected(node, Moment);

    /// <param name="moment">Of which it tells.</param>
    public void Connected(string node, long moment)
    {
        Change(node, s => s with { Connected = true, FailedAt = 0, SeenAt = Math.Max(s.SeenAt, moment) });
        ImmutableInterlocked.Update(ref _awaited, awaited => awaited.Remove(node));
    }

    /// <summary>A node that belongs here but has not been heard since this one started: nobody knows what it has. Nothing changes for one that was heard.</summary>
    public void Await(string node)
    {
        if (!Volatile.Read(ref _states).ContainsKey(node))
        {
            ImmutableInterlocked.Update(ref _awaited, awaited => awaited.Add(node));
        }
    }

    /// <summary>A node that is not coming back: it is waited for no more.</summary>
    public void Forget(string node)
    {
        ImmutableInterlocked.TryRemove(ref _states, node, out _);
        ImmutableInterlocked.Update(ref _awaited, awaited => awaited.Remove(node));
    }

    /// <summary>The node itself: always there, and heard at any time.</summary>
    public void Own(string node) => Change(node, s => s with { Connected = true, FailedAt = 0, SeenAt = Always });

    public void Disconnected(string node) => Change(node, s => s with { Connected = false });

    /// <summary>The node said something that tells of a moment, such as that at which it was asked: all it took in before is known.</summary>
    public void Seen(string node, long moment) => Change(node, s => s with { SeenAt = Math.Max(s.SeenAt, moment) });

    /// <summary>The same, of so long before the moment.</summary>
    public long Before(long moment, TimeSpan earlier) => Math.Max(1, moment - (long)(earlier.TotalSeconds * clock.TimestampFrequency));

    public void Failed(string node) => Change(node, s => s with { FailedAt = clock.GetTimestamp() });

    /// <summary>A fetch was answered.</summary>
    public void Answered(string node, Tier tier, FetchWork work, double milliseconds)
    {
        Change(node, s => s.FailedAt == 0 ? s : s with { FailedAt = 0 });
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

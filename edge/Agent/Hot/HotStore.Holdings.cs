using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Agent.Hot;

public sealed partial class HotStore
{
    private static readonly TimeSpan PublishInterval = TimeSpan.FromMilliseconds(200);

    /// <summary>
    /// The account of this hop, in samples. Held is counted in files and memory; unique is what was accepted less what was seen to be
    /// replaced; so the balance is a finding, not a definition. A sample in memory that replaces one in a file is seen when it is flushed.
    /// </summary>
    public Ledger Ledger
    {
        get
        {
            lock (_gate)
            {
                long superseded = 0, held = 0, released = 0, expired = 0, shed = 0, deleted = 0;
                foreach (var state in _windows.Values)
                {
                    var lost = state.Open.CountSuperseded() + (state.Frozen?.CountSuperseded() ?? 0);
                    superseded += state.Superseded + lost;
                    held += state.HeldInFile + state.MemoryCount - lost;
                    released += state.ShippedUnique;
                    expired += state.Removal == Removal.Expired ? state.Removed : 0;
                    shed += state.Removal == Removal.Shed ? state.Removed : 0;
                    deleted += state.Erased;
                }
                var rejected = _rejected.Values.Sum();
                return new()
                {
                    Node = Node,
                    Received = _accepted + rejected,
                    Accepted = _accepted,
                    Rejected = rejected,
                    RejectedBy = new Dictionary<string, long>(_rejected),
                    Unique = _accepted - superseded,
                    Superseded = superseded,
                    Held = held,
                    Released = released,
                    Deleted = deleted,
                    Lost = LostSamples,
                    Expired = expired,
                    Shed = shed,
                };
            }
        }
    }

    /// <summary>Tells the catalog what changed, at most every 200 ms: counts grow with each message, and each change travels upward.</summary>
    private async Task PublishAsync()
    {
        using var timer = new PeriodicTimer(PublishInterval, _clock);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                PublishDirty();
                try
                {
                    CountFlash();
                    Mark();
                }
                catch (Exception e) when (e is IOException or HotStoreUnavailableException)
                {
                    // The device or the journal has failed: Problems says so. The catalog is kept up all the same.
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
    }

    private void PublishDirty()
    {
        lock (_gate)
        {
            foreach (var state in _windows.Values)
            {
                if (state.IsDirty)
                {
                    Publish(state);
                }
            }
        }
    }

    /// <summary>
    /// A window the catalog does not list must be listed at once. A whole one is asked for all of its time anyway; the late part of one that
    /// was given up is asked for only where it says it reaches; one that is settled might not be asked at all.
    /// </summary>
    private static bool MustPublish(WindowState state, long time) =>
        state.Published is not { Settled: 0 } published || (!published.IsWhole && !published.Extent.Contains(time));

    private void Publish(WindowState state)
    {
        state.IsDirty = false;
        if (state.Dropped is { Through: > 0, Unique: > 0 } dropped)
        {
            _catalog.Put(new Holding(Node, state.Window, Holding.Below, Tier.Hdd, 0, dropped.Through, state.Window.Range, dropped.Unique, 0));
        }
        if (state is { Removed: > 0, Rollups: null })
        {
            // This travels: nobody above can know that there was more than the gateway has.
            _catalog.Put(new Holding(Node, state.Window, Holding.Gone, Tier.Ssd, state.ShippedThrough, state.Dropped.Through, state.Window.Range, state.Removed, 0));
        }
        var holding = HoldingOf(state);
        if (state.Published is { } old && (holding is null || HoldingKey.Of(old) != HoldingKey.Of(holding)))
        {
            _catalog.Swap([HoldingKey.Of(old)], holding is null ? [] : [holding]);
        }
        else if (holding is not null)
        {
            _catalog.Put(holding);
        }
        state.Published = holding;
    }

    private Holding? HoldingOf(WindowState state)
    {
        if (state.Rollups is { } rollups)
        {
            return new(Node, state.Window, Node, Tier.Ssd, 0, Holding.Latest, new(rollups.From, rollups.To), rollups.Count, state.FileBytes, Instant.Minute);
        }
        var count = state.FileCount + state.MemoryCount;
        var extent = state.Extent;
        if (extent.IsEmpty)
        {
            if (state.Meta is null || state.SentThrough == 0)
            {
                return null;
            }
            // All of it was deleted, and the gateway may not know: unlisted, what it still has would be taken for the window.
            extent = state.Window.Range;
        }
        if (state.Dropped.Through > 0 && !state.MemoryExtent.IsEmpty)
        {
            // Rounded to hours, so that the samples that follow are asked for before the catalog, here and above, hears of them.
            extent = extent.Hull(new TimeRange(Instant.Floor(extent.From, Instant.Hour), Instant.Floor(extent.To - 1, Instant.Hour) + Instant.Hour)
                .Clip(state.Window.Range));
        }
        return new(Node, state.Window, Node, state.FileCount > 0 ? Tier.Ssd : Tier.Memory, state.Dropped.Through, Holding.Latest, extent,
            count, state.FileBytes + state.MemoryBytes, Settled: state.IsSettled ? state.ShippedThrough : 0);
    }
}

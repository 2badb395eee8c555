using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Agent.Hot;

public sealed partial class HotStore
{
    private static readonly TimeSpan PublishInterval = TimeSpan.FromMilliseconds(200);

    /// <summary>The account of this hop, in samples.</summary>
    public Ledger Ledger
    {
        get
        {
            lock (_gate)
            {
                long superseded = 0, held = 0;
                foreach (var state in _windows.Values)
                {
                    var lost = state.Open.CountSuperseded();
                    superseded += lost;
                    held += state.Open.Count - lost;
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
    /// While a window has samples in memory its extent is rounded outward to whole hours, so that the samples that follow can be
    /// found before the catalog, here and above, hears of them.
    /// </summary>
    private void Publish(WindowState state)
    {
        state.IsDirty = false;
        var open = state.Open.Extent;
        var rounded = open.IsEmpty
            ? open
            : new TimeRange(Instant.Floor(open.From, Instant.Hour), Instant.Floor(open.To - 1, Instant.Hour) + Instant.Hour).Clip(state.Window.Range);
        state.Published = state.Extent.Hull(rounded);
        _catalog.Put(new Holding(Node, state.Window, Node, Tier.Memory, 0, Holding.Latest, state.Published, state.Open.Count, state.Open.Bytes));
    }
}

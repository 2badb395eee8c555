using System.Collections.Concurrent;
using Foretier.Core.Partitions;

namespace Foretier.Agent.Hot;

/// <content>What the forecast sees of the store, and what it may ask of it.</content>
public sealed partial class HotStore
{
    private readonly ConcurrentDictionary<Window, long> _reservations = new();

    /// <summary>Called with the samples of each accepted message, on the publisher's thread; not for what is replayed at start.</summary>
    public Action<ReadOnlySpan<IncomingSample>>? Accepted { get; set; }

    /// <summary>The name of a series handle, account/device/measurement; null for one that was never given out.</summary>
    public string? NameOf(int series) => _series.Find(series)?.Name;

    /// <summary>Unit of a series; null where it has none.</summary>
    public string? UnitOf(int series) => _series.Find(series)?.Unit;

    /// <summary>
    /// The file of a window that is to come gets so many bytes of the device when it is made. A hint: a window that outgrows it takes more,
    /// and one whose file is there already keeps what it has.
    /// </summary>
    public Task ReserveAsync(Window window, long bytes, CancellationToken cancel)
    {
        var now = Core.Samples.Instant.Now(_clock);
        foreach (var past in _reservations.Keys.Where(w => w.End <= now))
        {
            _reservations.TryRemove(past, out _);
        }
        _reservations[window] = bytes;
        return Task.CompletedTask;
    }

    private long? Reserved(Window window) => _reservations.TryGetValue(window, out var bytes) ? bytes : null;
}

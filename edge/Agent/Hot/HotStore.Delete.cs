using Foretier.Core.Samples;

namespace Foretier.Agent.Hot;

/// <content>
/// Deletion of a range of a series: 1. a journal record, durable; from here on its samples are gone, also after a crash; 2. each touched
/// window is flushed: its blocks are rewritten without them, and the flush has a tombstone; 3. the tombstone goes to the gateway with the
/// flush, and ends there what the gateway and the archive have of the range. Samples that come after 1 are new ones.
/// </content>
public sealed partial class HotStore
{
    private readonly SemaphoreSlim _deleting = new(1, 1);

    /// <summary>Deletes what was accepted of a series in the range until now. Durable on return.</summary>
    /// <param name="patience">How long to wait for the gateway to have it too; zero where there is none.</param>
    /// <returns>Null where the series is not known here.</returns>
    /// <exception cref="HotStoreUnavailableException">The journal has failed; nothing is deleted.</exception>
    /// <exception cref="ArgumentException">A window of the range has only rollups left; nothing is deleted.</exception>
    public async Task<Deletion?> DeleteAsync(SeriesKey series, TimeRange range, TimeSpan patience, CancellationToken cancel)
    {
        await _deleting.WaitAsync(cancel);
        try
        {
            List<WindowState> touched;
            long ticket, erased, below;
            lock (_gate)
            {
                if (_series.Find(series.ToString()) is not { } known)
                {
                    return null;
                }
                if (_windows.Values.FirstOrDefault(state => state.Window.Range.Overlaps(range) && (state.Rollups is not null || (state.Removal == Removal.Shed && state.Meta is not null))) is { } shed)
                {
                    throw new ArgumentException($"the samples of {shed.Window} were given up for want of space, and of its rollups no part can be deleted; leave it out of the range");
                }
                var record = Record(RecordKind.Deleted);
                RecordWriter.WriteVarint(record, (ulong)known.Id);
                RecordWriter.WriteSigned(record, range.From);
                RecordWriter.WriteSigned(record, range.To);
                (ticket, var position) = _journal.Append(record.WrittenSpan);
                touched = Erase(position, known.Id, range);
                (erased, below) = (touched.Sum(state => state.Erased), touched.Sum(state => state.ErasedBelow));
            }
            await _journal.WaitDurableAsync(ticket, cancel);
            var isWritten = true;
            try
            {
                foreach (var state in touched)
                {
                    await FlushAsync(state, cancel);
                }
            }
            catch (Exception e) when (e is IOException or InvalidDataException)
            {
                isWritten = false;
                _log.LogWarning("What was deleted of {Series} is not out of its files yet, it is tried again: {Reason}", series, e.Message);
            }
            var isBelow = await WaitShippedAsync(touched, patience, cancel);
            lock (_gate)
            {
                return new(touched.Sum(state => state.Erased) - erased, touched.Sum(state => state.ErasedBelow) - below, isWritten, isWritten && isBelow);
            }
        }
        finally
        {
            _deleting.Release();
        }
    }

    /// <summary>Notes how many samples a batch of this edge ended at the gateway.</summary>
    internal void NoteErasedBelow(Core.Partitions.Window window, long samples)
    {
        lock (_gate)
        {
            StateOf(window).ErasedBelow += samples;
        }
    }

    /// <summary>Erases in memory, in each window that may have something of the series. Under the store's lock, or at the start.</summary>
    private List<WindowState> Erase(long position, int series, TimeRange range)
    {
        var touched = _windows.Values.Where(state => state.Window.Range.Overlaps(range) && position > state.Position
            && (state.RemovedCount is null || state.SentThrough > 0) && (state.Meta is not null || state.Dropped.Through > 0 || state.Frozen is not null || state.Open.TryTake(series, out _))).ToList();
        foreach (var state in touched)
        {
            state.Open.Erase(position, series, range.Clip(state.Window.Range));
            state.IsDirty = true;
            if (MustPublish(state, range.From))
            {
                Publish(state);
            }
        }
        return touched;
    }

    private async Task<bool> WaitShippedAsync(List<WindowState> touched, TimeSpan patience, CancellationToken cancel)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var timeout = Task.Delay(patience, _clock, ended.Token);
        try
        {
            while (true)
            {
                var seen = _shipped.Next;
                lock (_gate)
                {
                    if (touched.TrueForAll(state => state.Meta is null || state.IsShipped || Math.Max(state.SentThrough, state.Dropped.Through) == 0))
                    {
                        return true;
                    }
                }
                _shipWanted.Set();
                if (await Task.WhenAny(seen.WaitAsync(ended.Token), timeout) == timeout)
                {
                    return false;
                }
            }
        }
        finally
        {
            await ended.CancelAsync();
        }
    }
}

/// <param name="Samples">Deleted on this edge.</param>
/// <param name="SamplesBelow">Deleted at the gateway, as far as it has told.</param>
/// <param name="IsWritten">Out of the edge's files; else it is tried again, and nothing of it is given out meanwhile.</param>
/// <param name="IsBelow">The gateway has it too, or has nothing of those windows.</param>
public sealed record Deletion(long Samples, long SamplesBelow, bool IsWritten, bool IsBelow);

using Foretier.Core.Samples;
using Foretier.Core.Segments;

using Foretier.Node.Hosting;

namespace Foretier.Agent.Hot;

/// <content>What is done for files that nobody writes any more: sealing, and looking them over.</content>
public sealed partial class HotStore
{
    /// <summary>Sealing works in memory; a window with more in its file is dense as it is, and stays.</summary>
    private const long SealBytesMax = 16L * 1024 * 1024;

    private async Task KeepAsync()
    {
        var scrubbed = _clock.GetTimestamp();
        var pause = TimeSpan.FromTicks(Math.Min(_options.SealAge.Ticks / 4, TimeSpan.FromSeconds(10).Ticks));
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(pause, _clock, _stop.Token);
                while (NextToSeal() is { } state && !_stop.IsCancellationRequested)
                {
                    await SealAsync(state, _stop.Token);
                }
                if (_clock.GetElapsedTime(scrubbed) >= _options.ScrubInterval)
                {
                    await ScrubAsync(_options.ScrubBytesPerSecond, _stop.Token);
                    scrubbed = _clock.GetTimestamp();
                }
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is IOException or InvalidDataException or SegmentFormatException or HotStoreUnavailableException)
            {
                _log.LogWarning("Sealing or scrubbing window files failed and is tried again: {Reason}", e.Message);
            }
        }
    }

    private WindowState? NextToSeal()
    {
        var now = Instant.Now(_clock);
        var stamp = _clock.GetTimestamp();
        lock (_gate)
        {
            return _windows.Values.FirstOrDefault(state => state is { Meta: not null, IsSealed: false, Damage: null } && !state.IsInMemory
                && state.Window.End <= now && state.FileBytes <= SealBytesMax && _clock.GetElapsedTime(state.NewestAt, stamp) >= _options.SealAge * (1 << Math.Min(state.Seals, 7)));
        }
    }

    /// <summary>Seals every window that is over and has nothing in memory, whenever it was written last; for tests and campaigns.</summary>
    internal async Task SealAllAsync(CancellationToken cancel)
    {
        List<WindowState> states;
        lock (_gate)
        {
            states = [.. _windows.Values.Where(state => state is { Meta: not null, IsSealed: false } && state.Window.End <= Instant.Now(_clock) && state.FileBytes <= SealBytesMax)];
        }
        foreach (var state in states)
        {
            await SealAsync(state, cancel);
        }
    }

    private async Task SealAsync(WindowState state, CancellationToken cancel)
    {
        await _flushing.WaitAsync(cancel);
        try
        {
            lock (_gate)
            {
                if (state.Meta is null || state.IsInMemory || state.IsSealed)
                {
                    return;
                }
            }
            await Background.RunAsync(() => SealRepaired(state));
        }
        finally
        {
            _flushing.Release();
        }
    }

    private void SealRepaired(WindowState state)
    {
        try
        {
            Seal(state);
        }
        catch (InvalidDataException e)
        {
            Repair(state, e.Message);
        }
    }

    /// <summary>
    /// Reads the window's file whole, cuts each series anew into blocks as large as they may be, and writes them, packed and with a manifest,
    /// as the window's next generation. Blocks the gateway has and blocks it has not are kept apart. Under <see cref="_flushing"/>.
    /// </summary>
    private void Seal(WindowState state)
    {
        var name = state.FileName;
        WindowMeta meta;
        var blocks = new List<StoredBlock>();
        using (var lease = _files.Take(name))
        {
            meta = lease.File.Meta!;
            foreach (var series in lease.File.Scan().GroupBy(head => head.Series))
            {
                blocks.AddRange(Dense(lease.File.Read([.. series.Select(head => head.Key)]), state));
            }
        }
        if (blocks.Sum(block => (long)block.Count) != meta.Count)
        {
            throw new InvalidDataException($"{name.Data} should have {meta.Count} samples and has {blocks.Sum(block => (long)block.Count)}");
        }
        blocks = blocks.ConvertAll(Cold);
        var next = name with { Generation = name.Generation + 1 };
        WindowFile.Seal(_disk, next, blocks, meta, Instant.Now(_clock));
        using (var lease = _files.Take(next))
        {
            Adopt(state, next.Generation, lease.File, [.. blocks.Select(block => block.Head)]);
        }
        state.Seals++;
        _files.Delete(name);
        _disk.SyncFolder(WindowFileName.Folder);
    }

    /// <summary>Neighbours become one block where neither or both are at the gateway; the later version is that of both.</summary>
    private List<StoredBlock> Dense(List<StoredBlock> blocks, WindowState state)
    {
        var dense = new List<StoredBlock>();
        for (var from = 0; from < blocks.Count;)
        {
            var end = from + 1;
            while (end < blocks.Count && blocks[end].Version <= state.ShippedThrough == blocks[from].Version <= state.ShippedThrough)
            {
                end++;
            }
            if (end == from + 1)
            {
                dense.Add(blocks[from]);
            }
            else
            {
                var samples = new SampleColumns();
                var version = 0L;
                foreach (var block in blocks[from..end])
                {
                    Segment.Open(block.Segment).Decode(samples);
                    version = Math.Max(version, block.Version);
                }
                dense.AddRange(BlockMerge.Encode(blocks[from].Series, samples, state.Window, version, _options.BlockBytesMax));
            }
            from = end;
        }
        return dense;
    }

    /// <summary>Compressed by zstd where that saves a sixteenth: mostly states and what repeats. The rest is packed as it is, and stays as quick to read.</summary>
    internal static StoredBlock Cold(StoredBlock block)
    {
        if (block.Segment.Length < ColdBytesMin)
        {
            return block;
        }
        var cold = Segment.Open(block.Segment).Compressed().Bytes;
        return cold.Length <= block.Segment.Length * 15L / 16 ? block with { Segment = cold.ToArray() } : block;
    }

    /// <summary>Less is not worth a look: a block's frame alone takes some thirty bytes.</summary>
    private const int ColdBytesMin = 128;

    /// <summary>A sample has come for a window that was sealed: it gets a file that can be written. Under <see cref="_flushing"/>.</summary>
    private void Unseal(WindowState state)
    {
        var name = state.FileName;
        List<StoredBlock> blocks;
        using (var lease = _files.Take(name))
        {
            blocks = lease.File.Read([.. lease.File.Scan().Select(head => head.Key)]);
        }
        WriteNextGeneration(state, blocks, state.Meta!);
        _files.Delete(name);
    }

    /// <summary>Reads every window file, the journal and the saved facts, and repairs what is damaged.</summary>
    /// <param name="bytesPerSecond">At most so much; 0 for as fast as it goes.</param>
    /// <param name="cancel">Ends it in between.</param>
    internal async Task ScrubAsync(long bytesPerSecond, CancellationToken cancel)
    {
        List<WindowFileName> names;
        lock (_gate)
        {
            names = [.. _windows.Values.Where(state => state.Meta is not null).Select(state => state.FileName)];
        }
        foreach (var name in names)
        {
            long read = 0;
            try
            {
                using var lease = _files.Take(name);
                var damage = await Task.Run(() => lease.File.Scrub(n => read += n), cancel);
                if (damage is not null)
                {
                    throw new InvalidDataException(damage);
                }
            }
            catch (FileNotFoundException)
            {
                continue; // given up, or another generation by now
            }
            catch (InvalidDataException e)
            {
                await RepairAsync(name, e.Message, cancel);
            }
            _book.Read(read);
            if (bytesPerSecond > 0)
            {
                await Task.Delay(TimeSpan.FromSeconds((double)read / bytesPerSecond), _clock, cancel);
            }
        }
        await ScrubJournalAsync(cancel);
        _book.Scrubbed();
    }

    /// <summary>What the journal holds alone is in memory too: where a record of it is damaged, memory goes to window files at once.</summary>
    private async Task ScrubJournalAsync(CancellationToken cancel)
    {
        var last = _journal.DurablePosition;
        var positions = new HashSet<long>();
        await Task.Run(() => JournalReader.Read(_disk, (position, _) => positions.Add(position)), cancel);
        var from = Math.Max(NeededFrom(), _released + 1);
        var missing = 0L;
        for (var position = from; position <= last; position++)
        {
            missing += positions.Contains(position) ? 0 : 1;
        }
        StateFile.Read(_disk, out var copies);
        if (missing == 0 && copies.Count == 0)
        {
            return;
        }
        // The journal may have been released and written over meanwhile: only what is needed even now counts.
        if (missing > 0 && NeededFrom() <= from)
        {
            await FlushAllAsync(cancel);
            _book.Damaged("journal", $"{missing} records; memory still had them and they are in window files now, nothing is lost", 0);
        }
        if (copies.Count > 0)
        {
            _book.Damaged(string.Join(" and ", copies), "written anew from memory; nothing is lost", 0);
        }
        await SaveAsync();
    }

    /// <summary>Saves the facts now, and gives the journal space back that is not needed then.</summary>
    internal async Task SaveAsync()
    {
        await _flushing.WaitAsync();
        try
        {
            await SaveFactsAsync();
        }
        finally
        {
            _flushing.Release();
        }
    }
}

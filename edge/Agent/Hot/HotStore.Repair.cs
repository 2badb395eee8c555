using System.Globalization;
using Foretier.Core.Samples;

namespace Foretier.Agent.Hot;

/// <content>What the device did to window files, and what is done about it.</content>
public sealed partial class HotStore
{
    private const int DamagedFilesMax = 4;
    private const int CommitBytesMax = 1024 * 1024;

    private readonly DamageBook _book;

    // Something was damaged that could not say what it held.
    private bool _isGuessed;

    // The saved facts are to be written again, though no journal space waits for it.
    private bool _mustSave;

    /// <summary>What was found damaged, what came of it, and when the files were last looked over.</summary>
    public IntegrityStatus Integrity
    {
        get
        {
            long lost;
            lock (_gate)
            {
                lost = LostSamples;
            }
            return _book.Status with { LostSamples = lost };
        }
    }

    private long LostSamples => _lost + _windows.Values.Sum(state => state.Lost);

    /// <summary>Repairs the file of that name, unless someone has by now.</summary>
    private async Task RepairAsync(WindowFileName name, string damage, CancellationToken cancel)
    {
        await _flushing.WaitAsync(cancel);
        try
        {
            WindowState state;
            lock (_gate)
            {
                if (!_windows.TryGetValue(name.Window, out state!) || state.Meta is null || state.FileName != name)
                {
                    return;
                }
            }
            await Task.Run(() => Repair(state, damage), cancel);
        }
        finally
        {
            _flushing.Release();
        }
    }

    /// <summary>
    /// 1. What is sound is taken out of the damaged file. 2. What is missing is taken from the journal, as far as that still has it.
    /// 3. What the gateway has is given up here where a part of it is missing. 4. The rest is lost, and counted. All of it becomes the next
    /// generation of the window, in one step; the damaged file is kept aside. Under <see cref="_flushing"/>.
    /// </summary>
    /// <exception cref="IOException">The new file cannot be written: all stays as it was.</exception>
    /// <exception cref="InvalidDataException">Nothing of the file says what it is.</exception>
    private void Repair(WindowState state, string damage)
    {
        var name = state.FileName;
        _files.Forget(name);
        var found = WindowSalvage.Read(_disk, name);
        var meta = Later(found.Meta, state.Meta) ?? Guess(state, found);
        var dropped = meta.Dropped.Through >= state.Dropped.Through ? meta.Dropped : state.Dropped;
        var missing = meta.Count - found.Blocks.Sum(block => (long)block.Count);
        var isUnknown = missing > found.Lost.Sum(head => (long)head.Count);
        var held = meta.Count - (state.ShippedUnique - dropped.Unique);
        var isBelow = missing > 0 && state.ShippedThrough > dropped.Through && (isUnknown || found.Lost.Any(head => head.Version <= state.ShippedThrough));
        var blocks = found.Blocks.Where(block => !isBelow || block.Version > state.ShippedThrough).ToList();
        if (isBelow)
        {
            dropped = dropped with { Through = state.ShippedThrough, Unique = state.ShippedUnique };
        }
        var lost = found.Lost.Where(head => !isBelow || head.Version > state.ShippedThrough).ToList();
        var restored = missing > 0 && (!isBelow || isUnknown || lost.Count > 0) ? FromJournal(state, meta, found,
            isBelow && !isUnknown ? lost : null, held - blocks.Sum(block => (long)block.Count) + (isBelow ? 0 : state.ShippedUnique - dropped.Unique)) : [];
        blocks.AddRange(restored);
        var count = blocks.Sum(block => (long)block.Count);
        var gone = held - (count - (state.ShippedUnique - dropped.Unique));
        var repaired = meta with
        {
            Count = count,
            Superseded = meta.Superseded + Math.Min(0, gone),
            Lost = meta.Lost + Math.Max(0, gone),
            Tombstones = found.Tombstones.Count > 0 ? found.Tombstones : state.Meta?.Tombstones ?? [],
            Dropped = dropped,
            From = blocks.Count == 0 ? long.MaxValue : blocks.Min(block => state.Window.Start + block.StartOffset),
            To = blocks.Count == 0 ? long.MinValue : blocks.Max(block => block.EndTime) + 1,
        };
        WriteNextGeneration(state, blocks, repaired);
        SetAside(name);
        _book.Damaged(name.Data, Describe(damage, Math.Max(0, gone), restored.Sum(block => (long)block.Count), isBelow, isUnknown, lost, state), Math.Max(0, gone));
    }

    private static WindowMeta? Later(WindowMeta? one, WindowMeta? other) =>
        one is null || (other is not null && other.Version > one.Version) ? other : one;

    /// <summary>
    /// No description is left. All that the journal has released is in files; what it has not comes again from it, over what the file has.
    /// </summary>
    private WindowMeta Guess(WindowState state, WindowSalvage found)
    {
        if (found.Blocks.Count == 0)
        {
            throw new InvalidDataException($"nothing in {state.FileName.Data} can be read");
        }
        _isGuessed = true;
        return new(Math.Max(found.Blocks.Max(block => block.Version), Math.Max(state.SentThrough, state.ShippedThrough)),
            Math.Max(_released, state.Dropped.Position), found.Blocks.Sum(block => (long)block.Count), 0, 0, 0, state.Dropped);
    }

    /// <summary>Samples that were in the file and are in no block of it now. Blocks of a series never cover the same time.</summary>
    /// <param name="only">The blocks to restore; null for whatever is missing.</param>
    /// <param name="most">How many samples are missing. Where it is not known which, those that came last: the gateway has the others.</param>
    private List<StoredBlock> FromJournal(WindowState state, WindowMeta meta, WindowSalvage found, List<BlockHead>? only, long most)
    {
        var bounds = found.Blocks.GroupBy(block => block.Series).ToDictionary(series => series.Key, series => series.OrderBy(block => block.Key).ToList());
        var missing = new Dictionary<(int Series, long Time), (long Position, int Before, IncomingSample Sample)>();
        var samples = new List<IncomingSample>();
        JournalReader.Read(_disk, (position, bytes) =>
        {
            var record = new RecordReader(bytes);
            if (position > meta.Position || position <= state.Dropped.Position || (RecordKind)record.Byte() is var kind && kind is not (RecordKind.Samples or RecordKind.Deleted))
            {
                return;
            }
            if (kind == RecordKind.Deleted)
            {
                var (series, range) = ((int)record.Varint(), new TimeRange(record.Signed(), record.Signed()));
                foreach (var key in missing.Keys.Where(key => key.Series == series && range.Contains(key.Time)).ToList())
                {
                    missing.Remove(key);
                }
                return;
            }
            samples.Clear();
            SamplesRecord.Read(ref record, samples);
            foreach (var sample in samples.Where(sample => state.Window.Range.Contains(sample.Time)))
            {
                var blocks = bounds.GetValueOrDefault(sample.Series) ?? [];
                var before = blocks.FindLastIndex(block => state.Window.Start + block.StartOffset <= sample.Time);
                if ((before >= 0 && blocks[before].EndTime >= sample.Time)
                    || (only is not null && !only.Exists(head => head.Series == sample.Series && state.Window.Start + head.StartOffset <= sample.Time && sample.Time <= head.EndTime)))
                {
                    continue;
                }
                missing[(sample.Series, sample.Time)] = (position, before, sample);
            }
        });
        var chosen = missing.Values.OrderByDescending(one => one.Position).Take((int)Math.Min(most, int.MaxValue));
        return [.. chosen.GroupBy(one => (one.Sample.Series, one.Before)).OrderBy(piece => piece.Key).SelectMany(piece =>
        {
            var columns = new OpenColumns();
            foreach (var (_, _, sample) in piece.OrderBy(one => one.Sample.Time))
            {
                columns.Add(sample.Time, sample.Value, sample.State);
            }
            return BlockMerge.Encode(piece.Key.Series, columns.Take().Sorted(out _), state.Window, meta.Version, _options.BlockBytesMax);
        })];
    }

    /// <summary>
    /// Writes the window anew, as its next generation, which is the window's file from the moment it has its name. Under <see cref="_flushing"/>.
    /// </summary>
    private void WriteNextGeneration(WindowState state, List<StoredBlock> blocks, WindowMeta meta)
    {
        var next = state.FileName with { Generation = state.Generation + 1 };
        using var lease = _files.Take(next, create: 0);
        var part = new List<StoredBlock>();
        var bytes = 0;
        foreach (var block in blocks)
        {
            part.Add(block);
            bytes += block.Bytes;
            if (bytes >= CommitBytesMax)
            {
                lease.File.Commit([], part, meta, isLast: false);
                part.Clear();
                bytes = 0;
            }
        }
        lease.File.Commit([], part, meta);
        Adopt(state, next.Generation, lease.File, [.. blocks.Select(block => block.Head)]);
    }

    /// <summary>From now on this is the window's file.</summary>
    private void Adopt(WindowState state, int generation, WindowFile file, List<BlockHead> heads)
    {
        lock (_gate)
        {
            (state.Generation, state.Meta, state.FileBytes, state.Damage, state.IsSealed) = (generation, file.Meta, file.Bytes, null, file.IsSealed);
            state.Dropped = file.Meta!.Dropped;
            state.Unshipped.Clear();
            foreach (var head in heads.Where(head => head.Version > state.ShippedThrough))
            {
                state.Unshipped[head.Key] = head;
            }
            Publish(state);
        }
    }

    /// <summary>Keeps a damaged file for whoever wants to look at it; of all such files only the last few.</summary>
    private void SetAside(WindowFileName name)
    {
        foreach (var path in new[] { name.Data, name.Log }.Where(_disk.Exists))
        {
            _disk.Rename(path, path + ".damaged");
        }
        var kept = _disk.List(WindowFileName.Folder).Where(path => path.EndsWith(".db.damaged", StringComparison.Ordinal) && path != name.Data + ".damaged")
            .Order(StringComparer.Ordinal).ToList();
        foreach (var path in kept.Take(kept.Count + 1 - DamagedFilesMax))
        {
            _disk.Delete(path);
            var log = path.Replace(".db.", ".log.", StringComparison.Ordinal);
            if (_disk.Exists(log))
            {
                _disk.Delete(log);
            }
        }
        _disk.SyncFolder(WindowFileName.Folder);
    }

    private string Describe(string damage, long gone, long restored, bool isBelow, bool isUnknown, List<BlockHead> lost, WindowState state)
    {
        string Number(long n) => n.ToString("N0", CultureInfo.InvariantCulture);
        var parts = new List<string> { damage };
        if (isBelow)
        {
            parts.Add("what the gateway has is read from there");
        }
        if (restored > 0)
        {
            parts.Add($"{Number(restored)} samples were restored from the journal");
        }
        parts.Add(gone == 0 ? "nothing is lost"
            : $"{Number(gone)} samples of {state.Window} are lost: " + string.Join("; ", lost.Take(5).Select(head =>
                $"{_series.Find(head.Series)?.Name ?? $"series {head.Series}"} {Instant.Format(state.Window.Start + head.StartOffset)} to {Instant.Format(head.EndTime)}")
                .Concat(isUnknown ? ["of series and times that cannot be told any more"] : [])) + (lost.Count > 5 ? $"; and {lost.Count - 5} more blocks" : ""));
        return string.Join("; ", parts);
    }
}

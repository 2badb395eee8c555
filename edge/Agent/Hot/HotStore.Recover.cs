using System.Collections.Frozen;
using System.Runtime.InteropServices;

namespace Foretier.Agent.Hot;

public sealed partial class HotStore
{
    /// <summary>
    /// 1. The facts as they were last saved. 2. The window files: what was given up or never finished is deleted, the others say how far
    /// they reach. 3. The journal: what a window's file has is skipped, the rest goes to memory; counters go on from the saved position.
    /// 4. Windows not shipped whole are counted block by block.
    /// </summary>
    private void Recover()
    {
        var facts = StateFile.Read(_disk, out var damagedCopies) ?? new StoreFacts();
        (_accepted, _lost) = (facts.Accepted, facts.Lost);
        _released = facts.Released;
        foreach (var (reason, count) in facts.Rejected)
        {
            _rejected[reason] = count;
        }
        foreach (var series in facts.Series)
        {
            Define(series);
        }
        foreach (var window in facts.Windows)
        {
            var state = StateOf(window.Window);
            (state.Generation, state.Dropped) = (window.Generation, window.Dropped);
            (state.SentThrough, state.ShippedThrough, state.ShippedUnique) = (window.SentThrough, window.ShippedThrough, window.ShippedUnique);
            (state.Removal, state.RemovedCount) = (window.Removal, window.Removal == Removal.None ? null : window.Removed);
        }
        _readTime = facts.Time;
        if (!facts.Flash.IsEmpty)
        {
            var flash = new RecordReader(facts.Flash.Span);
            _flash.Read(ref flash);
        }
        AttachFiles();
        var samples = new List<IncomingSample>();
        _journal = Journal.Open(_disk, _options, _log, new(facts.Position, facts.Sequence, facts.Released),
            (position, bytes) => Replay(position, facts.Position, bytes, samples));
        _spare.Take();
        if (damagedCopies.Count > 0)
        {
            _book.Damaged(string.Join(" and ", damagedCopies), "the other copy was used and is written in its place; nothing is lost", 0);
            _mustSave = true;
        }
        (_clock as SiteClock)?.Remember(_readTime);
        _closed = _windows.Values.Where(state => state.RemovedCount is not null).Select(state => state.Window).ToFrozenSet();
        foreach (var state in _windows.Values)
        {
            if (state.IsSetAside)
            {
                state.Dropped = state.Dropped with { Through = Math.Max(state.Dropped.Through, Math.Max(state.SentThrough, state.ShippedThrough)) };
                state.Dropped = state.Dropped with { Unique = state.ShippedUnique };
            }
            if (state.Meta is not null && !state.IsShipped)
            {
                RecountRepaired(state);
            }
            state.SettleShipped();
            Publish(state);
        }
        if (_isGuessed || _journal.Damaged.Count > 0)
        {
            Balance(facts.Position);
        }
    }

    /// <summary>
    /// Where what was damaged cannot say how much it held, the account does: what was accepted, and is nowhere. A damaged journal record the
    /// saved counters do not have counts as one sample.
    /// </summary>
    private void Balance(long counted)
    {
        _accepted += _journal.Damaged.Sum(range => Math.Max(0, range.To - Math.Max(range.From, counted + 1)));
        var ledger = Ledger;
        var gone = ledger.Unique - ledger.Held - ledger.Released - ledger.Lost - ledger.Expired - ledger.Shed - ledger.Deleted;
        _lost += Math.Max(0, gone);
        _accepted += Math.Max(0, -gone); // came again from the journal although a file had them
        if (_journal.Damaged.Count > 0)
        {
            _book.Damaged("journal", string.Join(", ", _journal.Damaged.Select(range => $"records {range.From} to {range.To - 1}"))
                + (gone > 0 ? $"; {gone} samples are lost, of series and times that cannot be told" : "; window files have what they held, nothing is lost"), Math.Max(0, gone));
        }
    }

    private void AttachFiles()
    {
        _disk.CreateFolder(WindowFileName.Folder);
        var paths = _disk.List(WindowFileName.Folder);
        var names = new HashSet<WindowFileName>();
        foreach (var path in paths)
        {
            if (WindowFileName.TryParse(path, out var name) && name.Generation >= StateOf(name.Window).Generation)
            {
                names.Add(name);
            }
        }
        var kept = names.SelectMany(name => new[] { name.Data, name.Log }).ToHashSet(StringComparer.Ordinal);
        foreach (var path in paths.Where(path => !kept.Contains(path) && !path.EndsWith(".damaged", StringComparison.Ordinal)))
        {
            _disk.Delete(path); // given up, or a creation that no transaction finished
        }
        foreach (var generations in names.GroupBy(name => name.Window))
        {
            // A later generation exists only if the earlier had been given up, whether or not the facts could be saved then.
            var name = generations.MaxBy(name => name.Generation);
            foreach (var older in generations.Where(other => other != name))
            {
                _files.Delete(older);
            }
            var state = StateOf(name.Window);
            state.Generation = name.Generation;
            try
            {
                using var lease = _files.Take(name);
                state.IsSealed = lease.File.IsSealed;
                state.Meta = lease.File.Meta ?? throw new InvalidDataException($"{name.Data} has no description of itself");
                state.Dropped = state.Meta.Dropped;
                state.FileBytes = lease.File.Bytes;
            }
            catch (InvalidDataException e)
            {
                RepairAtStart(state, e.Message);
            }
            if (state.Meta?.Removed is { } removed)
            {
                (state.Rollups, state.Meta, state.Removal, state.RemovedCount) = (state.Meta, null, Removal.Shed, removed);
            }
        }
    }

    private void RepairAtStart(WindowState state, string damage)
    {
        try
        {
            // What is below may be known by the journal alone.
            JournalReader.Read(_disk, (position, bytes) =>
            {
                if ((RecordKind)bytes[0] is RecordKind.Shipped or RecordKind.Sending)
                {
                    Replay(position, long.MaxValue, bytes, []);
                }
            });
            Repair(state, damage);
        }
        catch (InvalidDataException e)
        {
            _isGuessed = true;
            _book.Damaged(state.FileName.Data, $"{e.Message}; it is set aside, and the journal's last samples of its window are kept", 0);
            SetAside(state);
        }
    }

    /// <summary>One damaged file must not keep the edge from starting. What comes now is a new generation, later than all that was sent.</summary>
    private void SetAside(WindowState state)
    {
        _files.Forget(state.FileName);
        SetAside(state.FileName);
        state.Generation++;
        state.IsSetAside = true;
    }

    private void Replay(long position, long counted, ReadOnlySpan<byte> bytes, List<IncomingSample> samples)
    {
        var record = new RecordReader(bytes);
        switch ((RecordKind)record.Byte())
        {
            case RecordKind.SeriesDefined:
                var (id, name, unit, kind) = ((int)record.Varint(), record.Text(), record.Text(), record.Text());
                Define(new(id, name, unit.Length == 0 ? null : unit, kind));
                break;
            case RecordKind.Samples:
                samples.Clear();
                SamplesRecord.Read(ref record, samples);
                _accepted += position > counted ? samples.Count : 0;
                foreach (var sample in samples.Where(sample => _series.Find(sample.Series) is null))
                {
                    // Its definition was in a damaged record. The handle must never be given to another.
                    Define(new(sample.Series, $"unknown/series/{sample.Series}", null, "gauge"));
                }
                samples.RemoveAll(sample => position <= StateOf(Core.Partitions.Window.DayOf(sample.Time)).Position);
                Apply(position, CollectionsMarshal.AsSpan(samples), _clock.GetTimestamp());
                while (_memoryBytes >= _options.MemoryBytesMax)
                {
                    Freeze(_windows.Values.MaxBy(state => state.Open.Bytes)!, position);
                    FlushRepaired(_windows.Values.First(state => state.Frozen is not null));
                }
                break;
            case RecordKind.Deleted:
                Erase(position, (int)record.Varint(), new(record.Signed(), record.Signed()));
                break;
            case RecordKind.Rejected:
                var reason = record.Text();
                var rejected = (long)record.Varint();
                _rejected[reason] = _rejected.GetValueOrDefault(reason) + (position > counted ? rejected : 0);
                break;
            case RecordKind.Shipped:
                var shipped = StateOf(new(record.Signed(), record.Signed()));
                var (through, unique) = (record.Signed(), record.Signed());
                if (through > shipped.ShippedThrough)
                {
                    (shipped.ShippedThrough, shipped.ShippedUnique) = (through, Math.Max(unique, shipped.ShippedUnique));
                }
                break;
            case RecordKind.Sending:
                var sent = StateOf(new(record.Signed(), record.Signed()));
                sent.SentThrough = Math.Max(sent.SentThrough, record.Signed());
                break;
            case RecordKind.Session:
                if (ReplaySession(position, ref record))
                {
                    Replay(position, counted, record.Rest, samples);
                }
                break;
            case RecordKind.Mark:
                _readTime = Math.Max(_readTime, record.Signed());
                _flash.Read(ref record);
                break;
            case var other:
                throw new InvalidDataException($"the journal has a record of kind {other}, which this version does not know: start the newer one again");
        }
    }

    private void RecountRepaired(WindowState state)
    {
        try
        {
            Recount(state);
        }
        catch (InvalidDataException e)
        {
            Repair(state, e.Message);
        }
    }

    /// <summary>Counts the window's file block by block, and notes which blocks are to be shipped.</summary>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    private void Recount(WindowState state)
    {
        using var lease = _files.Take(state.FileName);
        var heads = lease.File.Scan();
        var count = heads.Sum(head => (long)head.Count);
        if (count != state.FileCount)
        {
            throw new InvalidDataException($"{state.FileName.Data} should have {state.FileCount} samples and has {count}");
        }
        lock (_gate)
        {
            state.Unshipped.Clear();
            foreach (var head in heads.Where(head => head.Version > state.ShippedThrough))
            {
                state.Unshipped[head.Key] = head;
            }
        }
    }
}

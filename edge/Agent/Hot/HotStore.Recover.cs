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
        var facts = StateFile.Read(_disk) ?? new StoreFacts();
        _accepted = facts.Accepted;
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
        }
        AttachFiles();
        var samples = new List<IncomingSample>();
        _journal = Journal.Open(_disk, _options, _log, new(facts.Position, facts.Sequence, facts.Released),
            (position, bytes) => Replay(position, facts.Position, bytes, samples));
        _spare.Take();
        foreach (var state in _windows.Values)
        {
            if (state.IsSetAside)
            {
                state.Dropped = state.Dropped with { Through = Math.Max(state.Dropped.Through, Math.Max(state.SentThrough, state.ShippedThrough)) };
                state.Dropped = state.Dropped with { Unique = state.ShippedUnique };
            }
            if (state.Meta is not null && !state.IsShipped)
            {
                Recount(state);
            }
            Publish(state);
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
                state.Meta = lease.File.Meta ?? throw new InvalidDataException($"{name.Data} has no description of itself");
                state.Dropped = state.Meta.Dropped;
                state.FileBytes = lease.File.Bytes;
            }
            catch (InvalidDataException e)
            {
                _log.LogCritical(e, "{File} is damaged and is set aside; the journal's last samples of its window are kept", name.Data);
                SetAside(state);
            }
        }
    }

    /// <summary>One damaged file must not keep the edge from starting. What comes now is a new generation, later than all that was sent.</summary>
    private void SetAside(WindowState state)
    {
        foreach (var path in new[] { state.FileName.Data, state.FileName.Log }.Where(_disk.Exists))
        {
            _disk.Rename(path, path + ".damaged");
        }
        _disk.SyncFolder(WindowFileName.Folder);
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
                samples.RemoveAll(sample => position <= StateOf(Core.Partitions.Window.DayOf(sample.Time)).Position);
                Apply(position, CollectionsMarshal.AsSpan(samples), _clock.GetTimestamp());
                while (_memoryBytes >= _options.MemoryBytesMax)
                {
                    Freeze(_windows.Values.MaxBy(state => state.Open.Bytes)!, position);
                    FlushFrozen(_windows.Values.First(state => state.Frozen is not null));
                }
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
            case var other:
                throw new InvalidDataException($"the journal has a record of kind {other}, which this version does not know: start the newer one again");
        }
    }

    /// <summary>Counts the window's file block by block, and notes which blocks are to be shipped.</summary>
    private void Recount(WindowState state)
    {
        try
        {
            using var lease = _files.Take(state.FileName);
            var heads = lease.File.Scan();
            var count = heads.Sum(head => (long)head.Count);
            if (count != state.FileCount)
            {
                state.Damage = $"{state.FileName.Data} should have {state.FileCount} samples and has {count}";
                state.Meta = state.Meta! with { Count = count };
            }
            state.Unshipped.Clear();
            foreach (var head in heads.Where(head => head.Version > state.ShippedThrough))
            {
                state.Unshipped[head.Key] = head;
            }
        }
        catch (InvalidDataException e)
        {
            state.Damage = e.Message;
        }
        if (state.Damage is not null)
        {
            _log.LogCritical("Window {Window} is damaged on the device and is not shipped: {Damage}", state.Window, state.Damage);
        }
    }
}

using Foretier.Core.Samples;

namespace Foretier.Agent.Hot;

/// <summary>The files of the ring: found again at a start, and made in advance.</summary>
internal sealed partial class Journal
{
    private void Recover(JournalFloor floor, Replay replay)
    {
        _disk.CreateFolder("journal");
        foreach (var name in _disk.List("journal").Order(StringComparer.Ordinal))
        {
            if (int.TryParse(Path.GetFileNameWithoutExtension(name), out var number))
            {
                _fileNumber = Math.Max(_fileNumber, number);
                var file = new JournalFile(_disk.Open(name), name);
                if (file.TryOpen())
                {
                    _used.Add(file);
                }
                else if (file.Length >= _options.JournalFileBytes)
                {
                    _free.Enqueue(file);
                }
                else
                {
                    file.Dispose();
                    _disk.Delete(name); // a creation that was cut short
                }
            }
        }
        _used.Sort((a, b) => a.FirstSequence != b.FirstSequence ? a.FirstSequence.CompareTo(b.FirstSequence) : a.Epoch.CompareTo(b.Epoch));
        (_durablePosition, _durableTicket) = (floor.Position, floor.Sequence);
        var damaged = new List<TimeRange>();
        var expected = floor.Released + 1;
        void Expect(long position)
        {
            if (position > expected)
            {
                damaged.Add(new(expected, position));
            }
        }
        for (var i = 0; i < _used.Count; i++)
        {
            var file = _used[i];
            _epoch = Math.Max(_epoch, file.Epoch);
            Expect(file.FirstPosition);
            foreach (var frame in file.Read(i + 1 < _used.Count ? _used[i + 1].FirstSequence : long.MaxValue))
            {
                Expect(frame.FirstPosition);
                expected = Math.Max(expected, frame.FirstPosition + frame.Count);
                ReplayFrame(frame, replay);
            }
        }
        Expect(floor.Position + 1);
        _used.LastOrDefault()?.ClearTail();
        _nextSequence = _durableTicket + 1;
        _nextPosition = _durablePosition + 1;
        Damaged = damaged;
        foreach (var range in damaged)
        {
            _log.LogCritical("Journal records {From} to {To} are damaged on the device: what they held is lost", range.From, range.To - 1);
        }
    }

    private void ReplayFrame(JournalFile.Frame frame, Replay replay)
    {
        var records = new RecordReader(frame.Records.Span);
        for (var i = 0; i < frame.Count; i++)
        {
            replay(frame.FirstPosition + i, records.Take(checked((int)records.Varint())));
        }
        _durableTicket = Math.Max(_durableTicket, frame.Sequence);
        _durablePosition = Math.Max(_durablePosition, frame.FirstPosition + frame.Count - 1);
    }

    private void Preallocate()
    {
        try
        {
            while (_used.Count + _free.Count < _options.JournalFiles)
            {
                _free.Enqueue(CreateFile());
            }
        }
        catch (IOException e) when (_used.Count + _free.Count > 0)
        {
            // A full disk must not keep the edge from starting: what it has can be asked for, and moved down.
            _log.LogWarning("The journal's files could not all be made, there is less room to buffer: {Reason}", e.Message);
        }
    }

    private JournalFile CreateFile()
    {
        var name = $"journal/{++_fileNumber:D6}.fj";
        if (_disk.Exists(name))
        {
            _disk.Delete(name); // left by a creation that failed half-way
        }
        var file = _disk.Create(name);
        try
        {
            // Written, not merely reserved: an unwritten extent would cost a metadata flush at each first write.
            var zeros = new byte[Math.Min(_options.JournalFileBytes, 1024 * 1024)];
            for (long at = 0; at < _options.JournalFileBytes; at += zeros.Length)
            {
                file.Write(zeros.AsSpan(0, (int)Math.Min(zeros.Length, _options.JournalFileBytes - at)), at);
            }
            file.Sync();
            _disk.SyncFolder("journal");
            return new(file, name);
        }
        catch
        {
            file.Dispose();
            TryDelete(name); // on a full disk the remains would take the last of the space
            throw;
        }
    }

    private void TryDelete(string name)
    {
        try
        {
            _disk.Delete(name);
        }
        catch (IOException e)
        {
            _log.LogDebug(e, "{File}, not finished, stays", name);
        }
    }
}

namespace Foretier.Agent.Hot;

/// <summary>
/// LiteDB's data file: written only at checkpoints, after the log it copies from is on the device. LiteDB checks nothing it reads, so that
/// one flipped bit would hide samples or make others; here every 480 pages stand behind their <see cref="PageSums"/>:
/// <code>
/// group i at i · 481 · 8192: checksums twice, 4096 B each · 480 pages of 8192 B
/// </code>
/// One flipped bit in a page is put right, here and on the device. Any other damage makes this and all later calls fail, and the store
/// takes what is sound into a new file (<see cref="WindowSalvage"/>).
/// </summary>
internal sealed class DataStream : PageStream
{
    private const long GroupBytes = (1L + PageSums.PagesMax) * PageBytes;

    private readonly IDiskFile _file;
    private readonly LogStream _log;
    private readonly Action<string> _report;
    private readonly List<PageSums?> _groups = [];
    private long _pages;
    private bool _dirty;

    /// <param name="report">Told what was put right.</param>
    public DataStream(IDiskFile file, LogStream log, Action<string> report)
    {
        (_file, _log, _report) = (file, log, report);
        _pages = PagesIn(file.Length);
        for (var group = 0; group * GroupBytes < file.Length; group++)
        {
            _groups.Add(PageSums.Read(file, group * GroupBytes, group));
            if (_groups[group] is { WasCorrected: true })
            {
                report($"a bit of the checksums of group {group}");
            }
        }
    }

    public override long FileBytes => _file.Length;

    /// <inheritdoc cref="IDiskFile.Reserve"/>
    public void Reserve(long bytes)
    {
        ThrowIfFailed();
        _file.Reserve(bytes);
    }
    public override long Length => _pages * PageBytes;

    public override void SetLength(long value) => Guard(() =>
    {
        _pages = value / PageBytes;
        _file.SetLength(value == 0 ? 0 : PlaceOf(_pages - 1) + PageBytes);
    });

    public override int Read(byte[] buffer, int offset, int count)
    {
        ThrowIfFailed();
        if (Position % PageBytes != 0 || count % PageBytes != 0)
        {
            throw new NotSupportedException($"window files are read by pages; got {count} bytes at {Position}");
        }
        var read = 0;
        for (; read < count && Position / PageBytes < _pages; read += PageBytes, Position += PageBytes)
        {
            if (ReadPage(Position / PageBytes, buffer.AsSpan(offset + read, PageBytes)) == PageState.Damaged)
            {
                FailDamaged($"page {Position / PageBytes} of {_pages} has not the bytes that were written");
            }
        }
        return read;
    }

    public override void Write(byte[] buffer, int offset, int count) => Guard(() =>
    {
        if (Position % PageBytes != 0 || count != PageBytes)
        {
            throw new NotSupportedException($"window files are written by pages; got {count} bytes at {Position}");
        }
        if (!_dirty)
        {
            _log.Sync();
            _dirty = true;
        }
        var page = Position / PageBytes;
        var bytes = buffer.AsSpan(offset, count);
        _file.Write(bytes, PlaceOf(page));
        SumsOf(page).Set((int)(page % PageSums.PagesMax), page, bytes);
        _pages = Math.Max(_pages, page + 1);
        Position += count;
    });

    public override void Flush() => Guard(() =>
    {
        for (var group = 0; group < _groups.Count; group++)
        {
            if (_groups[group] is { IsDirty: true } sums)
            {
                _dirty = true;
                sums.Write(_file, group * GroupBytes, group);
            }
        }
        if (_dirty && !_log.IsScratch)
        {
            _file.Sync();
            _dirty = false;
        }
    });

    /// <summary>Stands with the first checksums; on the device with the next <see cref="Flush"/>.</summary>
    public void SetNote(ReadOnlySpan<byte> note)
    {
        if (!SumsOf(0).Note.SequenceEqual(note))
        {
            SumsOf(0).Note = note;
        }
    }

    /// <summary>The window's description as of the last checkpoint; empty where there is none.</summary>
    public ReadOnlySpan<byte> Note => _groups.Count > 0 && _groups[0] is { } sums ? sums.Note : default;

    /// <summary>Reads a page without failing: for looking over the file, and for taking out of a damaged one what is sound.</summary>
    public PageState ReadPage(long page, Span<byte> into)
    {
        var place = PlaceOf(page);
        if (_file.Read(into, place) < PageBytes)
        {
            return PageState.Damaged;
        }
        var state = _groups[(int)(page / PageSums.PagesMax)]?.Check((int)(page % PageSums.PagesMax), page, into) ?? PageState.Damaged;
        if (state == PageState.Damaged && _log.Holds(page))
        {
            return PageState.Sound; // an interrupted checkpoint; it is done again before anything else
        }
        if (state == PageState.Corrected)
        {
            // Safe at any moment: a power cut leaves each sector right, or with the one wrong bit.
            _file.Write(into, place);
            _dirty = true;
            _report($"a bit of page {page}");
        }
        return state;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _file.Dispose();
        }
        base.Dispose(disposing);
    }

    private PageSums SumsOf(long page)
    {
        var group = (int)(page / PageSums.PagesMax);
        while (_groups.Count <= group)
        {
            _groups.Add(null);
        }
        return _groups[group] ??= new();
    }

    private static long PlaceOf(long page) =>
        page / PageSums.PagesMax * GroupBytes + (1 + page % PageSums.PagesMax) * PageBytes;

    private static long PagesIn(long bytes) =>
        bytes / GroupBytes * PageSums.PagesMax + Math.Max(0, bytes % GroupBytes / PageBytes - 1);
}

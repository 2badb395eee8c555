using System.Buffers.Binary;
using Foretier.Core.Segments;

namespace Foretier.Agent.Hot;

/// <summary>
/// LiteDB's log as a file of checked frames. Little endian:
/// <code>
/// two headers of 4096 B, the valid one with the higher epoch counts: "FLL1" · crc32c u32 of the next 8 · epoch i64
/// frame i at 8192 + i·8216: page, 8192 B · crc32c u32 of page, epoch and index · zero u32 · epoch i64 · index i64
/// </code>
/// The log is the unbroken run of frames of the current epoch from index 0 up to the last that ends a transaction. Emptying it means a new
/// epoch in the other header: the file keeps its size, and a torn header leaves the old one. LiteDB calls <see cref="Flush"/> for each page;
/// that does nothing, <see cref="Sync"/> is what makes a commit durable. The file is created with the first page.
/// </summary>
internal sealed class LogStream : PageStream
{
    private const int HeadersBytes = 2 * 4096;
    private const int FrameBytes = PageBytes + 24;
    private const uint Magic = 0x314C4C46;

    /// <summary>Where LiteDB marks the last page of a transaction.</summary>
    private const int ConfirmedAt = 18;

    private readonly Func<IDiskFile> _create;
    private readonly object _signal = new();
    private readonly byte[] _frame = new byte[FrameBytes];
    private readonly HashSet<uint> _recovered = [];
    private IDiskFile? _file;
    private long _epoch, _pages, _confirmed;
    private bool _dirty;

    public LogStream(IDiskFile? existing, Func<IDiskFile> create)
    {
        _create = create;
        _file = existing;
        if (_file is not null)
        {
            Recover(_file);
        }
    }

    /// <summary>
    /// While true nothing is synced: the window's file has no name yet, and a crash discards it whole.
    /// </summary>
    public bool IsScratch { get; set; }

    /// <summary>Runs before the log is emptied: what was copied out of it must be on the device.</summary>
    public Action? BeforeEmptying { get; set; }

    public override long FileBytes => _file?.Length ?? 0;
    public override long Length => _pages * PageBytes;

    /// <summary>Transactions written since opening.</summary>
    public long Confirmed
    {
        get
        {
            lock (_signal)
            {
                return _confirmed;
            }
        }
    }

    /// <summary>Whether the log, as it was found, has this page of the data file: what the data file has of it does not count then.</summary>
    public bool Holds(long page) => _recovered.Contains((uint)page);

    /// <summary>A page of the log; later ones replace earlier ones of the same number, which is in its first four bytes.</summary>
    public bool TryReadPage(long index, Span<byte> into) => index < _pages && _file!.Read(into, FrameAt(index)) == PageBytes;

    public override int Read(byte[] buffer, int offset, int count)
    {
        ThrowIfFailed();
        var page = Position / PageBytes;
        if (page >= _pages)
        {
            return 0;
        }
        var n = _file!.Read(buffer.AsSpan(offset, Math.Min(count, PageBytes - (int)(Position % PageBytes))), FrameAt(page) + Position % PageBytes);
        Position += n;
        return n;
    }

    /// <summary>
    /// Never throws: LiteDB's queue would close the engine from within itself and wait for its own end. The failure sticks, and whoever
    /// commits looks for it.
    /// </summary>
    public override void Write(byte[] buffer, int offset, int count)
    {
        if (Failure is not null)
        {
            return;
        }
        try
        {
            WriteFrame(buffer.AsSpan(offset, count));
        }
        catch (Exception e) when (e is IOException or NotSupportedException or ObjectDisposedException)
        {
            Poison(e);
        }
    }

    public override void Flush()
    {
    }

    /// <summary>As <see cref="IDiskFile.Reserve"/>; the file is created for it where there is none.</summary>
    public void Reserve(long bytes)
    {
        ThrowIfFailed();
        if (_file is null)
        {
            _file = _create();
            NextEpoch(_file);
        }
        _file.Reserve(bytes);
    }

    public void Sync()
    {
        if (_dirty && !IsScratch)
        {
            Guard(() =>
            {
                _file!.Sync();
                _dirty = false;
            });
        }
    }

    /// <summary>Waits until LiteDB's own writing thread has written so many transactions.</summary>
    /// <exception cref="IOException">A write failed, or none came within half a minute.</exception>
    public void WaitConfirmed(long transactions)
    {
        lock (_signal)
        {
            while (_confirmed < transactions && Failure is null)
            {
                if (!Monitor.Wait(_signal, TimeSpan.FromSeconds(30)))
                {
                    throw new IOException("LiteDB did not write a transaction within 30 s");
                }
            }
        }
        ThrowIfFailed();
    }

    public override void SetLength(long value) => Guard(() =>
    {
        if (value != 0)
        {
            throw new NotSupportedException("the log can only be emptied");
        }
        if (_pages > 0)
        {
            BeforeEmptying?.Invoke();
            _recovered.Clear();
            _pages = 0;
            NextEpoch(_file!);
        }
    });

    protected override void Failed()
    {
        lock (_signal)
        {
            Monitor.PulseAll(_signal);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _file?.Dispose();
        }
        base.Dispose(disposing);
    }

    private void WriteFrame(ReadOnlySpan<byte> bytes)
    {
        var page = Position / PageBytes;
        if (bytes.Length != PageBytes || Position % PageBytes != 0 || page != _pages)
        {
            throw new NotSupportedException($"the log takes whole pages in order; got {bytes.Length} bytes at {Position} of {Length}");
        }
        if (_file is null)
        {
            _file = _create();
            NextEpoch(_file);
        }
        bytes.CopyTo(_frame);
        BinaryPrimitives.WriteInt64LittleEndian(_frame.AsSpan(PageBytes + 8), _epoch);
        BinaryPrimitives.WriteInt64LittleEndian(_frame.AsSpan(PageBytes + 16), page);
        BinaryPrimitives.WriteUInt32LittleEndian(_frame.AsSpan(PageBytes), ChecksumOf(_frame));
        _file.Write(_frame, FrameAt(page));
        _dirty = true;
        _pages++;
        Position += PageBytes;
        if (bytes[ConfirmedAt] != 0)
        {
            lock (_signal)
            {
                _confirmed++;
                Monitor.PulseAll(_signal);
            }
        }
    }

    private static long FrameAt(long page) => HeadersBytes + page * FrameBytes;

    private static uint ChecksumOf(ReadOnlySpan<byte> frame) =>
        Crc32C.Compute(frame[(PageBytes + 8)..FrameBytes], Crc32C.Compute(frame[..PageBytes]));

    private void NextEpoch(IDiskFile file)
    {
        _epoch++;
        Span<byte> header = stackalloc byte[16];
        BinaryPrimitives.WriteUInt32LittleEndian(header, Magic);
        BinaryPrimitives.WriteInt64LittleEndian(header[8..], _epoch);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], Crc32C.Compute(header[8..]));
        file.Write(header, _epoch % 2 * 4096);
        _dirty = IsScratch;
        if (!IsScratch)
        {
            file.Sync();
        }
    }

    private void Recover(IDiskFile file)
    {
        Span<byte> header = stackalloc byte[16];
        for (var slot = 0; slot < 2; slot++)
        {
            if (file.Read(header, slot * 4096) == header.Length && BinaryPrimitives.ReadUInt32LittleEndian(header) == Magic
                && BinaryPrimitives.ReadUInt32LittleEndian(header[4..]) == Crc32C.Compute(header[8..]))
            {
                _epoch = Math.Max(_epoch, BinaryPrimitives.ReadInt64LittleEndian(header[8..]));
            }
        }
        _epoch = _epoch == 0 ? LatestEpochOfFrames(file) : _epoch;
        for (long read = 0; TryFrame(file, read) && EpochOf(_frame) == _epoch;)
        {
            read++;
            if (_frame[ConfirmedAt] != 0)
            {
                _pages = read;
            }
        }
        for (long page = 0; page < _pages && file.Read(_frame.AsSpan(0, 4), FrameAt(page)) == 4; page++)
        {
            _recovered.Add(BinaryPrimitives.ReadUInt32LittleEndian(_frame));
        }
        ClearBehind(file);
        if (_epoch == 0)
        {
            NextEpoch(file);
        }
    }

    /// <summary>
    /// An unfinished transaction may have left frames of this epoch, in any order. They must not follow on frames written anew later.
    /// </summary>
    private void ClearBehind(IDiskFile file)
    {
        var trailer = new byte[FrameBytes - PageBytes];
        var cleared = false;
        for (var page = _pages; file.Read(trailer, FrameAt(page) + PageBytes) == trailer.Length; page++)
        {
            if (_epoch > 0 && BinaryPrimitives.ReadInt64LittleEndian(trailer.AsSpan(8)) == _epoch)
            {
                file.Write(new byte[trailer.Length], FrameAt(page) + PageBytes);
                cleared = true;
            }
        }
        if (cleared)
        {
            file.Sync();
        }
    }

    /// <summary>For the case that both headers are damaged: the frames know too.</summary>
    private long LatestEpochOfFrames(IDiskFile file)
    {
        long latest = 0;
        for (long page = 0; FrameAt(page + 1) <= file.Length; page++)
        {
            if (TryFrame(file, page))
            {
                latest = Math.Max(latest, EpochOf(_frame));
            }
        }
        return latest;
    }

    private static long EpochOf(ReadOnlySpan<byte> frame) => BinaryPrimitives.ReadInt64LittleEndian(frame[(PageBytes + 8)..]);

    private bool TryFrame(IDiskFile file, long page) =>
        file.Read(_frame, FrameAt(page)) == FrameBytes
        && BinaryPrimitives.ReadInt64LittleEndian(_frame.AsSpan(PageBytes + 16)) == page
        && BinaryPrimitives.ReadUInt32LittleEndian(_frame.AsSpan(PageBytes)) == ChecksumOf(_frame);
}

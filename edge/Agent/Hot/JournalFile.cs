using System.Buffers.Binary;
using Foretier.Core.Segments;

namespace Foretier.Agent.Hot;

/// <summary>
/// One file of the ring. Little endian:
/// <code>
/// header, 4096 B: "FJL1" · crc32c u32 of the 24 bytes that follow · epoch i64 · first sequence i64 · first position i64 · zeros
/// frame, 8-aligned: "FJF1" · crc32c u32 of all that follows · epoch i64 · sequence i64 · first position i64 · records i32 · bytes i32 · records
/// </code>
/// The epoch grows each time a file is taken into use, so that frames of an earlier use never match. Each record is a varint length and its bytes.
/// </summary>
internal sealed class JournalFile(IDiskFile file, string name) : IDisposable
{
    public const int HeaderBytes = 4096;
    public const int FrameHeaderBytes = 40;
    private const uint FileMagic = 0x314C4A46;
    private const uint FrameMagic = 0x31464A46;

    // A frame being written, or what was read around some place: never both.
    private byte[] _buffer = new byte[64 * 1024];
    private long _viewed;
    private int _viewedBytes;

    public string Name => name;

    /// <summary>Bytes of the file, written out when it was made; it never changes.</summary>
    public long Length { get; } = file.Length;

    public long Epoch { get; private set; }
    public long FirstSequence { get; private set; }
    public long FirstPosition { get; private set; }

    /// <summary>Position of the last record written or read; one before the first while there is none.</summary>
    public long LastPosition { get; private set; }

    /// <summary>True while no record was committed to it in this use.</summary>
    public bool IsEmpty => LastPosition < FirstPosition;

    /// <summary>Where the next frame goes.</summary>
    public long End { get; private set; } = HeaderBytes;

    public bool Fits(JournalBatch batch) => End + Aligned(FrameHeaderBytes + batch.Bytes) <= Length;

    /// <summary>
    /// Reads the header, or, where that is damaged, finds the file's latest use by its frames. False: the file is free, it has none.
    /// </summary>
    public bool TryOpen()
    {
        Span<byte> header = stackalloc byte[32];
        if (file.Read(header, 0) == header.Length && BinaryPrimitives.ReadUInt32LittleEndian(header) == FileMagic
            && BinaryPrimitives.ReadUInt32LittleEndian(header[4..]) == Crc32C.Compute(header[8..]))
        {
            Epoch = BinaryPrimitives.ReadInt64LittleEndian(header[8..]);
            FirstSequence = BinaryPrimitives.ReadInt64LittleEndian(header[16..]);
            FirstPosition = BinaryPrimitives.ReadInt64LittleEndian(header[24..]);
            LastPosition = FirstPosition - 1;
            return true;
        }
        for (var at = NextHead(HeaderBytes); at >= 0; at = NextHead(at + 8))
        {
            if (EpochAt(at) > Epoch && TryFrame(at, EpochAt(at), out var frame))
            {
                (Epoch, FirstSequence, FirstPosition, LastPosition) = (EpochAt(at), frame.Sequence, frame.FirstPosition, frame.FirstPosition - 1);
            }
        }
        return Epoch > 0;
    }

    /// <summary>Takes the file into use. Not synced: the first frame's sync covers the header too.</summary>
    public void Begin(long epoch, long firstSequence, long firstPosition)
    {
        Span<byte> header = stackalloc byte[32];
        BinaryPrimitives.WriteUInt32LittleEndian(header, FileMagic);
        BinaryPrimitives.WriteInt64LittleEndian(header[8..], epoch);
        BinaryPrimitives.WriteInt64LittleEndian(header[16..], firstSequence);
        BinaryPrimitives.WriteInt64LittleEndian(header[24..], firstPosition);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], Crc32C.Compute(header[8..]));
        file.Write(header, 0);
        (Epoch, FirstSequence, FirstPosition, LastPosition, End) = (epoch, firstSequence, firstPosition, firstPosition - 1, HeaderBytes);
    }

    /// <summary>Writes the batch and returns when it is on the device.</summary>
    /// <returns>Bytes of the pages it lies in.</returns>
    public long Commit(JournalBatch batch)
    {
        var length = FrameHeaderBytes + batch.Bytes;
        _viewedBytes = 0;
        if (_buffer.Length < length)
        {
            _buffer = new byte[length];
        }
        var frame = _buffer.AsSpan(0, length);
        BinaryPrimitives.WriteUInt32LittleEndian(frame, FrameMagic);
        BinaryPrimitives.WriteInt64LittleEndian(frame[8..], Epoch);
        BinaryPrimitives.WriteInt64LittleEndian(frame[16..], batch.Sequence);
        BinaryPrimitives.WriteInt64LittleEndian(frame[24..], batch.FirstPosition);
        BinaryPrimitives.WriteInt32LittleEndian(frame[32..], batch.Count);
        BinaryPrimitives.WriteInt32LittleEndian(frame[36..], batch.Bytes);
        batch.Records.CopyTo(frame[FrameHeaderBytes..]);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[4..], Crc32C.Compute(frame[8..]));
        file.Write(frame, End);
        file.Sync();
        const int page = 4096;
        var bytes = ((End + length - 1) / page - End / page + 1) * page;
        End += Aligned(length);
        LastPosition = batch.LastPosition;
        return bytes;
    }

    /// <summary>A frame as it was read back.</summary>
    public readonly record struct Frame(long Sequence, long FirstPosition, int Count, ReadOnlyMemory<byte> Records);

    /// <summary>
    /// The frames with sequences below <paramref name="before"/>, in order. Ends at the first place after which no whole frame follows; frames
    /// damaged in the middle are left out and show as a gap in the sequence. Leaves <see cref="End"/> behind the last frame.
    /// </summary>
    public IEnumerable<Frame> Read(long before)
    {
        var expected = FirstSequence;
        for (var at = NextHead(HeaderBytes); at >= 0; at = NextHead(at))
        {
            if (!TryFrame(at, Epoch, out var frame) || frame.Sequence < expected)
            {
                at += 8;
                continue;
            }
            if (frame.Sequence >= before)
            {
                yield break;
            }
            at += Aligned(FrameHeaderBytes + frame.Records.Length);
            End = at;
            LastPosition = frame.FirstPosition + frame.Count - 1;
            expected = frame.Sequence + 1;
            yield return frame;
        }
    }

    /// <summary>
    /// Clears the head of every frame of this epoch behind the end, torn or whole, so that nothing left there can be taken for a frame later.
    /// </summary>
    public void ClearTail()
    {
        var cleared = false;
        for (var at = NextHead(End); at >= 0; at = NextHead(at + 8))
        {
            if (EpochAt(at) == Epoch)
            {
                file.Write(new byte[8], at);
                cleared = true;
            }
        }
        if (cleared)
        {
            file.Sync();
        }
    }

    public void Dispose() => file.Dispose();

    private bool TryFrame(long at, long epoch, out Frame frame)
    {
        frame = default;
        var length = at + FrameHeaderBytes <= Length ? BinaryPrimitives.ReadInt32LittleEndian(View(at, FrameHeaderBytes).Span[36..]) : 0;
        if (length <= 0 || length > Length - at - FrameHeaderBytes)
        {
            return false;
        }
        var bytes = View(at, FrameHeaderBytes + length);
        var header = bytes.Span;
        if (BinaryPrimitives.ReadUInt32LittleEndian(header) != FrameMagic || BinaryPrimitives.ReadInt64LittleEndian(header[8..]) != epoch
            || BinaryPrimitives.ReadUInt32LittleEndian(header[4..]) != Crc32C.Compute(header[8..]))
        {
            return false;
        }
        frame = new(BinaryPrimitives.ReadInt64LittleEndian(header[16..]), BinaryPrimitives.ReadInt64LittleEndian(header[24..]),
            BinaryPrimitives.ReadInt32LittleEndian(header[32..]), bytes[FrameHeaderBytes..]);
        return true;
    }

    private long EpochAt(long at) => at + 16 <= Length ? BinaryPrimitives.ReadInt64LittleEndian(View(at, 16).Span[8..]) : 0;

    /// <summary>The next 8-aligned place from here on that looks like the head of a frame, of whatever epoch; -1 if there is none.</summary>
    private long NextHead(long from)
    {
        for (var at = from; at + FrameHeaderBytes <= Length;)
        {
            View(at, FrameHeaderBytes);
            var words = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(_buffer.AsSpan((int)(at - _viewed), (int)(_viewedBytes - (at - _viewed))));
            for (var i = 0; i < words.Length; i++)
            {
                if ((uint)words[i] == FrameMagic)
                {
                    return at + i * 8;
                }
            }
            at += Math.Max(8, words.Length * 8);
        }
        return -1;
    }

    /// <summary>Bytes of the file, through a buffer: valid until the next call.</summary>
    private ReadOnlyMemory<byte> View(long at, int length)
    {
        if (at < _viewed || at + length > _viewed + _viewedBytes)
        {
            if (_buffer.Length < length)
            {
                _buffer = new byte[length];
            }
            _viewedBytes = file.Read(_buffer, at);
            _viewed = at;
        }
        return _buffer.AsMemory((int)(at - _viewed), length);
    }

    private static long Aligned(long length) => (length + 7) & ~7L;
}

using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using Foretier.Core.Segments;

namespace Foretier.Agent.Hot;

/// <summary>
/// A window's file once the window is over: LiteDB's pages without their empty space, never changed again. Little endian:
/// <code>
/// head · pages · head once more
/// head: "FWS1" · crc32c u32 of all that follows in the head · head bytes i32 · pages i32 · sealed at i64 · sha-256 of the pages, 32 B ·
///       manifest bytes i32 · manifest (the window's description: flushes, samples, range) · for each page: bytes u16 · crc32c u32 · mix u32
/// page: varint bytes, the bytes, varint zeros, …
/// </code>
/// A flipped bit in a page is put right when it is read; each head stands in for the other.
/// </summary>
internal sealed class SealedPages : PageStream
{
    private const int FixedBytes = 4 + 4 + 4 + 4 + 8 + 32 + 4, EntryBytes = 10;
    private const uint Magic = 0x31535746;

    private readonly IDiskFile _file;
    private readonly Action<string> _report;
    private readonly Head _head;

    /// <param name="report">Told what was put right.</param>
    /// <exception cref="InvalidDataException">Both heads are damaged.</exception>
    public SealedPages(IDiskFile file, Action<string> report)
    {
        (_file, _report) = (file, report);
        _head = HeadOf(file, out var isSound) ?? throw new InvalidDataException("both heads are damaged");
        if (!isSound)
        {
            report("one of the two heads");
            _head.PutBack(file);
        }
    }

    public WindowMeta Meta => _head.Meta;
    public int Pages => _head.Sums.Length;
    public override bool CanWrite => false;
    public override long FileBytes => _file.Length;
    public override long Length => (long)Pages * PageBytes;

    public static bool IsOne(IDiskFile file) => HeadOf(file, out _) is not null;

    /// <summary>Writes and syncs the file, and reads it again.</summary>
    /// <param name="file">New and empty.</param>
    /// <param name="pages">LiteDB's data file.</param>
    /// <param name="meta">What it has.</param>
    /// <param name="sealedAt">µs since 1970.</param>
    /// <exception cref="IOException">It failed, or what was read is not what was written.</exception>
    public static void Write(IDiskFile file, ReadOnlySpan<byte> pages, WindowMeta meta, long sealedAt)
    {
        var count = pages.Length / PageBytes;
        var manifest = meta.Encode();
        var head = new byte[FixedBytes + manifest.Length + count * EntryBytes];
        var body = new ArrayBufferWriter<byte>(pages.Length / 2);
        for (var page = 0; page < count; page++)
        {
            var from = body.WrittenCount;
            Pack(pages.Slice(page * PageBytes, PageBytes), body);
            var entry = head.AsSpan(FixedBytes + manifest.Length + page * EntryBytes);
            var sum = PageSum.Of(page, body.WrittenSpan[from..]);
            BinaryPrimitives.WriteUInt16LittleEndian(entry, (ushort)(body.WrittenCount - from));
            BinaryPrimitives.WriteUInt32LittleEndian(entry[2..], sum.Crc);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[6..], sum.Mix);
        }
        BinaryPrimitives.WriteUInt32LittleEndian(head, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(8), head.Length);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(12), count);
        BinaryPrimitives.WriteInt64LittleEndian(head.AsSpan(16), sealedAt);
        SHA256.HashData(body.WrittenSpan, head.AsSpan(24, 32));
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(56), manifest.Length);
        manifest.CopyTo(head.AsSpan(FixedBytes));
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(4), Crc32C.Compute(head.AsSpan(8)));
        file.Write(head, 0);
        file.Write(body.WrittenSpan, head.Length);
        var tail = new byte[head.Length + 4];
        head.CopyTo(tail, 0);
        BinaryPrimitives.WriteInt32LittleEndian(tail.AsSpan(head.Length), head.Length);
        file.Write(tail, head.Length + body.WrittenCount);
        file.Sync();
        if (HeadOf(file, out var isSound) is not { } written || !isSound || !written.Verify(file))
        {
            throw new IOException("what was sealed reads back differently: the device cannot be trusted");
        }
    }

    /// <summary>Reads all of it: what is damaged, or null.</summary>
    public string? Scrub(Action<int> counted)
    {
        if (_head.Verify(_file, counted))
        {
            return null;
        }
        for (var page = 0; page < Pages; page++)
        {
            var state = _head.ReadPage(_file, page, out var packed);
            if (state == PageState.Damaged)
            {
                return $"page {page} of {Pages} has not the bytes that were written";
            }
            if (state == PageState.Corrected)
            {
                _report($"a bit of page {page}");
                _head.PutBack(_file, page, packed);
            }
        }
        _file.Sync();
        return null;
    }

    /// <summary>Takes all pages; those that are damaged as far as they can be unpacked.</summary>
    public static WindowMeta? Salvage(IDiskFile file, Action<long, byte[], bool> take)
    {
        var head = HeadOf(file, out _)!;
        for (var page = 0; page < head.Sums.Length; page++)
        {
            var state = head.ReadPage(file, page, out var packed);
            // Where the damage hit a length, what follows unpacks to nothing; blocks are found among the packed bytes all the same.
            take(page, state != PageState.Damaged ? Unpack(packed) : [.. packed, .. Unpack(packed)], state != PageState.Damaged);
        }
        return head.Meta;
    }

    public override int Read(byte[] buffer, int offset, int count)
    {
        ThrowIfFailed();
        if (Position % PageBytes != 0 || count % PageBytes != 0)
        {
            throw new NotSupportedException($"window files are read by pages; got {count} bytes at {Position}");
        }
        var read = 0;
        for (; read < count && Position < Length; read += PageBytes, Position += PageBytes)
        {
            var page = (int)(Position / PageBytes);
            var state = _head.ReadPage(_file, page, out var packed);
            var bytes = Unpack(packed);
            if (state == PageState.Damaged)
            {
                FailDamaged($"page {page} of {Pages} has not the bytes that were written");
            }
            if (state == PageState.Corrected)
            {
                _report($"a bit of page {page}");
                _head.PutBack(_file, page, packed);
            }
            bytes.CopyTo(buffer.AsSpan(offset + read));
        }
        return read;
    }

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("a sealed file is never written");
    public override void SetLength(long value) => throw new NotSupportedException("a sealed file is never written");

    public override void Flush()
    {
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _file.Dispose();
        }
        base.Dispose(disposing);
    }

    private static Head? HeadOf(IDiskFile file, out bool isSound)
    {
        var first = Head.Read(file, 0);
        Span<byte> length = stackalloc byte[4];
        Head? last = null;
        if (file.Length > 4 && file.Read(length, file.Length - 4) == 4)
        {
            var bytes = BinaryPrimitives.ReadInt32LittleEndian(length);
            last = bytes > 0 && bytes < file.Length ? Head.Read(file, file.Length - 4 - bytes) : null;
        }
        isSound = first is not null && last is not null;
        return first ?? last;
    }

    /// <summary>Runs of zeros are left out.</summary>
    private static void Pack(ReadOnlySpan<byte> page, IBufferWriter<byte> into)
    {
        for (var at = 0; at < page.Length;)
        {
            int end = at, zeros = 0;
            for (var i = at; i < page.Length; i++)
            {
                zeros = page[i] == 0 ? zeros + 1 : 0;
                end = page[i] == 0 ? end : i + 1;
                if (zeros >= 8)
                {
                    break;
                }
            }
            var next = end;
            while (next < page.Length && page[next] == 0)
            {
                next++;
            }
            RecordWriter.WriteVarint(into, (ulong)(end - at));
            into.Write(page[at..end]);
            RecordWriter.WriteVarint(into, (ulong)(next - end));
            at = next;
        }
    }

    private static byte[] Unpack(ReadOnlySpan<byte> packed)
    {
        var page = new byte[PageBytes];
        var at = 0;
        try
        {
            for (var from = new RecordReader(packed); !from.AtEnd;)
            {
                var bytes = from.Take((int)Math.Min(from.Varint(), int.MaxValue));
                bytes[..Math.Min(bytes.Length, PageBytes - at)].CopyTo(page.AsSpan(at));
                at = (int)Math.Min(PageBytes, at + bytes.Length + (long)Math.Min(from.Varint(), PageBytes));
            }
        }
        catch (FormatException)
        {
            // damaged: as far as it goes
        }
        return page;
    }

    private sealed record Head(WindowMeta Meta, byte[] Bytes, PageSum[] Sums, int[] Lengths)
    {
        private readonly long[] _places = PlacesOf(Bytes.Length, Lengths);

        public static Head? Read(IDiskFile file, long at)
        {
            var start = new byte[FixedBytes];
            if (file.Read(start, at) < FixedBytes || BinaryPrimitives.ReadUInt32LittleEndian(start) != Magic)
            {
                return null;
            }
            int length = BinaryPrimitives.ReadInt32LittleEndian(start.AsSpan(8)), count = BinaryPrimitives.ReadInt32LittleEndian(start.AsSpan(12)),
                manifest = BinaryPrimitives.ReadInt32LittleEndian(start.AsSpan(56));
            if (length < FixedBytes || length > file.Length - at)
            {
                return null;
            }
            var bytes = new byte[length];
            if (file.Read(bytes, at) < length || BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(4)) != Crc32C.Compute(bytes.AsSpan(8))
                || WindowMeta.TryDecode(bytes.AsSpan(FixedBytes, manifest)) is not { } meta)
            {
                return null;
            }
            var sums = new PageSum[count];
            var lengths = new int[count];
            for (var page = 0; page < count; page++)
            {
                var entry = bytes.AsSpan(FixedBytes + manifest + page * EntryBytes);
                lengths[page] = BinaryPrimitives.ReadUInt16LittleEndian(entry);
                sums[page] = new(BinaryPrimitives.ReadUInt32LittleEndian(entry[2..]), BinaryPrimitives.ReadUInt32LittleEndian(entry[6..]));
            }
            return new(meta, bytes, sums, lengths);
        }

        public PageState ReadPage(IDiskFile file, int page, out byte[] packed)
        {
            packed = new byte[Lengths[page]];
            return file.Read(packed, _places[page]) < packed.Length ? PageState.Damaged : Sums[page].Check(page, packed);
        }

        /// <summary>Safe at any moment: a power cut leaves each sector right, or with the one wrong bit.</summary>
        public void PutBack(IDiskFile file, int page, byte[] packed) => file.Write(packed, _places[page]);

        /// <summary>Writes both heads where they belong.</summary>
        public void PutBack(IDiskFile file)
        {
            file.Write(Bytes, 0);
            Span<byte> length = stackalloc byte[4];
            BinaryPrimitives.WriteInt32LittleEndian(length, Bytes.Length);
            file.Write(Bytes, _places[^1]);
            file.Write(length, _places[^1] + Bytes.Length);
            file.Sync();
        }

        /// <summary>Whether all pages are bit for bit as they were sealed.</summary>
        public bool Verify(IDiskFile file, Action<int>? counted = null)
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var buffer = new byte[64 * 1024];
            for (long at = Bytes.Length, end = _places[^1]; at < end;)
            {
                var n = file.Read(buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - at)), at);
                if (n == 0)
                {
                    return false;
                }
                hash.AppendData(buffer, 0, n);
                at += n;
                counted?.Invoke(n);
            }
            return hash.GetHashAndReset().AsSpan().SequenceEqual(Bytes.AsSpan(24, 32));
        }

        private static long[] PlacesOf(long at, int[] lengths)
        {
            var places = new long[lengths.Length + 1];
            places[0] = at;
            for (var page = 0; page < lengths.Length; page++)
            {
                places[page + 1] = places[page] + lengths[page];
            }
            return places;
        }
    }
}

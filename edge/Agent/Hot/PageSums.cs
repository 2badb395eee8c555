using System.Buffers.Binary;
using System.Numerics;
using Foretier.Core.Segments;

namespace Foretier.Agent.Hot;

/// <summary>
/// The checksums of up to 480 pages, kept twice before them. Little endian, 4096 B each:
/// <code>
/// "FDS1" · crc32c u32 of all that follows · sequence i64 · group i32 · note length i32 · note, 232 B · for each page: crc32c u32 · mix u32
/// </code>
/// They are written in turn, so that a torn one leaves the one before, of the time before the checkpoint: what that rewrote is in the log.
/// A page never written has zeros for both. The note is the window's description once more.
/// </summary>
internal sealed class PageSums
{
    public const int PagesMax = 480;
    public const int SlotBytes = 4096;
    public const int NoteBytesMax = EntriesAt - NoteAt;
    private const int NoteAt = 24, EntriesAt = SlotBytes - PagesMax * 8;
    private const uint Magic = 0x31534446;

    private readonly byte[] _block = new byte[SlotBytes];

    public bool IsDirty { get; private set; }

    /// <summary>A bit of the checksums themselves had to be put right.</summary>
    public bool WasCorrected { get; private set; }

    public long Sequence => BinaryPrimitives.ReadInt64LittleEndian(_block.AsSpan(8));

    public ReadOnlySpan<byte> Note
    {
        get => _block.AsSpan(NoteAt, Math.Clamp(BinaryPrimitives.ReadInt32LittleEndian(_block.AsSpan(20)), 0, NoteBytesMax));
        set
        {
            BinaryPrimitives.WriteInt32LittleEndian(_block.AsSpan(20), value.Length);
            _block.AsSpan(NoteAt, NoteBytesMax).Clear();
            value.CopyTo(_block.AsSpan(NoteAt));
            IsDirty = true;
        }
    }

    /// <summary>The later of the two that is whole; null where there is none.</summary>
    public static PageSums? Read(IDiskFile file, long at, int group)
    {
        PageSums? latest = null;
        for (var slot = 0; slot < 2; slot++)
        {
            var sums = new PageSums();
            if (file.Read(sums._block, at + slot * SlotBytes) == SlotBytes && sums.IsWhole(group) && (latest is null || sums.Sequence > latest.Sequence))
            {
                latest = sums;
            }
        }
        return latest;
    }

    public void Set(int page, long number, ReadOnlySpan<byte> bytes)
    {
        var (crc, mix) = PageSum.Of(number, bytes);
        var entry = _block.AsSpan(EntriesAt + page * 8);
        BinaryPrimitives.WriteUInt32LittleEndian(entry, crc);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[4..], mix);
        IsDirty = true;
    }

    public PageState Check(int page, long number, Span<byte> bytes)
    {
        var entry = _block.AsSpan(EntriesAt + page * 8);
        var sum = new PageSum(BinaryPrimitives.ReadUInt32LittleEndian(entry), BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]));
        return sum != default ? sum.Check(number, bytes) : bytes.ContainsAnyExcept((byte)0) ? PageState.Damaged : PageState.Sound;
    }

    /// <summary>Writes them over the older of the two.</summary>
    public void Write(IDiskFile file, long at, int group)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_block, Magic);
        BinaryPrimitives.WriteInt64LittleEndian(_block.AsSpan(8), Sequence + 1);
        BinaryPrimitives.WriteInt32LittleEndian(_block.AsSpan(16), group);
        BinaryPrimitives.WriteUInt32LittleEndian(_block.AsSpan(4), Crc32C.Compute(_block.AsSpan(8)));
        file.Write(_block, at + Sequence % 2 * SlotBytes);
        IsDirty = false;
    }

    private bool IsWhole(int group)
    {
        if (Verify())
        {
            return BinaryPrimitives.ReadInt32LittleEndian(_block.AsSpan(16)) == group;
        }
        var expected = BinaryPrimitives.ReadUInt32LittleEndian(_block.AsSpan(4));
        // Or the magic or the sum itself has the flipped bit.
        if (BinaryPrimitives.ReadUInt32LittleEndian(_block) == Magic
            ? BitRepair.TryCorrect(_block.AsSpan(8), Crc32C.Compute(_block.AsSpan(8)), expected)
                || BitOperations.PopCount(Crc32C.Compute(_block.AsSpan(8)) ^ expected) == 1
            : Crc32C.Compute(_block.AsSpan(8)) == expected && expected != 0)
        {
            WasCorrected = true;
            return BinaryPrimitives.ReadInt32LittleEndian(_block.AsSpan(16)) == group && Sequence > 0;
        }
        return false;
    }

    private bool Verify() => BinaryPrimitives.ReadUInt32LittleEndian(_block) == Magic
        && BinaryPrimitives.ReadUInt32LittleEndian(_block.AsSpan(4)) == Crc32C.Compute(_block.AsSpan(8));
}

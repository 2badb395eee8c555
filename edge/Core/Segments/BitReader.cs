using System.Buffers.Binary;

namespace Foretier.Core.Segments;

/// <summary>Reads what <see cref="BitWriter"/> wrote.</summary>
internal ref struct BitReader(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private int _at;
    private ulong _pending;
    private int _held;

    /// <summary>Bytes taken so far, the last one begun counted whole.</summary>
    public readonly int BytesRead => _at - _held / 8;

    /// <summary>The next <paramref name="count"/> bits, 0 to 64 of them.</summary>
    public ulong Read(int count)
    {
        if (count > 32)
        {
            var low = Take(32);
            return low | (Take(count - 32) << 32);
        }
        return Take(count);
    }

    private ulong Take(int count)
    {
        if (_held < count)
        {
            Fill(count);
        }
        var bits = _pending & ((1ul << count) - 1);
        _pending >>= count;
        _held -= count;
        return bits;
    }

    private void Fill(int count)
    {
        if (_bytes.Length - _at >= 4)
        {
            // At most 31 bits are held here, so four more bytes fit.
            _pending |= (ulong)BinaryPrimitives.ReadUInt32LittleEndian(_bytes[_at..]) << _held;
            _at += 4;
            _held += 32;
            return;
        }
        while (_held < count)
        {
            if (_at == _bytes.Length)
            {
                throw new SegmentFormatException("cut off within a bit stream");
            }
            _pending |= (ulong)_bytes[_at++] << _held;
            _held += 8;
        }
    }
}

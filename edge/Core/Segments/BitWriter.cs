using System.Buffers.Binary;

namespace Foretier.Core.Segments;

/// <summary>Bits from the lowest up, appended to a <see cref="ByteWriter"/>; <see cref="Flush"/> fills the last byte with zeros.</summary>
internal ref struct BitWriter(ByteWriter to)
{
    private readonly ByteWriter _to = to;
    private ulong _pending;
    private int _used;

    /// <summary>The low <paramref name="count"/> bits, 0 to 64 of them.</summary>
    public void Write(ulong bits, int count)
    {
        if (count == 0)
        {
            return;
        }
        bits &= ulong.MaxValue >> (64 - count);
        _pending |= bits << _used;
        _used += count;
        if (_used >= 64)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(_to.Reserve(8), _pending);
            _used -= 64;
            _pending = _used == 0 ? 0 : bits >> (count - _used);
        }
    }

    public void Flush()
    {
        for (; _used > 0; _used -= 8, _pending >>= 8)
        {
            _to.Byte((byte)_pending);
        }
        _used = 0;
    }
}

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Foretier.Core.Segments;

namespace Foretier.Predict.Models;

/// <summary>Puts frames (<see cref="ChildFrame"/>) together in one buffer that is kept, since they are large and come by the hundred. Not thread-safe.</summary>
internal sealed class FrameWriter(Stream to)
{
    private byte[] _buffer = new byte[1024];
    private int _length;

    public FrameWriter Begin(ChildMessage message)
    {
        _length = 0;
        ChildFrame.Magic.CopyTo(Take(ChildFrame.Magic.Length));
        Take(1)[0] = (byte)message;
        Take(4).Clear();
        return this;
    }

    public FrameWriter Add(byte value)
    {
        Take(1)[0] = value;
        return this;
    }

    public FrameWriter Add(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(Take(8), value);
        return this;
    }

    public FrameWriter Add(string text)
    {
        Encoding.UTF8.GetBytes(text, Take(Encoding.UTF8.GetByteCount(text)));
        return this;
    }

    /// <summary>Adds some rows of a tensor, as a tensor of so many.</summary>
    public FrameWriter Add(Tensor tensor, int from, int count)
    {
        Add((byte)tensor.Shape.Length);
        for (var i = 0; i < tensor.Shape.Length; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(Take(4), i == 0 ? count : tensor.Shape[i]);
        }
        var values = MemoryMarshal.AsBytes(tensor.Values.AsSpan(from * tensor.RowLength, count * tensor.RowLength));
        values.CopyTo(Take(values.Length));
        return this;
    }

    public async Task SendAsync(CancellationToken cancel)
    {
        BinaryPrimitives.WriteInt32LittleEndian(_buffer.AsSpan(ChildFrame.HeaderBytes - 4), _length - ChildFrame.HeaderBytes);
        var checksum = Crc32C.Compute(_buffer.AsSpan(ChildFrame.Magic.Length, _length - ChildFrame.Magic.Length));
        BinaryPrimitives.WriteUInt32LittleEndian(Take(ChildFrame.ChecksumBytes), checksum);
        await to.WriteAsync(_buffer.AsMemory(0, _length), cancel).ConfigureAwait(false);
        await to.FlushAsync(cancel).ConfigureAwait(false);
    }

    private Span<byte> Take(int bytes)
    {
        if (_buffer.Length < _length + bytes)
        {
            Array.Resize(ref _buffer, Math.Max(_length + bytes, 2 * _buffer.Length));
        }
        _length += bytes;
        return _buffer.AsSpan(_length - bytes, bytes);
    }
}

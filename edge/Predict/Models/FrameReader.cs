using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Foretier.Core.Segments;

namespace Foretier.Predict.Models;

/// <summary>Reads frames (<see cref="ChildFrame"/>) into one buffer that is kept: what it gives is valid until the next read. Not thread-safe.</summary>
internal sealed class FrameReader(Stream from)
{
    private byte[] _buffer = new byte[1024];

    /// <summary>Reads one frame.</summary>
    /// <returns>Null where the stream ends before its first byte.</returns>
    /// <exception cref="EndOfStreamException">It ends within the frame.</exception>
    /// <exception cref="InvalidDataException">Not a frame, or a damaged one.</exception>
    public async Task<(ChildMessage Message, ReadOnlyMemory<byte> Content)?> ReadAsync(CancellationToken cancel)
    {
        var first = await from.ReadAsync(_buffer.AsMemory(0, ChildFrame.HeaderBytes), cancel).ConfigureAwait(false);
        if (first == 0)
        {
            return null;
        }
        // What is no frame may also end before it had the length of one: it is judged by what there is.
        if (!ChildFrame.Magic.StartsWith(_buffer.AsSpan(0, Math.Min(first, ChildFrame.Magic.Length))))
        {
            throw new InvalidDataException("it does not begin as a frame");
        }
        await from.ReadExactlyAsync(_buffer.AsMemory(first, ChildFrame.HeaderBytes - first), cancel).ConfigureAwait(false);
        var length = BinaryPrimitives.ReadInt32LittleEndian(_buffer.AsSpan(ChildFrame.HeaderBytes - 4));
        if (!_buffer.AsSpan().StartsWith(ChildFrame.Magic) || length is < 0 or > ChildFrame.ContentBytesMax)
        {
            throw new InvalidDataException("it does not begin as a frame");
        }
        var end = ChildFrame.HeaderBytes + length;
        if (_buffer.Length < end + ChildFrame.ChecksumBytes)
        {
            Array.Resize(ref _buffer, end + ChildFrame.ChecksumBytes);
        }
        await from.ReadExactlyAsync(_buffer.AsMemory(ChildFrame.HeaderBytes, length + ChildFrame.ChecksumBytes), cancel).ConfigureAwait(false);
        if (Crc32C.Compute(_buffer.AsSpan(ChildFrame.Magic.Length..end)) != BinaryPrimitives.ReadUInt32LittleEndian(_buffer.AsSpan(end)))
        {
            throw new InvalidDataException("the checksum of a frame does not match");
        }
        return ((ChildMessage)_buffer[ChildFrame.Magic.Length], _buffer.AsMemory(ChildFrame.HeaderBytes, length));
    }

    /// <summary>Tensors out of a frame.</summary>
    /// <param name="before">What was read before: where dimensions are the same, its arrays are written over and given again.</param>
    /// <exception cref="InvalidDataException">Not tensors to the last byte.</exception>
    public static List<Tensor> Tensors(ReadOnlySpan<byte> content, IReadOnlyList<Tensor> before)
    {
        var tensors = new List<Tensor>();
        while (content.Length > 0)
        {
            var dimensions = content[0];
            if (dimensions is 0 or > ChildFrame.DimensionsMax || content.Length < 1 + 4 * dimensions)
            {
                throw new InvalidDataException("a tensor without its dimensions");
            }
            var shape = MemoryMarshal.Cast<byte, int>(content.Slice(1, 4 * dimensions));
            content = content[(1 + 4 * dimensions)..];
            var length = 1L;
            foreach (var n in shape)
            {
                length = n >= 0 && length * n <= ChildFrame.ContentBytesMax ? length * n : throw new InvalidDataException("a tensor of impossible dimensions");
            }
            if (length > content.Length / 4)
            {
                throw new InvalidDataException("a tensor with more dimensions than numbers");
            }
            var same = tensors.Count < before.Count && before[tensors.Count] is var old && shape.SequenceEqual(old.Shape) ? old : new(new float[length], shape.ToArray());
            MemoryMarshal.Cast<byte, float>(content[..(4 * (int)length)]).CopyTo(same.Values);
            tensors.Add(same);
            content = content[(4 * (int)length)..];
        }
        return tensors;
    }
}

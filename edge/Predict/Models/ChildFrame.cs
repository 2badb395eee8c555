using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Foretier.Core.Segments;

namespace Foretier.Predict.Models;

/// <summary>What a frame between a host and its inference child says.</summary>
internal enum ChildMessage : byte
{
    /// <summary>Host: load the model in this folder. Content: its path, UTF-8.</summary>
    Open = 1,

    /// <summary>Child: loaded. Content: digest of the model, hexadecimal.</summary>
    Ready = 2,

    /// <summary>Host: answer this batch. Content: tensors.</summary>
    Ask = 3,

    /// <summary>Child: the answer. Content: peak of resident memory (bytes, i64), processor time (ticks of 100 ns, i64), one tensor.</summary>
    Answer = 4,

    /// <summary>Child: there is none. Content: <see cref="InferenceFailure"/> u8, why, UTF-8.</summary>
    Failed = 5,
}

/// <summary>
/// Frames over the pipes of a child process: magic "FTIN" · message u8 · length i32 · content · CRC-32C of message, length and content u32.
/// Little endian. A tensor: dimensions u8 · each i32 · floats.
/// </summary>
internal static class ChildFrame
{
    /// <summary>Far above a batch of 100 rows of any contract (0.6 MB): what claims more is garbage.</summary>
    public const int ContentBytesMax = 16 << 20;

    private const int HeaderBytes = 4 + 1 + 4;
    private const int DimensionsMax = 8;

    private static ReadOnlySpan<byte> Magic => "FTIN"u8;

    public static async Task WriteAsync(Stream to, ChildMessage message, ReadOnlyMemory<byte> content, CancellationToken cancel)
    {
        var frame = new byte[HeaderBytes + content.Length + 4];
        Magic.CopyTo(frame);
        frame[4] = (byte)message;
        BinaryPrimitives.WriteInt32LittleEndian(frame.AsSpan(5), content.Length);
        content.Span.CopyTo(frame.AsSpan(HeaderBytes));
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(HeaderBytes + content.Length), Crc32C.Compute(frame.AsSpan(4, HeaderBytes - 4 + content.Length)));
        await to.WriteAsync(frame, cancel).ConfigureAwait(false);
        await to.FlushAsync(cancel).ConfigureAwait(false);
    }

    /// <summary>Reads one frame.</summary>
    /// <returns>Null where the stream ends before its first byte.</returns>
    /// <exception cref="EndOfStreamException">It ends within the frame.</exception>
    /// <exception cref="InvalidDataException">Not a frame, or a damaged one.</exception>
    public static async Task<(ChildMessage Message, ReadOnlyMemory<byte> Content)?> ReadAsync(Stream from, CancellationToken cancel)
    {
        var header = new byte[HeaderBytes];
        var first = await from.ReadAsync(header, cancel).ConfigureAwait(false);
        if (first == 0)
        {
            return null;
        }
        // What is no frame may also end before it had the length of one: it is judged by what there is.
        if (!Magic.StartsWith(header.AsSpan(0, Math.Min(first, Magic.Length))))
        {
            throw new InvalidDataException("it does not begin as a frame");
        }
        await from.ReadExactlyAsync(header.AsMemory(first), cancel).ConfigureAwait(false);
        var length = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(5));
        if (!header.AsSpan(0, 4).SequenceEqual(Magic) || length is < 0 or > ContentBytesMax)
        {
            throw new InvalidDataException("it does not begin as a frame");
        }
        var rest = new byte[length + 4];
        await from.ReadExactlyAsync(rest, cancel).ConfigureAwait(false);
        var content = rest.AsMemory(0, length);
        if (Crc32C.Compute(content.Span, Crc32C.Compute(header.AsSpan(4))) != BinaryPrimitives.ReadUInt32LittleEndian(rest.AsSpan(length)))
        {
            throw new InvalidDataException("the checksum of a frame does not match");
        }
        return ((ChildMessage)header[4], content);
    }

    public static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    public static string Text(ReadOnlySpan<byte> content) => Encoding.UTF8.GetString(content);

    public static byte[] Tensors(IReadOnlyList<Tensor> tensors, ReadOnlySpan<byte> before = default)
    {
        var content = new byte[before.Length + tensors.Sum(tensor => 1 + 4 * tensor.Shape.Length + 4 * tensor.Values.Length)];
        before.CopyTo(content);
        var rest = content.AsSpan(before.Length);
        foreach (var tensor in tensors)
        {
            rest[0] = (byte)tensor.Shape.Length;
            rest = rest[1..];
            MemoryMarshal.AsBytes(tensor.Shape.AsSpan()).CopyTo(rest);
            rest = rest[(4 * tensor.Shape.Length)..];
            MemoryMarshal.AsBytes(tensor.Values.AsSpan()).CopyTo(rest);
            rest = rest[(4 * tensor.Values.Length)..];
        }
        return content;
    }

    /// <exception cref="InvalidDataException">Not tensors to the last byte.</exception>
    public static List<Tensor> Tensors(ReadOnlySpan<byte> content)
    {
        var tensors = new List<Tensor>();
        while (content.Length > 0)
        {
            var dimensions = content[0];
            if (dimensions is 0 or > DimensionsMax || content.Length < 1 + 4 * dimensions)
            {
                throw new InvalidDataException("a tensor without its dimensions");
            }
            var shape = MemoryMarshal.Cast<byte, int>(content.Slice(1, 4 * dimensions)).ToArray();
            content = content[(1 + 4 * dimensions)..];
            var length = 1L;
            foreach (var n in shape)
            {
                length = n >= 0 && length * n <= ContentBytesMax ? length * n : throw new InvalidDataException("a tensor of impossible dimensions");
            }
            if (length > content.Length / 4)
            {
                throw new InvalidDataException("a tensor with more dimensions than numbers");
            }
            tensors.Add(new(MemoryMarshal.Cast<byte, float>(content[..(4 * (int)length)]).ToArray(), shape));
            content = content[(4 * (int)length)..];
        }
        return tensors;
    }
}

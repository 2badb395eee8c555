using System.Diagnostics.CodeAnalysis;
using System.IO.Compression;
using System.Text;

namespace Foretier.Predict.Volume;

/// <summary>
/// Packs what is needed of a series once an hour, so that it takes little memory in between. The bytes of its numbers are put by their rank first:
/// signs and exponents of neighbours are much alike, and the last digits of rounded numbers are nothing. Not thread-safe: buffers are kept.
/// </summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "They are buffers in memory.")]
internal sealed class StatePacker
{
    /// <summary>Of a float, what most of the state consists of; halves fall into place as well.</summary>
    private const int Ranks = 4;

    /// <summary>The fastest that still codes by frequency: 20 µs a series.</summary>
    private const int Quality = 1, WindowBits = 16;

    private const int PlainBytesMax = 1 << 20;

    private readonly MemoryStream _plain = new();
    private readonly BinaryWriter _writer;
    private readonly BinaryReader _reader;
    private byte[] _ranked = new byte[4096];
    private byte[] _packed = [];

    public StatePacker()
    {
        _writer = new(_plain, Encoding.UTF8);
        _reader = new(_plain, Encoding.UTF8);
    }

    public byte[] Pack(Action<BinaryWriter> save)
    {
        _plain.SetLength(0);
        save(_writer);
        _writer.Flush();
        var plain = Plain();
        Room(plain.Length);
        for (int rank = 0, to = 0; rank < Ranks; rank++)
        {
            for (var from = rank; from < plain.Length; from += Ranks)
            {
                _ranked[to++] = plain[from];
            }
        }
        var most = BrotliEncoder.GetMaxCompressedLength(plain.Length);
        _packed = _packed.Length < most ? new byte[most] : _packed;
        return BrotliEncoder.TryCompress(_ranked.AsSpan(0, plain.Length), _packed, out var length, Quality, WindowBits)
            ? _packed.AsSpan(0, length).ToArray() : throw new InvalidOperationException("the buffer is too small for its own bound");
    }

    /// <summary>Reads back what was saved.</summary>
    /// <exception cref="InvalidDataException">The bytes are none that were packed.</exception>
    /// <exception cref="EndOfStreamException">What was packed is shorter than what is read of it.</exception>
    public T Unpack<T>(ReadOnlySpan<byte> packed, Func<BinaryReader, T> load)
    {
        int length;
        while (!BrotliDecoder.TryDecompress(packed, _ranked, out length))
        {
            if (_ranked.Length >= PlainBytesMax)
            {
                throw new InvalidDataException("what was kept of a series cannot be unpacked");
            }
            Room(2 * _ranked.Length);
        }
        _plain.SetLength(length);
        var plain = Plain();
        for (int rank = 0, from = 0; rank < Ranks; rank++)
        {
            for (var to = rank; to < length; to += Ranks)
            {
                plain[to] = _ranked[from++];
            }
        }
        _plain.Position = 0;
        return load(_reader);
    }

    private Span<byte> Plain() => _plain.GetBuffer().AsSpan(0, (int)_plain.Length);

    private void Room(int bytes) => _ranked = _ranked.Length < bytes ? new byte[bytes] : _ranked;
}

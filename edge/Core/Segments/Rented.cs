using System.Buffers;

namespace Foretier.Core.Segments;

/// <summary>Scratch for one column, given back at the end of the block: nothing is allocated per sample.</summary>
internal readonly ref struct Rented<T>(int length)
    where T : unmanaged
{
    private readonly T[] _array = ArrayPool<T>.Shared.Rent(length);
    private readonly int _length = length;

    /// <summary>Not cleared.</summary>
    public Span<T> Span => _array.AsSpan(0, _length);

    public void Dispose() => ArrayPool<T>.Shared.Return(_array);
}

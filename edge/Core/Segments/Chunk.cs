using Foretier.Core.Samples;

namespace Foretier.Core.Segments;

/// <summary>The columns of up to <see cref="SamplesMax"/> samples: what is decoded at once, and can be skipped at once.</summary>
internal static class Chunk
{
    /// <summary>Keeps a decoded chunk (16 bytes a sample) in the second-level cache, and bounds what a damaged header can ask for.</summary>
    public const int SamplesMax = 4096;

    private const int OnlyNumbers = 0;
    private const int OnlyStates = 1;
    private const int Mixed = 2;

    public static void Write(ByteWriter to, ReadOnlySpan<long> times, ReadOnlySpan<double> values, ReadOnlySpan<string?> states, TimeUnit unit)
    {
        var stateCount = 0;
        foreach (var state in states)
        {
            stateCount += state is null ? 0 : 1;
        }
        to.Byte(stateCount == 0 ? OnlyNumbers : stateCount == times.Length ? OnlyStates : Mixed);
        TimeColumn.Write(to, times, unit);
        if (stateCount == 0)
        {
            ValueColumn.Write(to, values);
            return;
        }
        StateColumn.Write(to, states, stateCount == times.Length);
        var numbers = new double[times.Length - stateCount];
        for (int i = 0, next = 0; i < values.Length; i++)
        {
            if (states[i] is null)
            {
                numbers[next++] = values[i];
            }
        }
        ValueColumn.Write(to, numbers);
    }

    /// <summary>Appends the samples of a chunk, and checks that its bytes hold nothing else.</summary>
    public static void Read(ReadOnlySpan<byte> bytes, in ChunkHeader header, long unit, SampleColumns into)
    {
        var from = new ByteReader(bytes);
        var kind = from.Byte();
        var start = into.Count;
        into.Append(header.Count, out var times, out var values);
        TimeColumn.Read(ref from, times, unit, header.FirstTime, header.LastTime);
        switch (kind)
        {
            case OnlyNumbers:
                ValueColumn.Read(ref from, values);
                from.ExpectEnd("chunk");
                break;
            case OnlyStates or Mixed:
                var states = StateColumn.Read(ref from, header.Count, kind == OnlyStates);
                ReadMixed(ref from, values, states);
                for (var i = 0; i < states.Length; i++)
                {
                    if (states[i] is { } state)
                    {
                        into.SetState(start + i, state);
                    }
                }
                break;
            default:
                throw new SegmentFormatException($"unknown kind of chunk {kind}");
        }
    }

    private static void ReadMixed(ref ByteReader from, Span<double> values, string?[] states)
    {
        var numbers = states.Length - states.Count(s => s is not null);
        ValueColumn.Read(ref from, values[..numbers]);
        from.ExpectEnd("chunk");
        // From the back, so that no number is overwritten before it has moved to its place.
        for (var i = values.Length - 1; i >= 0; i--)
        {
            values[i] = states[i] is null ? values[--numbers] : 0;
        }
    }
}

using Foretier.Core.Rollups;
using Foretier.Core.Segments.Values;

namespace Foretier.Core.Segments;

/// <summary>What is known of a chunk without decoding it.</summary>
/// <param name="LastTime">Inclusive.</param>
/// <param name="Offset">Where its bytes begin within the segment.</param>
/// <param name="Statistics">Its rollup; null where it was cheaper left out (see <see cref="Segment.StatisticsFrom"/>).</param>
internal readonly record struct ChunkHeader(int Count, long FirstTime, long LastTime, int Offset, int Length, Rollup? Statistics)
{
    public static void WriteStatistics(ByteWriter to, in Rollup rollup)
    {
        to.VarUInt((ulong)(rollup.Count - rollup.Numbers));
        if (rollup.Numbers > 0)
        {
            Scalar.Write(to, rollup.Min);
            Scalar.Write(to, rollup.Max);
            Scalar.Write(to, rollup.SumHigh);
            Scalar.Write(to, rollup.SumLow);
        }
        if (rollup.Numbers < rollup.Count)
        {
            to.Byte((rollup.FirstState is null ? 0 : 1) | (rollup.LastState is null ? 0 : 2));
        }
        WriteEnd(to, rollup.First, rollup.FirstState);
        WriteEnd(to, rollup.Last, rollup.LastState);
    }

    public static Rollup ReadStatistics(ref ByteReader from, int count, long firstTime, long lastTime)
    {
        var states = from.Count(count, "states");
        var rollup = new Rollup { Count = count, Numbers = count - states, FirstTime = firstTime, LastTime = lastTime };
        if (rollup.Numbers > 0)
        {
            (rollup.Min, rollup.Max) = (Scalar.Read(ref from), Scalar.Read(ref from));
            rollup.RestoreSum(Scalar.Read(ref from), Scalar.Read(ref from));
        }
        var ends = states > 0 ? from.Byte() : 0;
        (rollup.First, rollup.FirstState) = ReadEnd(ref from, (ends & 1) != 0);
        (rollup.Last, rollup.LastState) = ReadEnd(ref from, (ends & 2) != 0);
        return ends <= 3 ? rollup : throw new SegmentFormatException($"unknown kind of chunk ends {ends}");
    }

    private static void WriteEnd(ByteWriter to, double value, string? state)
    {
        if (state is null)
        {
            Scalar.Write(to, value);
        }
        else
        {
            StateText.Write(to, state);
        }
    }

    private static (double Value, string? State) ReadEnd(ref ByteReader from, bool isState) =>
        isState ? (0, StateText.Read(ref from)) : (Scalar.Read(ref from), null);
}

using System.Text;
using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Protocol.Fetching;

/// <summary>
/// The bytes of a <see cref="FetchResult"/> between nodes. Little endian; ends in a marker, so that a connection that broke is never taken for a short answer.
/// </summary>
/// <remarks>
/// "FFR5" (or FFR4: nothing is erased) · gone (i32 count, i32 each) · uses (i32 count; tier u8, node, from i64, to i64, resolution, ms f64) ·
/// slices (i32 count; part i32, series, in FFR5 erased (i32 count; from i64, to i64), shape u8, content) · "DONE". Shape 0: i32 count, times i64, values f64, states u8 (1: count strings, "" for none prefixed by u8).
/// Shape 1: parts u8, i32 rows, each start i64, kind u8, the rollup's fields and those of its parts. Kind 1, a single number: its time i64 and value f64 are
/// all; kind 0: all fields.
/// </remarks>
public static class FetchCodec
{
    public const string ContentType = "application/x-foretier-fetch";

    /// <summary>Start, and time and value of the one sample.</summary>
    private const int RowBytesMin = 8 + 1 + 16;

    private const int Begin = 0x34524646;
    private const int BeginErased = 0x35524646;
    private const int Done = 0x454E4F44;

    public static void Write(Stream to, FetchResult result)
    {
        using var writer = new BinaryWriter(to, Encoding.UTF8, leaveOpen: true);
        var isErased = result.Slices.Any(slice => slice.Erased.Count > 0);
        writer.Write(isErased ? BeginErased : Begin);
        writer.Write(result.Gone.Count);
        foreach (var part in result.Gone)
        {
            writer.Write(part);
        }
        writer.Write(result.Uses.Count);
        foreach (var use in result.Uses)
        {
            writer.Write((byte)use.Tier);
            writer.Write(use.Node);
            writer.Write(use.Range.From);
            writer.Write(use.Range.To);
            writer.Write(use.Resolution);
            writer.Write(use.Milliseconds);
        }
        writer.Write(result.Slices.Count);
        foreach (var slice in result.Slices)
        {
            writer.Write(slice.Part);
            writer.Write(slice.Series);
            if (isErased)
            {
                writer.Write(slice.Erased.Count);
                foreach (var range in slice.Erased)
                {
                    writer.Write(range.From);
                    writer.Write(range.To);
                }
            }
            writer.Write(slice.Samples is null);
            if (slice.Samples is not null)
            {
                WriteSamples(writer, slice.Samples);
            }
            else
            {
                WriteRows(writer, slice.Rows!);
            }
        }
        writer.Write(Done);
    }

    /// <exception cref="EndOfStreamException">The bytes are cut off.</exception>
    /// <exception cref="FormatException">The bytes are not a fetch result.</exception>
    public static FetchResult Read(Stream from)
    {
        using var reader = new BinaryReader(from, Encoding.UTF8, leaveOpen: true);
        var begin = reader.ReadInt32();
        if (begin is not (Begin or BeginErased))
        {
            throw new FormatException("not a fetch result of format FFR4 or FFR5");
        }
        var gone = new int[Count(reader, 4, from)];
        for (var i = 0; i < gone.Length; i++)
        {
            gone[i] = reader.ReadInt32();
        }
        var uses = new List<TierUse>();
        for (var n = reader.ReadInt32(); n > 0; n--)
        {
            uses.Add(new((Tier)reader.ReadByte(), reader.ReadString(), new(reader.ReadInt64(), reader.ReadInt64()), reader.ReadString(), reader.ReadDouble()));
        }
        var slices = new List<Slice>();
        for (var n = reader.ReadInt32(); n > 0; n--)
        {
            var part = reader.ReadInt32();
            var series = reader.ReadString();
            var erased = new TimeRange[begin == BeginErased ? Count(reader, 16, from) : 0];
            for (var i = 0; i < erased.Length; i++)
            {
                erased[i] = new(reader.ReadInt64(), reader.ReadInt64());
            }
            slices.Add(reader.ReadBoolean()
                ? new(part, series, null, ReadRows(reader, from)) { Erased = erased }
                : new(part, series, ReadSamples(reader, from), null) { Erased = erased });
        }
        Expect(reader, Done);
        return new(slices, gone, uses);
    }

    private static void WriteSamples(BinaryWriter writer, SampleColumns samples)
    {
        writer.Write(samples.Count);
        foreach (var time in samples.Times)
        {
            writer.Write(time);
        }
        foreach (var value in samples.Values)
        {
            writer.Write(value);
        }
        writer.Write(!samples.States.IsEmpty);
        foreach (var state in samples.States)
        {
            WriteState(writer, state);
        }
    }

    private static SampleColumns ReadSamples(BinaryReader reader, Stream from)
    {
        var count = Count(reader, 16, from);
        var samples = new SampleColumns(count);
        samples.Append(count, out var times, out var values);
        for (var i = 0; i < count; i++)
        {
            times[i] = reader.ReadInt64();
        }
        for (var i = 0; i < count; i++)
        {
            values[i] = reader.ReadDouble();
        }
        if (reader.ReadBoolean())
        {
            for (var i = 0; i < count; i++)
            {
                if (ReadState(reader) is { } state)
                {
                    samples.SetState(i, state);
                }
            }
        }
        return samples;
    }

    private static void WriteRows(BinaryWriter writer, BucketRows rows)
    {
        writer.Write((byte)rows.Parts);
        writer.Write(rows.Count);
        foreach (ref readonly var row in rows.Rows)
        {
            writer.Write(row.Start);
            writer.Write(IsSingle(row.Rollup));
            if (IsSingle(row.Rollup))
            {
                writer.Write(row.Rollup.FirstTime);
                writer.Write(row.Rollup.First);
                if (row.Rollup.Detail is { } parts)
                {
                    WriteDetail(writer, parts);
                }
                continue;
            }
            writer.Write(row.Rollup.Count);
            writer.Write(row.Rollup.Numbers);
            writer.Write(row.Rollup.Min);
            writer.Write(row.Rollup.Max);
            writer.Write(row.Rollup.SumHigh);
            writer.Write(row.Rollup.SumLow);
            writer.Write(row.Rollup.FirstTime);
            writer.Write(row.Rollup.First);
            writer.Write(row.Rollup.LastTime);
            writer.Write(row.Rollup.Last);
            WriteState(writer, row.Rollup.FirstState);
            WriteState(writer, row.Rollup.LastState);
            if (row.Rollup.Detail is { } detail)
            {
                WriteDetail(writer, detail);
            }
        }
    }

    private static BucketRows ReadRows(BinaryReader reader, Stream from)
    {
        var parts = (RollupParts)reader.ReadByte();
        if ((parts & ~RollupParts.All) != 0)
        {
            throw new FormatException($"unknown parts {(int)parts} of rollups");
        }
        var count = Count(reader, RowBytesMin, from);
        var rows = new BucketRows(parts, count);
        for (var i = 0; i < count; i++)
        {
            var start = reader.ReadInt64();
            var rollup = reader.ReadBoolean() ? Single(reader.ReadInt64(), reader.ReadDouble()) : ReadRollup(reader);
            rollup.Detail = parts == RollupParts.None ? null : ReadDetail(reader, parts);
            rows.Merge(start, rollup);
        }
        return rows;
    }

    private static Rollup ReadRollup(BinaryReader reader)
    {
        var rollup = new Rollup
        {
            Count = reader.ReadInt64(),
            Numbers = reader.ReadInt64(),
            Min = reader.ReadDouble(),
            Max = reader.ReadDouble(),
        };
        rollup.RestoreSum(reader.ReadDouble(), reader.ReadDouble());
        (rollup.FirstTime, rollup.First) = (reader.ReadInt64(), reader.ReadDouble());
        (rollup.LastTime, rollup.Last) = (reader.ReadInt64(), reader.ReadDouble());
        (rollup.FirstState, rollup.LastState) = (ReadState(reader), ReadState(reader));
        return rollup;
    }

    /// <summary>One number makes all fields what they are: the usual case where steps are as short as the time between samples.</summary>
    private static bool IsSingle(in Rollup rollup) => rollup is { Count: 1, Numbers: 1 } && rollup.FirstTime == rollup.LastTime
        && Same(rollup.Min, rollup.First) && Same(rollup.Max, rollup.First) && Same(rollup.SumHigh, rollup.First) && Same(rollup.Last, rollup.First) && Same(rollup.SumLow, 0);

    private static Rollup Single(long time, double value)
    {
        var rollup = new Rollup { Count = 1, Numbers = 1, Min = value, Max = value, FirstTime = time, LastTime = time, First = value, Last = value };
        rollup.RestoreSum(value, 0);
        return rollup;
    }

    private static bool Same(double a, double b) => BitConverter.DoubleToInt64Bits(a) == BitConverter.DoubleToInt64Bits(b);

    private static void WriteDetail(BinaryWriter writer, RollupDetail detail)
    {
        if ((detail.Parts & RollupParts.Spread) != 0)
        {
            writer.Write(detail.M2);
        }
        if ((detail.Parts & RollupParts.Increase) != 0)
        {
            writer.Write(detail.HasNumber);
            writer.Write(detail.Resets);
            writer.Write(detail.FirstNumber);
            writer.Write(detail.LastNumber);
        }
        if ((detail.Parts & RollupParts.Durations) != 0)
        {
            writer.Write(detail.Durations.Count);
            foreach (var (state, micros) in detail.Durations)
            {
                writer.Write(state);
                writer.Write(micros);
            }
        }
        if ((detail.Parts & RollupParts.Sketch) != 0)
        {
            writer.Write(detail.Sketch.Length);
            for (var i = 0; i < detail.Sketch.Length; i++)
            {
                writer.Write(detail.Sketch.Keys[i]);
                writer.Write(detail.Sketch.Counts[i]);
            }
        }
    }

    private static RollupDetail ReadDetail(BinaryReader reader, RollupParts parts)
    {
        var m2 = (parts & RollupParts.Spread) != 0 ? reader.ReadDouble() : 0;
        var (resets, numbers) = (0.0, ((double, double)?)null);
        if ((parts & RollupParts.Increase) != 0)
        {
            var hasNumber = reader.ReadBoolean();
            resets = reader.ReadDouble();
            var (first, last) = (reader.ReadDouble(), reader.ReadDouble());
            numbers = hasNumber ? (first, last) : null;
        }
        var durations = new List<KeyValuePair<string, long>>();
        for (var n = (parts & RollupParts.Durations) != 0 ? reader.ReadInt32() : 0; n > 0; n--)
        {
            durations.Add(new(reader.ReadString(), reader.ReadInt64()));
        }
        var sketch = new List<KeyValuePair<int, long>>();
        for (var n = (parts & RollupParts.Sketch) != 0 ? reader.ReadInt32() : 0; n > 0; n--)
        {
            sketch.Add(new(reader.ReadInt32(), reader.ReadInt64()));
        }
        return RollupDetail.Restore(parts, m2, resets, numbers, durations, sketch);
    }

    private static void WriteState(BinaryWriter writer, string? state)
    {
        writer.Write(state is not null);
        if (state is not null)
        {
            writer.Write(state);
        }
    }

    private static string? ReadState(BinaryReader reader) => reader.ReadBoolean() ? reader.ReadString() : null;

    private static int Count(BinaryReader reader, int bytesEach, Stream from)
    {
        var count = reader.ReadInt32();
        // A damaged count must not become a huge allocation.
        return count >= 0 && (!from.CanSeek || (long)count * bytesEach <= from.Length - from.Position) && count <= 64_000_000
            ? count : throw new FormatException($"impossible count {count}");
    }

    private static void Expect(BinaryReader reader, int marker)
    {
        if (reader.ReadInt32() != marker)
        {
            throw new FormatException("not a whole fetch result");
        }
    }
}

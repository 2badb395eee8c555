using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Core.Tiers;

namespace Foretier.Protocol.Fetching;

/// <summary>
/// The bytes of a <see cref="FetchResult"/> between nodes. Little endian, as all machines are that this runs on; ends in a marker, so that a connection
/// that broke is never taken for a short answer.
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

    /// <summary>Start, kind, and time and value of the one sample.</summary>
    private const int SingleBytes = 8 + 1 + 16;

    /// <summary>Start, kind, and the fields that are numbers.</summary>
    private const int RowBytes = 8 + 1 + 10 * 8;

    private const int Begin = 0x34524646;
    private const int BeginErased = 0x35524646;
    private const int Done = 0x454E4F44;

    public static void Write(ByteWriter to, FetchResult result)
    {
        var isErased = result.Slices.Any(slice => slice.Erased.Count > 0);
        to.UInt32((uint)(isErased ? BeginErased : Begin));
        // Who asks from afar plans anew, in vain for what is lost.
        to.UInt32((uint)(result.Gone.Count + result.Lost.Count));
        foreach (var part in result.Gone.Concat(result.Lost))
        {
            to.UInt32((uint)part);
        }
        to.UInt32((uint)result.Uses.Count);
        foreach (var use in result.Uses)
        {
            to.Byte((byte)use.Tier);
            WriteText(to, use.Node);
            to.Int64(use.Range.From);
            to.Int64(use.Range.To);
            WriteText(to, use.Resolution);
            WriteDouble(to, use.Milliseconds);
        }
        to.UInt32((uint)result.Slices.Count);
        foreach (var slice in result.Slices)
        {
            to.UInt32((uint)slice.Part);
            WriteText(to, slice.Series);
            if (isErased)
            {
                to.UInt32((uint)slice.Erased.Count);
                foreach (var range in slice.Erased)
                {
                    to.Int64(range.From);
                    to.Int64(range.To);
                }
            }
            WriteFlag(to, slice.Samples is null);
            if (slice.Samples is not null)
            {
                WriteSamples(to, slice.Samples);
            }
            else
            {
                WriteRows(to, slice.Rows!);
            }
        }
        to.UInt32(Done);
    }

    /// <exception cref="FormatException">The bytes are not a fetch result, or not a whole one.</exception>
    public static FetchResult Read(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return Read(new ByteReader(bytes));
        }
        catch (SegmentFormatException error)
        {
            throw new FormatException($"not a whole fetch result: {error.Message}", error);
        }
    }

    private static FetchResult Read(ByteReader from)
    {
        var begin = (int)from.UInt32();
        if (begin is not (Begin or BeginErased))
        {
            throw new FormatException("not a fetch result of format FFR4 or FFR5");
        }
        var gone = new int[Count(ref from, 4)];
        for (var i = 0; i < gone.Length; i++)
        {
            gone[i] = (int)from.UInt32();
        }
        var uses = new List<TierUse>();
        for (var n = from.UInt32(); n > 0; n--)
        {
            uses.Add(new((Tier)from.Byte(), ReadText(ref from), new(from.Int64(), from.Int64()), ReadText(ref from), ReadDouble(ref from)));
        }
        var slices = new List<Slice>();
        for (var n = from.UInt32(); n > 0; n--)
        {
            var part = (int)from.UInt32();
            var series = ReadText(ref from);
            var erased = new TimeRange[begin == BeginErased ? Count(ref from, 16) : 0];
            for (var i = 0; i < erased.Length; i++)
            {
                erased[i] = new(from.Int64(), from.Int64());
            }
            slices.Add(ReadFlag(ref from)
                ? new(part, series, null, ReadRows(ref from)) { Erased = erased }
                : new(part, series, ReadSamples(ref from), null) { Erased = erased });
        }
        if (from.UInt32() != Done)
        {
            throw new FormatException("not a whole fetch result");
        }
        return new(slices, gone, uses);
    }

    private static void WriteSamples(ByteWriter to, SampleColumns samples)
    {
        to.UInt32((uint)samples.Count);
        to.Bytes(MemoryMarshal.AsBytes(samples.Times));
        to.Bytes(MemoryMarshal.AsBytes(samples.Values));
        WriteFlag(to, !samples.States.IsEmpty);
        foreach (var state in samples.States)
        {
            WriteState(to, state);
        }
    }

    private static SampleColumns ReadSamples(ref ByteReader from)
    {
        var count = Count(ref from, 16);
        var samples = new SampleColumns(count);
        samples.Append(count, out var times, out var values);
        from.Bytes(count * 8).CopyTo(MemoryMarshal.AsBytes(times));
        from.Bytes(count * 8).CopyTo(MemoryMarshal.AsBytes(values));
        if (ReadFlag(ref from))
        {
            for (var i = 0; i < count; i++)
            {
                if (ReadState(ref from) is { } state)
                {
                    samples.SetState(i, state);
                }
            }
        }
        return samples;
    }

    private static void WriteRows(ByteWriter to, BucketRows rows)
    {
        to.Byte((byte)rows.Parts);
        to.UInt32((uint)rows.Count);
        foreach (ref readonly var row in rows.Rows)
        {
            WriteRow(to, row.Start, row.Rollup);
            if (row.Rollup.Detail is { } detail)
            {
                WriteDetail(to, detail);
            }
        }
    }

    private static void WriteRow(ByteWriter to, long start, in Rollup rollup)
    {
        var isSingle = IsSingle(rollup);
        var fields = new Fields(to.Reserve(isSingle ? SingleBytes : RowBytes));
        fields.Put(start);
        fields.Put(isSingle);
        if (isSingle)
        {
            fields.Put(rollup.FirstTime);
            fields.Put(rollup.First);
            return;
        }
        fields.Put(rollup.Count);
        fields.Put(rollup.Numbers);
        fields.Put(rollup.Min);
        fields.Put(rollup.Max);
        fields.Put(rollup.SumHigh);
        fields.Put(rollup.SumLow);
        fields.Put(rollup.FirstTime);
        fields.Put(rollup.First);
        fields.Put(rollup.LastTime);
        fields.Put(rollup.Last);
        WriteState(to, rollup.FirstState);
        WriteState(to, rollup.LastState);
    }

    /// <summary>Fields of a row, one after the other into room that was reserved at once.</summary>
    private ref struct Fields(Span<byte> room)
    {
        private Span<byte> _room = room;

        public void Put(long value)
        {
            BinaryPrimitives.WriteInt64LittleEndian(_room, value);
            _room = _room[8..];
        }

        public void Put(double value) => Put(BitConverter.DoubleToInt64Bits(value));

        public void Put(bool value)
        {
            _room[0] = value ? (byte)1 : (byte)0;
            _room = _room[1..];
        }
    }

    private static BucketRows ReadRows(ref ByteReader from)
    {
        var parts = (RollupParts)from.Byte();
        if ((parts & ~RollupParts.All) != 0)
        {
            throw new FormatException($"unknown parts {(int)parts} of rollups");
        }
        var count = Count(ref from, SingleBytes);
        var rows = new BucketRows(parts, count);
        for (var i = 0; i < count; i++)
        {
            var start = from.Int64();
            var isSingle = ReadFlag(ref from);
            if (isSingle && parts == RollupParts.None)
            {
                rows.Add(start, from.Int64(), ReadDouble(ref from), null);
                continue;
            }
            var rollup = isSingle ? Single(from.Int64(), ReadDouble(ref from)) : ReadRollup(ref from);
            rollup.Detail = parts == RollupParts.None ? null : ReadDetail(ref from, parts);
            rows.Merge(start, rollup);
        }
        return rows;
    }

    private static Rollup ReadRollup(ref ByteReader from)
    {
        var rollup = new Rollup
        {
            Count = from.Int64(),
            Numbers = from.Int64(),
            Min = ReadDouble(ref from),
            Max = ReadDouble(ref from),
        };
        rollup.RestoreSum(ReadDouble(ref from), ReadDouble(ref from));
        (rollup.FirstTime, rollup.First) = (from.Int64(), ReadDouble(ref from));
        (rollup.LastTime, rollup.Last) = (from.Int64(), ReadDouble(ref from));
        (rollup.FirstState, rollup.LastState) = (ReadState(ref from), ReadState(ref from));
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

    private static void WriteDetail(ByteWriter to, RollupDetail detail)
    {
        if ((detail.Parts & RollupParts.Spread) != 0)
        {
            WriteDouble(to, detail.M2);
        }
        if ((detail.Parts & RollupParts.Increase) != 0)
        {
            WriteFlag(to, detail.HasNumber);
            WriteDouble(to, detail.Resets);
            WriteDouble(to, detail.FirstNumber);
            WriteDouble(to, detail.LastNumber);
        }
        if ((detail.Parts & RollupParts.Durations) != 0)
        {
            to.UInt32((uint)detail.Durations.Count);
            foreach (var (state, micros) in detail.Durations)
            {
                WriteText(to, state);
                to.Int64(micros);
            }
        }
        if ((detail.Parts & RollupParts.Sketch) != 0)
        {
            to.UInt32((uint)detail.Sketch.Length);
            for (var i = 0; i < detail.Sketch.Length; i++)
            {
                to.UInt32((uint)detail.Sketch.Keys[i]);
                to.Int64(detail.Sketch.Counts[i]);
            }
        }
    }

    private static RollupDetail ReadDetail(ref ByteReader from, RollupParts parts)
    {
        var m2 = (parts & RollupParts.Spread) != 0 ? ReadDouble(ref from) : 0;
        var (resets, numbers) = (0.0, ((double, double)?)null);
        if ((parts & RollupParts.Increase) != 0)
        {
            var hasNumber = ReadFlag(ref from);
            resets = ReadDouble(ref from);
            var (first, last) = (ReadDouble(ref from), ReadDouble(ref from));
            numbers = hasNumber ? (first, last) : null;
        }
        var durations = new List<KeyValuePair<string, long>>();
        for (var n = (parts & RollupParts.Durations) != 0 ? from.UInt32() : 0; n > 0; n--)
        {
            durations.Add(new(ReadText(ref from), from.Int64()));
        }
        var sketch = new List<KeyValuePair<int, long>>();
        for (var n = (parts & RollupParts.Sketch) != 0 ? from.UInt32() : 0; n > 0; n--)
        {
            sketch.Add(new((int)from.UInt32(), from.Int64()));
        }
        return RollupDetail.Restore(parts, m2, resets, numbers, durations, sketch);
    }

    private static void WriteState(ByteWriter to, string? state)
    {
        WriteFlag(to, state is not null);
        if (state is not null)
        {
            WriteText(to, state);
        }
    }

    private static string? ReadState(ref ByteReader from) => ReadFlag(ref from) ? ReadText(ref from) : null;

    /// <summary>UTF-8 after its length as a varint.</summary>
    private static void WriteText(ByteWriter to, string text)
    {
        var length = Encoding.UTF8.GetByteCount(text);
        to.VarUInt((ulong)length);
        Encoding.UTF8.GetBytes(text, to.Reserve(length));
    }

    private static string ReadText(ref ByteReader from) => Encoding.UTF8.GetString(from.Bytes(from.Count(from.Left, "bytes of text")));

    private static void WriteDouble(ByteWriter to, double value) => to.Int64(BitConverter.DoubleToInt64Bits(value));

    private static double ReadDouble(ref ByteReader from) => BitConverter.Int64BitsToDouble(from.Int64());

    private static void WriteFlag(ByteWriter to, bool value) => to.Byte(value ? 1 : 0);

    private static bool ReadFlag(ref ByteReader from) => from.Byte() != 0;

    private static int Count(ref ByteReader from, int bytesEach)
    {
        var count = from.UInt32();
        // A damaged count must not become a huge allocation.
        return count * (long)bytesEach <= from.Left ? (int)count : throw new FormatException($"impossible count {count}");
    }
}

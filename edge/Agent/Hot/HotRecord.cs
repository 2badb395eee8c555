using System.Buffers;

namespace Foretier.Agent.Hot;

/// <summary>What a journal record says. The numbers are on the device: never reuse one.</summary>
internal enum RecordKind : byte
{
    /// <summary>id · name · unit · kind; may come again for an id, then the later one holds.</summary>
    SeriesDefined = 1,

    /// <summary>count, then for each: series (difference) · time (difference) · form · value. One message.</summary>
    Samples = 2,

    /// <summary>reason · samples.</summary>
    Rejected = 3,

    /// <summary>window start · window length · through · unique samples up to there: the gateway has them.</summary>
    Shipped = 4,

    /// <summary>window start · window length · through: about to be sent to the gateway.</summary>
    Sending = 5,

    /// <summary>step · client · …: of an MQTT session (HotStore.Sessions.cs), the record of a QoS 2 message within it.</summary>
    Session = 6,

    /// <summary>series · from · to: its samples of earlier records in [from, to) are deleted.</summary>
    Deleted = 7,

    /// <summary>The clock, µs · what was written to the device (<see cref="FlashMeter"/>).</summary>
    Mark = 10,
}

/// <summary>Writes and reads the body of <see cref="RecordKind.Samples"/>.</summary>
internal static class SamplesRecord
{
    private const byte Whole = 0, Float = 1, State = 2;

    public static void Write(IBufferWriter<byte> into, ReadOnlySpan<IncomingSample> samples)
    {
        RecordWriter.WriteByte(into, (byte)RecordKind.Samples);
        RecordWriter.WriteVarint(into, (ulong)samples.Length);
        long series = 0, time = 0;
        foreach (ref readonly var sample in samples)
        {
            RecordWriter.WriteSigned(into, sample.Series - series);
            RecordWriter.WriteSigned(into, sample.Time - time);
            (series, time) = (sample.Series, sample.Time);
            if (sample.State is not null)
            {
                RecordWriter.WriteByte(into, State);
                RecordWriter.WriteText(into, sample.State);
            }
            else if (Math.Abs(sample.Value) < 1L << 52 && BitConverter.DoubleToInt64Bits((double)(long)sample.Value) == BitConverter.DoubleToInt64Bits(sample.Value))
            {
                // Bits are compared, so that -0.0 and its like come back as they were.
                RecordWriter.WriteByte(into, Whole);
                RecordWriter.WriteSigned(into, (long)sample.Value);
            }
            else
            {
                RecordWriter.WriteByte(into, Float);
                RecordWriter.WriteDouble(into, sample.Value);
            }
        }
    }

    /// <param name="record">The record after its kind.</param>
    /// <param name="into">Receives the samples.</param>
    public static void Read(ref RecordReader record, List<IncomingSample> into)
    {
        var count = record.Varint();
        long series = 0, time = 0;
        for (ulong i = 0; i < count; i++)
        {
            series += record.Signed();
            time += record.Signed();
            into.Add(record.Byte() switch
            {
                Whole => new((int)series, time, record.Signed(), null),
                Float => new((int)series, time, record.Double(), null),
                State => new((int)series, time, 0, record.Text()),
                var form => throw new FormatException($"a sample in the journal has the unknown form {form}"),
            });
        }
    }
}

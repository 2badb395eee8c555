namespace Foretier.Agent.Ingest.Payloads.Sparkplug;

internal enum MetricShape
{
    None,
    Integer,
    Real,
    Bool,
    Text,
    Other,
}

/// <summary>The fields of one metric of a payload, as they stand there.</summary>
internal ref struct MetricFields
{
    public ReadOnlySpan<byte> Name;
    public ReadOnlySpan<byte> Text;

    /// <summary>Property engUnit, where it can be a unit.</summary>
    public ReadOnlySpan<byte> Unit;

    public ulong? Alias;

    /// <summary>Epoch ms.</summary>
    public ulong? Time;

    /// <summary>1 Int8, 2 Int16, 3 Int32, 4 Int64, 5-8 unsigned, 9 Float, 10 Double, 11 Boolean, 12 String, 13 DateTime, 14 Text, 15 UUID.</summary>
    public int Type;

    public bool IsNull;
    public MetricShape Shape;
    public ulong Bits;

    private double _real;

    /// <summary>False where the bytes are broken, or a field is of the wrong shape.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out MetricFields metric)
    {
        metric = default;
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            if (reader.HasBytes != reader.Field is 1 or 8 or 9 or 15 or 16 or 17 or 18 or 19 && reader.Field <= 19)
            {
                return false;
            }
            switch (reader.Field)
            {
                case 1:
                    metric.Name = reader.Bytes;
                    break;
                case 2:
                    metric.Alias = reader.Bits;
                    break;
                case 3:
                    metric.Time = reader.Bits;
                    break;
                case 4:
                    metric.Type = (int)Math.Min(reader.Bits, 255);
                    break;
                case 7:
                    metric.IsNull = reader.Bits != 0;
                    break;
                case 9:
                    metric.Unit = UnitOf(reader.Bytes);
                    break;
                case 10 or 11:
                    (metric.Shape, metric.Bits) = (MetricShape.Integer, reader.Bits);
                    break;
                case 12:
                    (metric.Shape, metric._real) = (MetricShape.Real, BitConverter.UInt32BitsToSingle((uint)reader.Bits));
                    break;
                case 13:
                    (metric.Shape, metric._real) = (MetricShape.Real, BitConverter.UInt64BitsToDouble(reader.Bits));
                    break;
                case 14:
                    (metric.Shape, metric._real) = (MetricShape.Bool, reader.Bits != 0 ? 1 : 0);
                    break;
                case 15:
                    metric.Shape = MetricShape.Text;
                    metric.Text = reader.Bytes;
                    break;
                case >= 16 and <= 19:
                    metric.Shape = MetricShape.Other;
                    break;
                default:
                    break;
            }
        }
        return !reader.IsBroken;
    }

    /// <summary>The value as a number; integers are two's complement of their type's width.</summary>
    public readonly double Number(int type) => Shape != MetricShape.Integer ? _real : type switch
    {
        1 => (sbyte)Bits,
        2 => (short)Bits,
        3 => (int)Bits,
        4 => (long)Bits,
        5 => (byte)Bits,
        6 => (ushort)Bits,
        7 => (uint)Bits,
        11 => Bits != 0 ? 1 : 0,
        _ => Bits,
    };

    /// <summary>A property set: keys (1) and values (2) in the same order; a value's text is field 8.</summary>
    private static ReadOnlySpan<byte> UnitOf(ReadOnlySpan<byte> properties)
    {
        var (index, keys) = (-1, 0);
        for (var reader = new ProtoReader(properties); reader.Next();)
        {
            if (reader.Field == 1 && reader.Bytes.SequenceEqual("engUnit"u8))
            {
                index = keys;
            }
            keys += reader.Field == 1 ? 1 : 0;
        }
        var values = 0;
        for (var reader = new ProtoReader(properties); index >= 0 && reader.Next();)
        {
            if (reader.Field == 2 && values++ == index)
            {
                for (var value = new ProtoReader(reader.Bytes); value.Next();)
                {
                    if (value.Field == 8 && value.Bytes.Length <= Draft.UnitBytesMax && !value.Bytes.ContainsAnyInRange((byte)0, (byte)' ')
                        && System.Text.Unicode.Utf8.IsValid(value.Bytes))
                    {
                        return value.Bytes;
                    }
                }
            }
        }
        return default;
    }
}

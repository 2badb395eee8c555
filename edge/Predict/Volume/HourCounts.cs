using System.Buffers.Binary;

namespace Foretier.Predict.Volume;

/// <summary>
/// Counts an hour over the last <see cref="HoursKept"/> hours, in a ring that starts small and whose cells are one byte wide until a count
/// needs more: a sensor with a reading a minute costs 720 bytes. Not thread-safe.
/// </summary>
internal sealed class HourCounts
{
    /// <summary>28 days to learn from, one day ahead (times may lie up to a day in the future), one day being filled.</summary>
    public const int HoursKept = 30 * 24;

    private byte[] _cells = [];
    private int _length;
    private int _width = 1;

    /// <summary>The first hour counted, -1 where there is none. Hours are numbered from 1970.</summary>
    public long First { get; private set; } = -1;

    /// <summary>The newest hour counted, -1 where there is none.</summary>
    public long Last { get; private set; } = -1;

    /// <summary>The count of an hour, 0 outside what is kept.</summary>
    public int this[long hour] => First < 0 || hour < First || hour > Last ? 0 : Get(hour);

    /// <summary>Adds to an hour; false where it is older than what is kept.</summary>
    public bool Add(long hour, int count)
    {
        if (First < 0 || hour - Last >= HoursKept)
        {
            Array.Clear(_cells);
            First = Last = hour;
            Grow(1);
        }
        else if (hour > Last)
        {
            First = Math.Max(First, hour - HoursKept + 1);
            Grow(hour - First + 1);
            for (var h = Math.Max(Last + 1, First); h <= hour; h++)
            {
                Set(h, 0);
            }
            Last = hour;
        }
        else if (hour < First)
        {
            if (hour <= Last - HoursKept)
            {
                return false;
            }
            Grow(Last - hour + 1);
            for (var h = hour; h < First; h++)
            {
                Set(h, 0);
            }
            First = hour;
        }
        Set(hour, (int)Math.Min(int.MaxValue, (long)Get(hour) + count));
        return true;
    }

    private void Grow(long span)
    {
        if (span <= _length)
        {
            return;
        }
        var length = (int)Math.Min(HoursKept, Math.Max(24, 1L << (int)(64 - long.LeadingZeroCount(span - 1))));
        Resize(length, _width);
    }

    private void Resize(int length, int width)
    {
        var (cells, oldLength, oldWidth) = (_cells, _length, _width);
        (_cells, _length, _width) = (new byte[length * width], length, width);
        for (var hour = Math.Max(First, Last - oldLength + 1); oldLength > 0 && hour <= Last; hour++)
        {
            Set(hour, Read(cells, (int)(hour % oldLength), oldWidth));
        }
    }

    private int Get(long hour) => Read(_cells, (int)(hour % _length), _width);

    private static int Read(byte[] cells, int index, int width) => width switch
    {
        1 => cells[index],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(cells.AsSpan(index * 2)),
        _ => BinaryPrimitives.ReadInt32LittleEndian(cells.AsSpan(index * 4)),
    };

    private void Set(long hour, int value)
    {
        var needed = value <= byte.MaxValue ? 1 : value <= ushort.MaxValue ? 2 : 4;
        if (needed > _width)
        {
            Resize(_length, needed);
        }
        var index = (int)(hour % _length);
        switch (_width)
        {
            case 1:
                _cells[index] = (byte)value;
                break;
            case 2:
                BinaryPrimitives.WriteUInt16LittleEndian(_cells.AsSpan(index * 2), (ushort)value);
                break;
            default:
                BinaryPrimitives.WriteInt32LittleEndian(_cells.AsSpan(index * 4), value);
                break;
        }
    }

    public void Save(BinaryWriter writer)
    {
        writer.Write7BitEncodedInt64(First + 1);
        if (First >= 0)
        {
            writer.Write7BitEncodedInt((int)(Last - First + 1));
            for (var hour = First; hour <= Last; hour++)
            {
                writer.Write7BitEncodedInt(Get(hour));
            }
        }
    }

    public static HourCounts Load(BinaryReader reader)
    {
        var counts = new HourCounts();
        var first = reader.Read7BitEncodedInt64() - 1;
        if (first < 0)
        {
            return counts;
        }
        var span = reader.Read7BitEncodedInt();
        if (span is < 1 or > HoursKept)
        {
            throw new InvalidDataException($"a series has {span} hours, at most {HoursKept} are kept");
        }
        counts.First = first;
        counts.Last = first + span - 1;
        counts.Grow(span);
        for (var hour = first; hour < first + span; hour++)
        {
            counts.Set(hour, reader.Read7BitEncodedInt());
        }
        return counts;
    }
}

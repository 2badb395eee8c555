using Foretier.Core.Samples;

namespace Foretier.Predict.Access;

/// <summary>
/// Reads an hour over the last <see cref="HoursKept"/> hours, as a list of the hours that have any, in at most <see cref="BytesMax"/> bytes:
/// where they run out, hours older than four days are put together by the day, then the oldest go. Not thread-safe.
/// </summary>
internal sealed class ReadHours
{
    /// <summary>A yearly report is seen twice.</summary>
    public const int HoursKept = 400 * 24;

    /// <summary>Four days of hours and three months of days at three bytes each, with room to grow before they are thinned again.</summary>
    public const int BytesMax = 768;

    private const int DetailHours = 4 * 24;

    private byte[] _bytes = [];
    private int _length;

    /// <summary>The first hour with reads, -1 where there is none. Hours are numbered from 1970.</summary>
    public long First { get; private set; } = -1;

    /// <summary>The newest hour with reads, -1 where there is none.</summary>
    public long Last { get; private set; } = -1;

    /// <summary>Reads of the newest hour, which is not in the bytes yet.</summary>
    private int _lastCount;

    /// <summary>Hour the bytes end at.</summary>
    private long _written;

    public int Bytes => _bytes.Length;

    /// <summary>Adds to an hour; false where it is older than what is kept.</summary>
    public bool Add(long hour, int count)
    {
        if (First < 0)
        {
            (First, Last, _lastCount, _written) = (hour, hour, count, hour);
        }
        else if (hour == Last)
        {
            _lastCount = Sum(_lastCount, count);
        }
        else if (hour > Last)
        {
            Append(Last, _lastCount);
            (Last, _lastCount) = (hour, count);
            if (_length > BytesMax - 16)
            {
                Rewrite(Thinned());
            }
        }
        else
        {
            if (hour <= Last - HoursKept)
            {
                return false;
            }
            var all = All();
            var at = all.FindIndex(h => h.Hour >= hour);
            if (all[at].Hour == hour)
            {
                all[at] = (hour, Sum(all[at].Count, count));
            }
            else
            {
                all.Insert(at, (hour, count));
            }
            Rewrite(all);
            if (_length > BytesMax - 16)
            {
                Rewrite(Thinned());
            }
        }
        return true;
    }

    /// <summary>The hours with reads, ascending.</summary>
    public List<(long Hour, int Count)> All()
    {
        List<(long, int)> all = [];
        if (First < 0)
        {
            return all;
        }
        var hour = First;
        for (var at = 0; at < _length;)
        {
            hour += (long)ReadNumber(ref at);
            all.Add((hour, (int)ReadNumber(ref at)));
        }
        all.Add((Last, _lastCount));
        return all;
    }

    private static int Sum(int one, int other) => (int)Math.Min(int.MaxValue, (long)one + other);

    private List<(long Hour, int Count)> Thinned()
    {
        var detail = Last - DetailHours;
        List<(long Hour, int Count)> kept = [];
        foreach (var (hour, count) in All())
        {
            if (hour < detail && kept.Count > 0 && kept[^1].Hour / 24 == hour / 24)
            {
                kept[^1] = (kept[^1].Hour, Sum(kept[^1].Count, count));
            }
            else if (hour > Last - HoursKept)
            {
                kept.Add((hour, count));
            }
        }
        // Not one at a time: thinning costs as much as a thousand additions.
        var bytes = kept.Zip(kept.Skip(1)).Sum(pair => Size(pair.Second.Hour - pair.First.Hour) + Size(pair.First.Count));
        var drop = 0;
        while (bytes > BytesMax * 3 / 4 && drop < kept.Count - 1)
        {
            bytes -= Size(kept[drop + 1].Hour - kept[drop].Hour) + Size(kept[drop].Count);
            drop++;
        }
        kept.RemoveRange(0, drop);
        return kept;
    }

    private void Rewrite(List<(long Hour, int Count)> all)
    {
        _length = 0;
        First = _written = all[0].Hour;
        foreach (var (hour, count) in all[..^1])
        {
            Append(hour, count);
        }
        (Last, _lastCount) = all[^1];
    }

    private void Append(long hour, int count)
    {
        if (_length + 16 > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(16, Math.Min(BytesMax + 16, _bytes.Length * 2)));
        }
        WriteNumber((ulong)(hour - _written));
        WriteNumber((ulong)count);
        _written = hour;
    }

    private void WriteNumber(ulong value)
    {
        for (; value > 0x7F; value >>= 7)
        {
            if (_length == _bytes.Length)
            {
                Array.Resize(ref _bytes, _bytes.Length + 16);
            }
            _bytes[_length++] = (byte)(value | 0x80);
        }
        if (_length == _bytes.Length)
        {
            Array.Resize(ref _bytes, _bytes.Length + 16);
        }
        _bytes[_length++] = (byte)value;
    }

    private ulong ReadNumber(ref int at)
    {
        var value = 0UL;
        for (var shift = 0; ; shift += 7)
        {
            var b = _bytes[at++];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
            {
                return value;
            }
        }
    }

    private static int Size(long value)
    {
        var size = 1;
        for (; value > 0x7F; value >>= 7)
        {
            size++;
        }
        return size;
    }

    /// <summary>Hours with reads, then of each: hours since the one before (of the first: since 1970), reads. 7-bit encoded.</summary>
    public void Save(BinaryWriter writer)
    {
        var all = All();
        writer.Write7BitEncodedInt(all.Count);
        var before = 0L;
        foreach (var (hour, count) in all)
        {
            writer.Write7BitEncodedInt64(hour - before);
            writer.Write7BitEncodedInt(count);
            before = hour;
        }
    }

    /// <exception cref="InvalidDataException">More hours than are kept, or hours out of order.</exception>
    public static ReadHours Load(BinaryReader reader)
    {
        var hours = new ReadHours();
        var left = reader.Read7BitEncodedInt();
        if (left is < 0 or > HoursKept)
        {
            throw new InvalidDataException($"a series was read in {left} hours, at most {HoursKept} are kept");
        }
        for (var hour = 0L; left > 0; left--)
        {
            var gap = reader.Read7BitEncodedInt64();
            var count = reader.Read7BitEncodedInt();
            hour += gap;
            if (gap < 0 || count < 0 || hour > long.MaxValue / Instant.Hour || hour < hours.Last)
            {
                throw new InvalidDataException($"reads {gap} hours apart, {count} of them");
            }
            hours.Add(hour, count);
        }
        return hours;
    }

    /// <summary>What a file of format 1 had.</summary>
    public static ReadHours Of(Volume.HourCounts counts)
    {
        var hours = new ReadHours();
        for (var hour = counts.First; counts.First >= 0 && hour <= counts.Last; hour++)
        {
            if (counts[hour] > 0)
            {
                hours.Add(hour, counts[hour]);
            }
        }
        return hours;
    }
}

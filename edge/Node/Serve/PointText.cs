using System.Buffers.Binary;
using System.Buffers.Text;
using System.Text.Json;
using Foretier.Core.Query;
using Foretier.Core.Samples;

namespace Foretier.Node.Serve;

/// <summary>
/// Points as JSON, <c>[t,v]</c>: most of what an answer is made of, so without a writer's book-keeping for each bracket. One for a run of points of a series: what is
/// mostly the same from point to point, the first digits of the time and how many decimals there are, is tried first.
/// </summary>
internal struct PointText
{
    /// <summary>Room for a point whose value is a number: two numbers of 32 characters at most and what is around them.</summary>
    public const int NumberBytesMax = 80;

    // Most readings have few decimals: as whole numbers of those they are written several times as fast as by searching for the shortest text.
    private const int DecimalsMax = 4;

    /// <summary>Below it a decimal of so many digits is no other double's, and so the shortest text of its own.</summary>
    private const double DigitsMax = 1e15;

    /// <summary>Epoch ms from which there are digits before the last eight.</summary>
    private const long LowTime = 100_000_000;

    private static readonly double[] Powers = [1, 10, 100, 1_000, 10_000];

    /// <summary>The time before its last eight digits, and its text in the low bytes.</summary>
    private ulong _days, _daysText;
    private int _daysLength;

    /// <summary>Those of the value before.</summary>
    private int _decimals;

    /// <summary>Writes <c>[t,v]</c>, epoch ms with a fraction where there is one.</summary>
    /// <param name="to">At least <see cref="NumberBytesMax"/> bytes, and for a state six for each of its characters.</param>
    /// <returns>Bytes written.</returns>
    public int Write(Span<byte> to, in ResultPoint point)
    {
        to[0] = (byte)'[';
        var at = 1 + WriteTime(to[1..], point.Time);
        to[at++] = (byte)',';
        if (point.State is { } state)
        {
            to[at++] = (byte)'"';
            var text = JsonEncodedText.Encode(state).EncodedUtf8Bytes;
            text.CopyTo(to[at..]);
            at += text.Length;
            to[at++] = (byte)'"';
        }
        else
        {
            at += WriteNumber(to[at..], point.Value);
        }
        to[at++] = (byte)']';
        return at;
    }

    private int WriteTime(Span<byte> to, long micros)
    {
        var (milliseconds, rest) = Math.DivRem(micros, Instant.Millisecond);
        int written;
        if (rest != 0)
        {
            Utf8Formatter.TryFormat(micros / 1000m, to, out written);
        }
        else if (milliseconds is < LowTime or > long.MaxValue / Instant.Millisecond)
        {
            Utf8Formatter.TryFormat(milliseconds, to, out written);
        }
        else
        {
            // The eight digits that change between points at once: a writer that does not know how many there are takes several times as long.
            var (days, within) = Math.DivRem((ulong)milliseconds, (ulong)LowTime);
            if (days != _days)
            {
                SetDays(days);
            }
            BinaryPrimitives.WriteUInt64LittleEndian(to, _daysText);
            BinaryPrimitives.WriteUInt64LittleEndian(to[_daysLength..], EightDigits((uint)within));
            written = _daysLength + sizeof(ulong);
        }
        return written;
    }

    private void SetDays(ulong days)
    {
        Span<byte> text = stackalloc byte[sizeof(ulong)];
        Utf8Formatter.TryFormat(days, text, out _daysLength);
        (_days, _daysText) = (days, BinaryPrimitives.ReadUInt64LittleEndian(text));
    }

    /// <summary>Eight digits as text, the first in the lowest byte: split in halves three times, all parts at once.</summary>
    /// <param name="value">Below 100,000,000.</param>
    private static ulong EightDigits(uint value)
    {
        ulong fours = value / 10_000 | (ulong)(value % 10_000) << 32;
        // 10486 / 2^20 and 103 / 2^10 are 1/100 and 1/10 close enough for what is below 10,000 and 100.
        var hundreds = fours * 10_486 >> 20 & 0x7F_0000_007F;
        var twos = hundreds | fours - hundreds * 100 << 16;
        var tens = twos * 103 >> 10 & 0x000F_000F_000F_000F;
        return (tens | twos - tens * 10 << 8) + 0x3030_3030_3030_3030;
    }

    /// <summary>The shortest text that reads back to the same number; null where it is none.</summary>
    public int WriteNumber(Span<byte> to, double value)
    {
        if (!double.IsFinite(value))
        {
            "null"u8.CopyTo(to);
            return 4;
        }
        var whole = Math.Truncate(value);
        // A number that some decimals tell is told by more of them too: those that are not needed are zeros at its end.
        for (var decimals = Math.Abs(value) < DigitsMax / 10_000 ? _decimals : 0; decimals <= DecimalsMax && value != 0; decimals++)
        {
            var scaled = Math.Round(value * Powers[decimals]);
            if (Math.Abs(scaled) >= DigitsMax)
            {
                break;
            }
            // A correctly rounded quotient: it is the double nearest to that decimal.
            if (scaled / Powers[decimals] == value)
            {
                var digits = (long)scaled;
                for (; decimals > 0 && Math.DivRem(digits, 10) is (var fewer, 0); decimals--)
                {
                    digits = fewer;
                }
                _decimals = decimals;
                return WriteDecimal(to, digits, (long)whole, decimals);
            }
        }
        Utf8Formatter.TryFormat(value, to, out var written);
        return written;
    }

    /// <param name="to">Room for it.</param>
    /// <param name="scaled">The value with its decimals as a whole number.</param>
    /// <param name="whole">The value without them: dividing by so many decimals, which the compiler does not know, would take longer than all else here.</param>
    /// <param name="decimals">How many.</param>
    private static int WriteDecimal(Span<byte> to, long scaled, long whole, int decimals)
    {
        var at = 0;
        if (scaled < 0)
        {
            to[at++] = (byte)'-';
            (scaled, whole) = (-scaled, -whole);
        }
        var rest = scaled - whole * (long)Powers[decimals];
        Utf8Formatter.TryFormat(whole, to[at..], out var written);
        at += written;
        if (decimals == 0)
        {
            return at;
        }
        to[at++] = (byte)'.';
        for (var digit = at + decimals - 1; digit >= at; digit--)
        {
            (rest, var last) = Math.DivRem(rest, 10);
            to[digit] = (byte)('0' + last);
        }
        return at + decimals;
    }
}

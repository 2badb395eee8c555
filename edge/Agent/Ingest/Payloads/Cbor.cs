using System.Buffers.Binary;

namespace Foretier.Agent.Ingest.Payloads;

internal enum CborKind
{
    Integer,
    Bytes,
    Text,
    Array,
    Map,
    Number,
    Bool,
    Null,
    Break,
    Other,
}

/// <summary>
/// Reads CBOR (RFC 8949) off a span, item by item, without allocating. What is cut off, too deep or not well-formed makes <see cref="TryRead"/>
/// false. (System.Formats.Cbor reads from memory only, and throws on what a stranger sends.)
/// </summary>
internal ref struct Cbor(ReadOnlySpan<byte> bytes)
{
    private const int DepthMax = 8;

    private ReadOnlySpan<byte> _rest = bytes;

    /// <summary>Number of bytes, elements or pairs; -1 where only a break ends them.</summary>
    public const long Indefinite = -1;

    public readonly bool IsAtEnd => _rest.IsEmpty;

    /// <summary>Reads the head of an item, for bytes and text its content too.</summary>
    public bool TryRead(out CborItem item)
    {
        item = default;
        if (!TryHead(out var major, out var info, out var argument))
        {
            return false;
        }
        switch (major)
        {
            case 0:
                item = new(CborKind.Integer, argument, argument, default, false);
                return true;
            case 1:
                item = new(CborKind.Integer, argument, -1.0 - argument, default, true);
                return true;
            case 2 or 3:
                if (info == 31 || argument > (ulong)_rest.Length)
                {
                    return false;
                }
                item = new(major == 2 ? CborKind.Bytes : CborKind.Text, argument, 0, _rest[..(int)argument], false);
                _rest = _rest[(int)argument..];
                return true;
            case 4 or 5:
                // Each element takes a byte at least: a length beyond that lies, and must not make anyone loop.
                if (info != 31 && argument > (ulong)_rest.Length)
                {
                    return false;
                }
                item = new(major == 4 ? CborKind.Array : CborKind.Map, argument, 0, default, false) { IsIndefinite = info == 31 };
                return true;
            case 6:
                return argument == 4 ? TryDecimalFraction(out item) : info != 31 && TryTagged(argument, out item);
            default:
                return TrySimple(info, argument, out item);
        }
    }

    /// <summary>Steps over a whole item.</summary>
    public bool TrySkip(int depth = 0)
    {
        if (depth > DepthMax || !TryRead(out var item) || item.Kind == CborKind.Break)
        {
            return false;
        }
        return TrySkipContent(item, depth);
    }

    /// <summary>Steps over what follows the head that was just read.</summary>
    public bool TrySkipContent(in CborItem item, int depth = 0)
    {
        if (item.Kind is not (CborKind.Array or CborKind.Map))
        {
            return true;
        }
        var left = item.Kind == CborKind.Map ? item.Length * 2 : item.Length;
        for (; item.IsIndefinite ? !TryBreak() : left-- > 0;)
        {
            if (!TrySkip(depth + 1))
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>True, and steps over it, where a break comes next.</summary>
    public bool TryBreak()
    {
        if (_rest.IsEmpty || _rest[0] != 0xFF)
        {
            return false;
        }
        _rest = _rest[1..];
        return true;
    }

    private bool TryTagged(ulong tag, out CborItem item)
    {
        item = default;
        // Tags say what an item means (55799: that this is CBOR); the item itself is read. One tag of another must end somewhere.
        return tag is not (2 or 3 or 5) && !_rest.IsEmpty && _rest[0] >> 5 != 6 && TryRead(out item);
    }

    /// <summary>Tag 4: [exponent, mantissa], the value being mantissa · 10^exponent.</summary>
    private bool TryDecimalFraction(out CborItem item)
    {
        item = default;
        if (!TryRead(out var pair) || pair.Kind != CborKind.Array || pair.Length != 2 || pair.IsIndefinite
            || !TryRead(out var exponent) || exponent.Kind != CborKind.Integer
            || !TryRead(out var mantissa) || mantissa.Kind != CborKind.Integer || Math.Abs(exponent.Number) > 400)
        {
            return false;
        }
        // Through text, whose reading rounds once and right; a product of two roundings would not give back 27.1.
        Span<char> text = stackalloc char[32];
        if (!text.TryWrite(System.Globalization.CultureInfo.InvariantCulture, $"{(mantissa.IsNegative ? "-" : "")}{Magnitude(mantissa)}E{(int)exponent.Number}", out var length))
        {
            return false;
        }
        var value = double.Parse(text[..length], System.Globalization.CultureInfo.InvariantCulture);
        item = new(CborKind.Number, 0, value, default, value < 0);
        return true;
    }

    private static UInt128 Magnitude(in CborItem integer) => integer.IsNegative ? (UInt128)integer.Argument + 1 : integer.Argument;

    private readonly bool TrySimple(int info, ulong argument, out CborItem item)
    {
        double? number = info switch
        {
            25 => (double)BitConverter.UInt16BitsToHalf((ushort)argument),
            26 => BitConverter.UInt32BitsToSingle((uint)argument),
            27 => BitConverter.UInt64BitsToDouble(argument),
            _ => null,
        };
        item = number is { } value
            ? new(CborKind.Number, 0, value, default, false)
            : new(info switch { 20 or 21 => CborKind.Bool, 22 or 23 => CborKind.Null, 31 => CborKind.Break, _ => CborKind.Other },
                argument, info == 21 ? 1 : 0, default, false);
        return true;
    }

    private bool TryHead(out int major, out int info, out ulong argument)
    {
        (major, info, argument) = (0, 0, 0);
        if (_rest.IsEmpty)
        {
            return false;
        }
        (major, info) = (_rest[0] >> 5, _rest[0] & 31);
        _rest = _rest[1..];
        var length = info switch { < 24 => 0, 24 => 1, 25 => 2, 26 => 4, 27 => 8, 31 => 0, _ => 9 };
        if (length > _rest.Length || length == 9)
        {
            return false;
        }
        argument = length switch
        {
            0 => (ulong)info,
            1 => _rest[0],
            2 => BinaryPrimitives.ReadUInt16BigEndian(_rest),
            4 => BinaryPrimitives.ReadUInt32BigEndian(_rest),
            _ => BinaryPrimitives.ReadUInt64BigEndian(_rest),
        };
        _rest = _rest[length..];
        return info != 31 || major is 2 or 3 or 4 or 5 or 7;
    }
}

/// <param name="Argument">Of an integer its magnitude (of a negative one, less 1), of an array or map its length.</param>
/// <param name="Number">Of an integer or number.</param>
/// <param name="Text">Content of bytes or text.</param>
internal readonly ref struct CborItem(CborKind kind, ulong argument, double number, ReadOnlySpan<byte> text, bool isNegative)
{
    public CborKind Kind { get; } = kind;
    public ulong Argument { get; } = argument;
    public double Number { get; } = number;
    public ReadOnlySpan<byte> Text { get; } = text;
    public bool IsNegative { get; } = isNegative;
    public bool IsIndefinite { get; init; }
    public long Length => IsIndefinite ? Cbor.Indefinite : (long)Argument;
}

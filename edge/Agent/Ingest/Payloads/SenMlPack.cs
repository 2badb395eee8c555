using System.Globalization;
using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest.Payloads;

/// <summary>The fields a record may have once each.</summary>
[Flags]
internal enum SenMlField
{
    None = 0,
    BaseVersion = 1,
    BaseName = 2,
    BaseTime = 4,
    BaseUnit = 8,
    BaseValue = 16,
    BaseSum = 32,
    Name = 64,
    Unit = 128,
    Value = 256,
    StringValue = 512,
    BoolValue = 1024,
    DataValue = 2048,
    Sum = 4096,
    Time = 8192,
    UpdateTime = 16384,
}

/// <summary>
/// Resolves the records of a SenML pack (RFC 8428), whichever way they are spelt: base fields hold from their record on, a time below 2^28 is
/// relative to now, none is the time of arrival.
/// </summary>
/// <remarks>
/// The measurement is the record's resolved name (base name and name), without the topic's device (also as <c>urn:dev:</c>, RFC 9039) and one of <c>: / _ .</c> where it begins with
/// them, percent-encoded where needed; <c>value</c> where nothing is left. So it does not matter how a name is split. A sum becomes the
/// measurement <c>name:sum</c>. Not thread-safe.
/// </remarks>
internal sealed class SenMlPack
{
    private const int NameBytesMax = 512;
    private const int VersionMax = 10;
    private const double RelativeBelow = 1 << 28;

    private static ReadOnlySpan<byte> UrnPrefix => "urn:dev:"u8;

    private readonly byte[] _baseName = new byte[NameBytesMax];
    private readonly byte[] _name = new byte[NameBytesMax];
    private readonly byte[] _device = new byte[SeriesKey.PartLengthMax];
    private Draft _draft = new();
    private int _deviceLength, _baseNameLength, _nameLength;
    private double _baseTime, _time;
    private string? _baseUnit, _unit, _state;
    private double _baseValue, _value, _baseSum, _sum;
    private SenMlField _ever, _here;

    public void Begin(Draft draft, ReadOnlySpan<byte> device)
    {
        _draft = draft;
        device.CopyTo(_device);
        _deviceLength = device.Length;
        (_ever, _baseNameLength, _baseTime, _baseUnit, _baseValue, _baseSum) = (default, 0, 0, null, 0, 0);
    }

    public void BeginRecord() => (_here, _nameLength, _time, _unit, _state, _value, _sum) = (default, 0, 0, null, null, 0, 0);

    /// <summary>To be asked before a field is set. False where the record has it twice.</summary>
    public bool Has(SenMlField field)
    {
        if ((_here & field) != 0)
        {
            return _draft.Stop(RefusalCode.BadPayload, $"a SenML record has a field twice ({field}): send it once");
        }
        _here |= field;
        _ever |= field;
        return true;
    }

    public bool SetText(SenMlField field, ReadOnlySpan<byte> utf8)
    {
        switch (field)
        {
            case SenMlField.BaseName or SenMlField.Name when utf8.Length > NameBytesMax:
                return _draft.Stop(RefusalCode.BadName, $"a SenML name is longer than {NameBytesMax} bytes: '{Excerpt.Of(utf8, 40)}'");
            case SenMlField.BaseName:
                utf8.CopyTo(_baseName);
                _baseNameLength = utf8.Length;
                return true;
            case SenMlField.Name:
                utf8.CopyTo(_name);
                _nameLength = utf8.Length;
                return true;
            case SenMlField.BaseUnit:
                _baseUnit = _draft.Unit(utf8);
                return true;
            case SenMlField.Unit:
                _unit = _draft.Unit(utf8);
                return true;
            case SenMlField.StringValue:
                _state = _draft.State(utf8);
                return true;
            default:
                return WrongType(field);
        }
    }

    public bool SetNumber(SenMlField field, double number)
    {
        _draft.CheckNumber(number);
        switch (field)
        {
            case SenMlField.BaseVersion when number is < 1 or > VersionMax || number != Math.Floor(number):
                return _draft.Stop(RefusalCode.BadPayload,
                    $"SenML version {number.ToString(CultureInfo.InvariantCulture)} is not known here: send \"bver\" {VersionMax} or none");
            case SenMlField.BaseVersion or SenMlField.UpdateTime:
                return true;
            case SenMlField.BaseTime:
                _baseTime = number;
                return true;
            case SenMlField.Time:
                _time = number;
                return true;
            case SenMlField.BaseValue:
                _baseValue = number;
                return true;
            case SenMlField.Value:
                _value = number;
                return true;
            case SenMlField.BaseSum:
                _baseSum = number;
                return true;
            case SenMlField.Sum:
                _sum = number;
                return true;
            default:
                return WrongType(field);
        }
    }

    public bool SetBool(SenMlField field, bool value)
    {
        _value = value ? 1 : 0;
        return field == SenMlField.BoolValue || WrongType(field);
    }

    /// <summary>A field that is not known: it may be stepped over, unless its name ends in "_", which says that it must be understood.</summary>
    public bool MayIgnore(ReadOnlySpan<byte> label) => !label.EndsWith("_"u8) || _draft.Stop(RefusalCode.BadPayload,
        $"the SenML field '{Excerpt.Of(label, 40)}' has to be understood (its name ends in \"_\") and is not known here");

    public bool WrongType(SenMlField field) =>
        _draft.Stop(RefusalCode.BadPayload, $"a SenML field has a value of the wrong type ({field}): see RFC 8428, table 1");

    public bool EndRecord()
    {
        const SenMlField values = SenMlField.Value | SenMlField.StringValue | SenMlField.BoolValue | SenMlField.DataValue;
        var kinds = _here & values;
        if ((kinds & SenMlField.DataValue) != 0)
        {
            return _draft.Stop(RefusalCode.BadPayload, "a SenML record has a data value (\"vd\"), which no series holds: send numbers, booleans or strings");
        }
        if ((kinds & (kinds - 1)) != 0)
        {
            return _draft.Stop(RefusalCode.BadPayload, "a SenML record has more than one value: give each its own record");
        }
        var hasSum = (_here & SenMlField.Sum) != 0 || (kinds == 0 && (_ever & SenMlField.BaseSum) != 0);
        if (kinds == 0 && !hasSum && (_ever & SenMlField.BaseValue) == 0)
        {
            return (_here & (SenMlField.Name | SenMlField.Time | SenMlField.Unit)) == 0
                // A record of base fields alone only prepares those after it.
                || _draft.Stop(RefusalCode.BadPayload, "a SenML record has no value: give it \"v\", \"vs\", \"vb\" or \"s\"");
        }
        if (kinds == 0 && (_here & (SenMlField.Name | SenMlField.Time | SenMlField.Unit | SenMlField.Sum)) == 0)
        {
            return true;
        }
        var time = Time();
        var unit = _unit ?? _baseUnit;
        if (kinds != 0 || !hasSum)
        {
            var value = (kinds & (SenMlField.StringValue | SenMlField.BoolValue)) == 0 ? _baseValue + _value : _value;
            if (!Take(time, value, kinds == SenMlField.StringValue ? _state : null, unit, default))
            {
                return false;
            }
        }
        return !hasSum || Take(time, _baseSum + _sum, null, null, ":sum"u8);
    }

    public bool EndPack()
    {
        if (_draft.Seen == 0)
        {
            return _draft.Stop(RefusalCode.BadPayload, "the SenML pack has no value");
        }
        _draft.RefuseDuplicates();
        return true;
    }

    private bool Take(long time, double value, string? state, string? unit, ReadOnlySpan<byte> suffix)
    {
        _draft.CheckNumber(value);
        Span<byte> resolved = stackalloc byte[2 * NameBytesMax];
        _baseName.AsSpan(0, _baseNameLength).CopyTo(resolved);
        _name.AsSpan(0, _nameLength).CopyTo(resolved[_baseNameLength..]);
        var rest = (ReadOnlySpan<byte>)resolved[..(_baseNameLength + _nameLength)];
        if (rest.IsEmpty)
        {
            _draft.Refuse(RefusalCode.BadName, "a SenML record has no name: give it \"n\", or the pack a \"bn\"");
        }
        rest = WithoutDevice(rest);
        var name = new NameText(stackalloc byte[SeriesKey.PartLengthMax]);
        name.Encode(rest.IsEmpty ? "value"u8 : rest);
        name.Append(suffix);
        if (name.IsTooLong)
        {
            _draft.Refuse(RefusalCode.BadName, Names.Explain("SenML name", rest));
        }
        _draft.TakeNamed(_draft.Readings.KeepName(name.Bytes), name.Length, time, value, state, unit);
        return true;
    }

    /// <summary>The name without the topic's device in front, which may stand there as a URN of RFC 9039, <c>urn:dev:mac:0024befffe804ff1:temp</c>.</summary>
    private ReadOnlySpan<byte> WithoutDevice(ReadOnlySpan<byte> name)
    {
        var device = (ReadOnlySpan<byte>)_device.AsSpan(0, _deviceLength);
        if (device.IsEmpty)
        {
            return name;
        }
        var rest = name;
        if (!rest.StartsWith(device) && rest.StartsWith(UrnPrefix))
        {
            // The device may be called urn:dev:mac:…, mac:… or … alone.
            rest = rest[UrnPrefix.Length..];
            rest = rest.StartsWith(device) ? rest : rest[(rest.IndexOf((byte)':') + 1)..];
        }
        if (!rest.StartsWith(device))
        {
            return name;
        }
        rest = rest[device.Length..];
        return rest.IsEmpty ? rest : ":/_."u8.Contains(rest[0]) ? rest[1..] : name;
    }

    private long Time()
    {
        var seconds = _baseTime + _time;
        if (seconds == 0)
        {
            return Reading.Untimed;
        }
        if (!(Math.Abs(seconds) < 1e12))
        {
            _draft.Refuse(RefusalCode.BadTime, "a SenML time is in seconds since 1970, or below 2^28 relative to now");
            return Reading.Untimed;
        }
        var micros = (long)Math.Round(seconds * 1e6);
        return _draft.CheckTime(seconds < RelativeBelow ? _draft.Now + micros : micros);
    }
}

using System.Text.Unicode;
using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest.Payloads;

/// <summary>
/// A message while it is being decoded: what has been read of it, and the first thing that is wrong with it. Every format writes into one.
/// Whoever reads it takes all or, where there is a refusal, nothing. Used again for every message of a connection; not thread-safe.
/// </summary>
internal sealed class Draft
{
    public const int StateBytesMax = 256;
    public const int UnitBytesMax = 64;

    public const string NotANumberText =
        "a value is NaN, infinite or beyond a float64: leave out what was not measured, or send a state in quotes";

    private readonly StateCache _states = new();

    public ReadingList Readings { get; private set; } = new();

    /// <summary>µs, what times are judged by.</summary>
    public long Now { get; private set; }

    public Refusal Refusal { get; private set; }

    /// <summary>Samples met so far, good or bad.</summary>
    public int Seen { get; private set; }

    /// <summary>Metrics that have no place in a series (tables, files, lists) and were passed over.</summary>
    public int Skipped { get; private set; }

    /// <param name="into">Cleared, then filled.</param>
    public void Begin(ReadingList into, long now)
    {
        into.Clear();
        Begin(now);
        Readings = into;
    }

    /// <summary>Begins a further part, whose readings go after those of the parts before.</summary>
    public void Begin(long now) => (Now, Refusal, Seen, Skipped) = (now, default, 0, 0);

    /// <param name="complete">The decoder got to the end, so that <see cref="Seen"/> is all there was.</param>
    public bool End(bool complete, out Refusal refusal)
    {
        // Where it broke off, what else the message stood for cannot be told.
        refusal = Refusal.IsNone ? default : Refusal with { Samples = complete ? Math.Max(1, Seen) : 1 };
        return refusal.IsNone;
    }

    /// <summary>Refuses the message, and goes on to count its samples.</summary>
    public void Refuse(string code, string text)
    {
        if (Refusal.IsNone)
        {
            Refusal = new(code, text, 1);
        }
    }

    /// <summary>Refuses the message and ends its decoding: always false.</summary>
    public bool Stop(string code, string text)
    {
        Refuse(code, text);
        return false;
    }

    public void Skip() => Skipped++;

    public void Take(long time, double value, string? state, string? unit)
    {
        Seen++;
        Readings.Add(time, value, state, unit);
    }

    /// <summary>Takes a reading whose name was just ended in <see cref="Readings"/>.</summary>
    public void TakeNamed(int start, int length, long time, double value, string? state, string? unit)
    {
        Seen++;
        Readings.AddNamed(start, length, time, value, state, unit);
    }

    public void CheckNumber(double value)
    {
        if (!double.IsFinite(value))
        {
            Refuse(RefusalCode.NotANumber, NotANumberText);
        }
    }

    /// <summary>A bad time is refused but does not end the decoding, so that all samples of the message are counted.</summary>
    public long CheckTime(long time)
    {
        if (!Instant.IsAcceptable(time, Now))
        {
            Refuse(RefusalCode.BadTime, $"time {Instant.Format(time)} is not between 2000-01-01 and one day ahead of now, {Instant.Format(Now)}: "
                + "check the device's clock, and send epoch s, ms, µs or ns, or RFC 3339");
        }
        return time;
    }

    /// <summary>The state of these bytes; one that is too long or no text is refused.</summary>
    public string State(ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length > StateBytesMax)
        {
            Refuse(RefusalCode.StateTooLong, $"a state is longer than {StateBytesMax} bytes: send a short name of the state");
            return "";
        }
        if (!Utf8.IsValid(utf8))
        {
            Refuse(RefusalCode.BadPayload, "a string in the payload is not valid UTF-8");
            return "";
        }
        return _states.Get(utf8);
    }

    /// <summary>The unit of these bytes; null for none.</summary>
    public string? Unit(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty)
        {
            return null;
        }
        if (utf8.Length > UnitBytesMax || utf8.ContainsAnyInRange((byte)0, (byte)' ') || !Utf8.IsValid(utf8))
        {
            Refuse(RefusalCode.BadPayload,
                $"'{Excerpt.Of(utf8, UnitBytesMax)}' is not a unit: send a SenML unit such as Cel, without spaces, at most {UnitBytesMax} bytes");
            return null;
        }
        return _states.Get(utf8);
    }

    /// <summary>Refuses two readings of one name and time, of which only one could be stored.</summary>
    /// <param name="first">Readings before this one are of another part.</param>
    public void RefuseDuplicates(int first = 0)
    {
        if (Readings.FindDuplicate(first) is { } name)
        {
            Refuse(RefusalCode.BadPayload, $"'{Excerpt.Of(Readings.NameOf(name), 80)}' occurs twice for the same time: send one value, or different times");
        }
    }
}

using System.Globalization;
using Foretier.Core.Samples;

namespace Foretier.Core.Query;

/// <content>Reads questions as they are written.</content>
public sealed partial record Question
{
    private const string TimeForms = "use RFC 3339 (2026-01-31T12:00:00Z), epoch seconds or milliseconds, now, or -6h";

    /// <summary>2200-01-01: no rule of a time zone is known so far ahead.</summary>
    private const long YearMax = 7_258_118_400L * Instant.Second;

    /// <inheritdoc cref="Parse(QuestionText, long, out QuestionError?)"/>
    public static Question? Parse(string? series, string? from, string? to, string? step, string? fn, long now, out QuestionError? error) =>
        Parse(new(series, from, to, step, fn), now, out error);

    /// <summary>The question, or null and what is wrong with it.</summary>
    /// <param name="text">As it was written.</param>
    /// <param name="now">µs.</param>
    /// <param name="error">Null where there is a question.</param>
    public static Question? Parse(QuestionText text, long now, out QuestionError? error)
    {
        var patterns = Split(text.Series);
        var globs = new List<SeriesGlob>(patterns.Length);
        foreach (var pattern in patterns)
        {
            if (!SeriesGlob.TryParse(pattern, out var glob, out var why))
            {
                return Fail(out error, "bad_series", why!);
            }
            globs.Add(glob!);
        }
        if (globs.Count == 0)
        {
            return Fail(out error, "bad_series", "no series was named; give series=account/device/measurement, * allowed in each part");
        }
        if (!TryTime(text.To, now, now, out var end))
        {
            return Fail(out error, "bad_time", $"to='{text.To}' is not a time; {TimeForms}");
        }
        if (!TryTime(text.From, now, end - Instant.Hour, out var start))
        {
            return Fail(out error, "bad_time", $"from='{text.From}' is not a time; {TimeForms}");
        }
        if (start >= end)
        {
            return Fail(out error, "bad_range", $"from {Instant.Format(start)} is not before to {Instant.Format(end)}; ranges are half-open, swap them or widen the range");
        }
        long step = 0;
        if (!string.IsNullOrWhiteSpace(text.Step) && (!TryDuration(text.Step, out step) || step <= 0))
        {
            return Fail(out error, "bad_step", $"step='{text.Step}' is not a positive duration; use for example 30s, 1m, 1h or 1d, or leave it out for one value over the range");
        }
        var named = Split(text.Fn);
        var functions = new List<Fn>(Math.Max(1, named.Length));
        foreach (var name in named)
        {
            if (!TryFn(name, out var function))
            {
                return Fail(out error, "bad_function", $"fn='{name}' is not known; use {string.Join(", ", FnNames)}");
            }
            if (!functions.Contains(function))
            {
                functions.Add(function);
            }
        }
        if (functions.Count == 0)
        {
            functions.Add(step == 0 ? Query.Fn.Raw : Query.Fn.Avg);
        }
        var question = new Question(globs, new(start, end), step, functions) { HoldsUntil = Math.Min(end, now) };
        return question.Shape(text, out error) is { } shaped && shaped.CheckPoints(1, out error) ? shaped : null;
    }

    /// <summary>Adds what says how an answer is put together, where it fits the functions.</summary>
    private Question? Shape(QuestionText text, out QuestionError? error)
    {
        error = null;
        if (!TryWord(text.Fill, out Fill fill))
        {
            return Fail(out error, "bad_fill", $"fill='{text.Fill}' is not known; use none, null, previous or linear");
        }
        if (!TryWord(text.By, out GroupBy by) || string.Equals(text.By, "series", StringComparison.OrdinalIgnoreCase))
        {
            return Fail(out error, "bad_by", $"by='{text.By}' is not known; use account, device or measurement, or leave it out for each series by itself");
        }
        if (NeedsRaw && Step != 0)
        {
            return Fail(out error, "bad_step", "raw samples have no steps; leave step out, or ask for another function such as avg or last");
        }
        if (NeedsRaw && by != GroupBy.Series)
        {
            return Fail(out error, "bad_by", "raw samples are not put together; leave by out, or ask for another function such as avg");
        }
        if (fill != Fill.None && Step == 0)
        {
            return Fail(out error, "bad_fill", "fill is for steps without a value; give a step, or leave fill out");
        }
        TimeZoneInfo? zone = null;
        if (!string.IsNullOrWhiteSpace(text.Zone) && !TimeZoneInfo.TryFindSystemTimeZoneById(text.Zone.Trim(), out zone))
        {
            return Fail(out error, "bad_zone", $"tz='{text.Zone}' is no time zone known here; use a name such as Europe/Rome or UTC");
        }
        if (zone is not null && (Range.From < 0 || Range.To > YearMax))
        {
            return Fail(out error, "bad_range", "days of a time zone are known from 1970 to 2200; ask for a range within, or leave tz out");
        }
        if (zone is not null && Step % Instant.Day == 0 && Step / Instant.Day > 36_500)
        {
            return Fail(out error, "bad_step", $"step='{text.Step}' is longer than a century; use a shorter one, or none for one value over the range");
        }
        if (!TryWindow(text.Window, out var window, out error))
        {
            return null;
        }
        return (fill, by, zone, window) == default ? this : this with { Fill = fill, By = by, Zone = zone, Window = window };
    }

    private bool TryWindow(string? text, out long window, out QuestionError? error)
    {
        window = 0;
        var isRolling = Functions.Contains(Query.Fn.RollingAvg);
        var isGiven = !string.IsNullOrWhiteSpace(text);
        error = isGiven && (!TryDuration(text!, out window) || window <= 0)
                ? new("bad_window", $"window='{text}' is not a positive duration; use for example 10m or 1d")
            : isRolling && Step == 0 ? new("bad_step", "rolling_avg needs a step: it gives one point for each, the average over the window that ends with it")
            : isRolling && !isGiven ? new("bad_window", "rolling_avg needs window=, a multiple of the step")
            : isGiven && !isRolling ? new("bad_window", "window is for rolling_avg; ask for it with fn=rolling_avg, or leave window out")
            : isGiven && window % Step != 0 ? new("bad_window", $"window='{text}' is not a multiple of the step; make it one")
            : isGiven && window / Step > PointsMax ? new("bad_window", $"window='{text}' has more than {PointsMax} steps; use a longer step")
            : null;
        return error is null;
    }

    /// <summary>Reads <c>500ms</c>, <c>30s</c>, <c>1m</c>, <c>6h</c>, <c>1d</c>, <c>1w</c>, or a bare number of seconds.</summary>
    public static bool TryDuration(ReadOnlySpan<char> text, out long micros)
    {
        micros = 0;
        text = text.Trim();
        var digits = 0;
        while (digits < text.Length && (char.IsAsciiDigit(text[digits]) || text[digits] == '.'))
        {
            digits++;
        }
        if (!double.TryParse(text[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var amount))
        {
            return false;
        }
        long unit = text[digits..] switch
        {
            "us" => 1,
            "ms" => Instant.Millisecond,
            "" or "s" => Instant.Second,
            "m" => Instant.Minute,
            "h" => Instant.Hour,
            "d" => Instant.Day,
            "w" => 7 * Instant.Day,
            _ => 0,
        };
        var total = amount * unit;
        micros = total is >= 0 and < 9e18 ? (long)Math.Round(total) : 0;
        return unit > 0 && total < 9e18;
    }

    /// <summary>A time as questions write it: RFC 3339, epoch, now, -6h.</summary>
    /// <param name="otherwise">Where the text is empty.</param>
    public static bool TryTime(string? text, long now, long otherwise, out long micros)
    {
        micros = otherwise;
        if (string.IsNullOrWhiteSpace(text))
        {
            return true;
        }
        text = text.Trim();
        if (text.StartsWith("now", StringComparison.Ordinal))
        {
            text = text[3..];
            micros = now;
            if (text.Length == 0)
            {
                return true;
            }
        }
        // A leading minus is relative: nobody asks for times before 1970.
        if (text[0] == '-' && TryDuration(text.AsSpan(1), out var back))
        {
            micros = now - back;
            return true;
        }
        return Instant.TryParse(text, out micros);
    }

    private static bool TryWord<T>(string? text, out T word)
        where T : struct, Enum
    {
        word = default;
        return string.IsNullOrWhiteSpace(text) || (text.All(char.IsAsciiLetter) && Enum.TryParse(text, ignoreCase: true, out word) && Enum.IsDefined(word));
    }

    private static string[] Split(string? text) =>
        text?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

    private static Question? Fail(out QuestionError error, string code, string detail)
    {
        error = new(code, detail);
        return null;
    }
}

using System.Globalization;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;

namespace Foretier.Core.Query;

/// <summary>What can be asked of a series. Names in the API are the lower-case ones.</summary>
public enum Fn
{
    Raw,
    Avg,
    Min,
    Max,
    Sum,
    Count,
    First,
    Last,
}

/// <summary>Why a question cannot be answered: a stable code, and a sentence that says what was wrong and what to do.</summary>
public sealed record QuestionError(string Code, string Detail);

/// <summary>A question that can be answered: series, a range, a step, functions.</summary>
/// <param name="Series">Patterns; at least one.</param>
/// <param name="Range">Half-open, not empty.</param>
/// <param name="Step">µs; 0 = the whole range is one bucket. Steps are counted from 1970-01-01 UTC.</param>
/// <param name="Functions">At least one, each once.</param>
public sealed record Question(IReadOnlyList<SeriesGlob> Series, TimeRange Range, long Step, IReadOnlyList<Fn> Functions)
{
    /// <summary>Points an answer may have: series × functions × steps. More is a sign of a wrong step and would not fit a screen or memory.</summary>
    public const long PointsMax = 5_000_000;

    public bool NeedsRaw => Functions.Contains(Fn.Raw);
    public bool NeedsRollups => Functions.Any(fn => fn != Fn.Raw);
    public BucketGrid Grid => new(Range, Step, Step == 0 ? Range.From : 0);

    /// <summary>Reads the parameters of a query as they come in a URL or a JSON document.</summary>
    /// <param name="series">One or several patterns, separated by commas.</param>
    /// <param name="from">RFC 3339, epoch, <c>now</c> or relative to now as in <c>-6h</c>; default one hour before <paramref name="to"/>.</param>
    /// <param name="to">The same; default now.</param>
    /// <param name="step">A duration (<c>500ms</c>, <c>30s</c>, <c>1m</c>, <c>1h</c>, <c>1d</c>; a bare number is seconds); none = one bucket.</param>
    /// <param name="fn">Function names separated by commas; default raw without a step, avg with one.</param>
    public static Question? Parse(string? series, string? from, string? to, string? step, string? fn, long now, out QuestionError? error)
    {
        var globs = new List<SeriesGlob>();
        foreach (var text in Split(series))
        {
            if (!SeriesGlob.TryParse(text, out var glob, out var why))
            {
                return Fail(out error, "bad_series", why!);
            }
            globs.Add(glob!);
        }
        if (globs.Count == 0)
        {
            return Fail(out error, "bad_series", "no series was named; give series=account/device/measurement, * allowed in each part");
        }
        if (!TryTime(to, now, now, out var end))
        {
            return Fail(out error, "bad_time", $"to='{to}' is not a time; use RFC 3339 (2026-01-31T12:00:00Z), epoch seconds or milliseconds, now, or -6h");
        }
        if (!TryTime(from, now, end - Instant.Hour, out var start))
        {
            return Fail(out error, "bad_time", $"from='{from}' is not a time; use RFC 3339 (2026-01-31T12:00:00Z), epoch seconds or milliseconds, now, or -6h");
        }
        if (start >= end)
        {
            return Fail(out error, "bad_range", $"from {Instant.Format(start)} is not before to {Instant.Format(end)}; ranges are half-open, swap them or widen the range");
        }
        long stepMicros = 0;
        if (!string.IsNullOrWhiteSpace(step) && (!TryDuration(step, out stepMicros) || stepMicros <= 0))
        {
            return Fail(out error, "bad_step", $"step='{step}' is not a positive duration; use for example 30s, 1m, 1h or 1d, or leave it out for one value over the range");
        }
        var functions = new List<Fn>();
        foreach (var name in Split(fn))
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
            functions.Add(stepMicros == 0 ? Fn.Raw : Fn.Avg);
        }
        var question = new Question(globs, new(start, end), stepMicros, functions);
        return question.CheckPoints(1, out error) ? question : null;
    }

    /// <summary>False, with the reason, where the grid over so many series would have too many points.</summary>
    public bool CheckPoints(int seriesCount, out QuestionError? error)
    {
        var points = (double)Grid.Count * seriesCount * Functions.Count(fn => fn != Fn.Raw);
        error = points <= PointsMax ? null : new("too_many_points", string.Create(CultureInfo.InvariantCulture,
            $"the answer could have {points:0} points, more than {PointsMax}; use a longer step, a shorter range or fewer series"));
        return error is null;
    }

    public static IEnumerable<string> FnNames => Enum.GetValues<Fn>().Select(NameOf);

#pragma warning disable CA1308 // the API's names are lower-case
    public static string NameOf(Fn fn) => fn.ToString().ToLowerInvariant();
#pragma warning restore CA1308

    public static bool TryFn(string name, out Fn fn) =>
        Enum.TryParse(name, ignoreCase: true, out fn) && Enum.IsDefined(fn) && !char.IsAsciiDigit(name[0]);

    /// <summary>Reads <c>500ms</c>, <c>30s</c>, <c>1m</c>, <c>6h</c>, <c>1d</c>, <c>1w</c>, or a bare number of seconds.</summary>
    public static bool TryDuration(string text, out long micros)
    {
        micros = 0;
        text = text.Trim();
        var digits = text.TakeWhile(c => char.IsAsciiDigit(c) || c == '.').Count();
        if (!double.TryParse(text.AsSpan(0, digits), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var amount))
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

    private static bool TryTime(string? text, long now, long otherwise, out long micros)
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
        if (text[0] == '-' && TryDuration(text[1..], out var back))
        {
            micros = now - back;
            return true;
        }
        return Instant.TryParse(text, out micros);
    }

    private static string[] Split(string? text) =>
        text?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

    private static Question? Fail(out QuestionError error, string code, string detail)
    {
        error = new(code, detail);
        return null;
    }
}

using Foretier.Core.Query;
using Foretier.Core.Samples;

namespace Foretier.Tests.Differential;

/// <summary>One case: a random placement, asked at random, against the oracle. The seed tells all.</summary>
internal static class DifferentialCase
{
    private static readonly string[] Functions =
        ["avg", "min", "max", "sum", "count", "first", "last", "stddev", "rate", "increase", "rolling_avg", "duration", "p50", "p90", "p99.9", "p0", "p100"];

    private static readonly string[] Steps = ["1m", "5m", "1h", "1d", "2d", "1w", "7000001us", "90s", "15m", "6h"];

    /// <returns>How many questions were compared.</returns>
    /// <exception cref="InvalidOperationException">An answer differs; the message says by what, for which question and seed.</exception>
    public static async Task<int> RunAsync(int seed, int questions)
    {
        var random = new Random(seed);
        var placement = new Placement(random);
        for (var i = 0; i < questions; i++)
        {
            var (text, now) = Ask(random, placement);
            try
            {
                await CheckAsync(random, placement, text, now);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"seed {seed}, question {i} {text} (now {Instant.Format(now)}): {e.Message}", e);
            }
        }
        return questions;
    }

    private static async Task CheckAsync(Random random, Placement placement, QuestionText text, long now)
    {
        var question = Question.Parse(text, now, out var error) ?? throw new InvalidOperationException($"refused: {error!.Detail}");
        var series = placement.Answerer.Resolve(question, out error);
        if (error is not null)
        {
            throw new InvalidOperationException($"refused: {error.Detail}");
        }
        // Given back, so that later cases are answered in rows that were used.
        using var page = AnswerPage.Whole(await placement.Answerer.AnswerAsync(question, series, CancellationToken.None));
        var actual = Collect(page, []);
        if (random.Next(3) == 0)
        {
            // Few pages: each is an answer of its own.
            var limit = actual.Sum(r => r.Value.Count) / random.Next(1, 12) + 1;
            actual = await CollectPagesAsync(placement.Answerer, question, series, limit);
        }
        var expected = new Oracle(placement.Truth.Where(s => question.Series[0].Matches(SeriesKey.Parse(s.Key))).ToDictionary(), question, text.Zone).Answer().Where(e => e.Value.Count > 0).ToDictionary();
        if (!expected.Keys.ToHashSet().SetEquals(actual.Keys))
        {
            throw new InvalidOperationException($"results [{string.Join("; ", actual.Keys.Order())}], expected [{string.Join("; ", expected.Keys.Order())}]");
        }
        foreach (var (name, points) in expected)
        {
            Compare(name, points, actual[name]);
        }
    }

    private static void Compare(string name, List<ExpectedPoint> expected, List<ResultPoint> actual)
    {
        for (var i = 0; i < Math.Max(expected.Count, actual.Count); i++)
        {
            var isSame = i < expected.Count && i < actual.Count && expected[i].Time == actual[i].Time && expected[i].State == actual[i].State
                && (expected[i].State is not null || expected[i].Value.Equals(actual[i].Value) || Math.Abs(expected[i].Value - actual[i].Value) <= expected[i].Tolerance);
            if (!isSame)
            {
                throw new InvalidOperationException($"{name}, point {i}: {(i < actual.Count ? actual[i] : "none")}, expected {(i < expected.Count ? expected[i] : "none")}");
            }
        }
    }

    private static async Task<Dictionary<string, List<ResultPoint>>> CollectPagesAsync(
        Answerer answerer, Question question, Core.Tiers.SeriesInfo[] series, int limit)
    {
        var results = new Dictionary<string, List<ResultPoint>>();
        PageCursor? cursor = null;
        do
        {
            var page = await new Pager(answerer).AskAsync(question, series, limit, cursor, CancellationToken.None);
            if (page.Results.Sum(r => r.Points.Count()) is var count && (count > limit || (page.Next is not null && count < limit)))
            {
                throw new InvalidOperationException($"{count} points on a page of {limit}");
            }
            Collect(page, results);
            cursor = page.Next is null ? null : PageCursor.Parse(page.Next.ToText("q"), "q", out _);
        }
        while (cursor is not null);
        return results;
    }

    private static Dictionary<string, List<ResultPoint>> Collect(AnswerPage page, Dictionary<string, List<ResultPoint>> results)
    {
        foreach (var result in page.Results)
        {
            var points = result.Points.ToList();
            var name = $"{result.Series} {result.Fn.Name} {result.State}";
            if (points.Count > 0 && !results.TryAdd(name, points))
            {
                results[name].AddRange(points);
            }
        }
        return results;
    }

    private static (QuestionText Text, long Now) Ask(Random random, Placement placement)
    {
        var span = placement.Days * Instant.Day;
        var from = placement.Origin + random.NextInt64(-Instant.Hour, span);
        var to = from + random.NextInt64(1, random.Next(3) == 0 ? Instant.Hour : span);
        var isRaw = random.Next(8) == 0;
        var step = isRaw || random.Next(4) == 0 ? null : Steps[random.Next(Steps.Length)];
        long length = 0;
        if (step is not null)
        {
            Question.TryDuration(step, out length);
            if ((to - from) / length > 1500)
            {
                (step, length) = ("1h", Instant.Hour);
            }
        }
        // Edges on steps, on minutes and on samples' own times are where off-by-ones live.
        switch (random.Next(4))
        {
            case 0:
                (from, to) = (Instant.Floor(from, Instant.Minute), Instant.Floor(to, Instant.Minute) + Instant.Minute);
                break;
            case 1 when length > 0:
                (from, to) = (Instant.Floor(from, length), Instant.Floor(to, length) + length);
                break;
            case 2 when placement.Truth.Values.First().Keys.ToList() is { Count: > 0 } times:
                from = times[random.Next(times.Count)];
                to = times[random.Next(times.Count)] is var other && other > from ? other + random.Next(2) : from + random.Next(1, 3);
                break;
        }
        var functions = isRaw ? ["raw"] : Functions.OrderBy(_ => random.Next()).Take(random.Next(1, 5)).Where(fn => step is not null || fn != "rolling_avg").ToList();
        // A gauge has as many states as numbers: filled, each would have every step.
        var mayFill = step is not null && !(functions.Contains("duration") && (to - from) / length > 50);
        var isRolling = functions.Contains("rolling_avg");
        var text = new QuestionText(random.Next(4) == 0 ? "acme/d0/*" : "acme/*/*", Instant.Format(from), Instant.Format(to), step,
            functions.Count == 0 ? "avg" : string.Join(',', functions))
        {
            Zone = random.Next(3) == 0 ? "Europe/Rome" : null,
            By = isRaw || random.Next(3) > 0 ? null : new[] { "account", "device", "measurement" }[random.Next(3)],
            Fill = !mayFill || random.Next(2) == 0 ? null : new[] { "none", "null", "previous", "linear" }[random.Next(4)],
            Window = isRolling ? $"{random.Next(1, 12) * length}us" : null,
        };
        return (text, random.Next(3) == 0 ? random.NextInt64(from, to + 1) : placement.Origin + 10 * Instant.Day);
    }
}

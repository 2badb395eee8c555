using System.Globalization;
using Foretier.Core.Query;
using Foretier.Core.Samples;

namespace Foretier.Tests.Differential;

/// <summary>One sample as the oracle knows it.</summary>
internal readonly record struct PlainSample(long Time, double Value, string? State)
{
    public string Text => State ?? Value.ToString("R", CultureInfo.InvariantCulture);
}

/// <param name="Tolerance">By how much the answer may differ; 0 = not by a bit.</param>
internal readonly record struct ExpectedPoint(long Time, double Value, string? State, double Tolerance);

/// <summary>
/// Says what a question's answer is, from the plain samples, step by step and as naively as can be: no rollups, no merging, no planner, and its
/// own idea of steps and days.
/// </summary>
internal sealed class Oracle(IReadOnlyDictionary<string, SortedDictionary<long, PlainSample>> truth, Question question, string? zone)
{
    private readonly TimeZoneInfo? _zone = zone is null || question.Step == 0 || question.Step % Instant.Day != 0 ? null : TimeZoneInfo.FindSystemTimeZoneById(zone);

    // What each series grew by from number to number; the state is the size of both.
    private readonly Dictionary<List<PlainSample>, List<PlainSample>> _growths = [];

    public Dictionary<string, List<ExpectedPoint>> Answer()
    {
        var answer = new Dictionary<string, List<ExpectedPoint>>();
        var steps = Steps(question.Range.From).ToList();
        foreach (var group in truth.GroupBy(s => GroupOf(s.Key)))
        {
            var series = group.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => s.Value.Values.ToList()).ToList();
            foreach (var fn in question.Functions)
            {
                if (fn == Fn.Duration)
                {
                    foreach (var (state, points) in Durations(series, steps))
                    {
                        answer[$"{group.Key} {fn.Name} {state}"] = points;
                    }
                    continue;
                }
                answer[$"{group.Key} {fn.Name} "] = fn == Fn.Raw
                    ? [.. Within(series[0], question.Range).Select(s => new ExpectedPoint(s.Time, s.Value, s.State, 0))]
                    : Filled(fn, steps, step => ValueOf(fn, series, step));
            }
        }
        return answer;
    }

    private string GroupOf(string series)
    {
        var parts = series.Split('/');
        return question.By switch
        {
            GroupBy.Account => parts[0] + "/*/*",
            GroupBy.Device => $"{parts[0]}/{parts[1]}/*",
            GroupBy.Measurement => $"{parts[0]}/*/{parts[2]}",
            _ => series,
        };
    }

    private ExpectedPoint? ValueOf(Fn fn, List<List<PlainSample>> series, TimeRange step)
    {
        var inRange = step.Clip(question.Range);
        var samples = series.SelectMany(s => Within(s, inRange)).OrderBy(s => s.Time).ToList();
        var numbers = samples.Where(s => s.State is null).Select(s => s.Value).ToList();
        var size = numbers.Sum(Math.Abs);
        ExpectedPoint Point(double value, double tolerance = 0, string? state = null) => new(step.From, value, state, tolerance);
        switch (fn.Kind)
        {
            case FnKind.Count:
                return samples.Count > 0 || question.Step == 0 ? Point(samples.Count) : null;
            case FnKind.First:
                return samples.Count == 0 ? null : Point(samples[0].Value, 0, samples[0].State);
            case FnKind.Last:
                return samples.Count == 0 ? null : Point(samples[^1].Value, 0, samples[^1].State);
            case FnKind.Increase or FnKind.Rate:
                var seconds = fn.Kind == FnKind.Rate ? inRange.Length / 1e6 : 1;
                return Increase(series, inRange) is var (sum, about) && !double.IsNaN(sum) ? Point(sum / seconds, 1e-12 * about / seconds) : null;
            case FnKind.RollingAvg:
                var window = new TimeRange(Back(step.From, question.Window / question.Step - 1), inRange.To);
                var rolled = series.SelectMany(s => Within(s, window)).Where(s => s.State is null).Select(s => s.Value).ToList();
                return rolled.Count == 0 ? null : Point(Exact(rolled) / rolled.Count, 1e-12 * rolled.Sum(Math.Abs));
        }
        if (numbers.Count == 0)
        {
            return null;
        }
        return fn.Kind switch
        {
            FnKind.Min => Point(numbers.Min()),
            FnKind.Max => Point(numbers.Max()),
            FnKind.Sum => Point(Exact(numbers), 1e-12 * size),
            FnKind.Avg => Point(Exact(numbers) / numbers.Count, 1e-12 * size),
            FnKind.Stddev => Spread(numbers) is var spread ? Point(spread, 1e-9 * (spread + size / numbers.Count) + 1e-12) : null,
            _ => Percentile(numbers, fn.Percent) is var (value, about) ? Point(value, about * 0.01) : null,
        };
    }

    /// <summary>Kahan and Babuška's sum: a plain one would be less exact than what it judges.</summary>
    private static double Exact(List<double> numbers)
    {
        var (sum, lost) = (0.0, 0.0);
        foreach (var number in numbers)
        {
            var total = sum + number;
            lost += Math.Abs(sum) >= Math.Abs(number) ? sum - total + number : number - total + sum;
            sum = total;
        }
        return sum + lost;
    }

    private static double Spread(List<double> numbers)
    {
        var mean = Exact(numbers) / numbers.Count;
        return Math.Sqrt(numbers.Sum(x => (x - mean) * (x - mean)) / numbers.Count);
    }

    private static (double Value, double About) Percentile(List<double> numbers, double percent)
    {
        var sorted = numbers.Order().ToList();
        var rank = percent / 100 * (sorted.Count - 1);
        double low = sorted[(int)Math.Floor(rank)], high = sorted[(int)Math.Ceiling(rank)], share = rank - Math.Floor(rank);
        return (low * (1 - share) + high * share, Math.Max(Math.Abs(low), Math.Abs(high)));
    }

    private (double Sum, double About) Increase(List<List<PlainSample>> series, TimeRange step)
    {
        var (sum, about) = (double.NaN, 0.0);
        foreach (var one in series)
        {
            if (!_growths.TryGetValue(one, out var growths))
            {
                var numbers = Within(one, question.Range).Where(s => s.State is null).ToList();
                _growths[one] = growths = [.. numbers.Zip(numbers.Skip(1), (before, n) => new PlainSample(n.Time,
                    n.Value >= before.Value ? n.Value - before.Value : n.Value, (Math.Abs(n.Value) + Math.Abs(before.Value)).ToString("R", CultureInfo.InvariantCulture)))];
            }
            foreach (var growth in Within(growths, step))
            {
                sum = (double.IsNaN(sum) ? 0 : sum) + growth.Value;
                about += double.Parse(growth.State!, CultureInfo.InvariantCulture);
            }
        }
        return (sum, about);
    }

    private Dictionary<string, List<ExpectedPoint>> Durations(List<List<PlainSample>> series, List<TimeRange> steps)
    {
        var holds = new List<(string State, TimeRange When)>();
        var end = Math.Min(question.Range.To, question.HoldsUntil);
        foreach (var one in series)
        {
            var known = Within(one, new(question.Range.From - Instant.Day, question.Range.To)).ToList();
            for (var i = 0; i < known.Count; i++)
            {
                var until = i + 1 < known.Count ? known[i + 1].Time : Math.Max(end, known[i].Time);
                holds.Add((known[i].Text, new TimeRange(known[i].Time, until).Clip(new(question.Range.From, question.Range.To))));
            }
        }
        var durations = new Dictionary<string, List<ExpectedPoint>>();
        foreach (var state in holds.Where(h => !h.When.IsEmpty).GroupBy(h => h.State))
        {
            var micros = new long[steps.Count];
            foreach (var (_, when) in state)
            {
                var at = steps.FindIndex(step => step.To > when.From);
                for (; at >= 0 && at < steps.Count && steps[at].From < when.To; at++)
                {
                    micros[at] += when.Clip(steps[at]).Length;
                }
            }
            var next = 0;
            durations[state.Key] = Filled(Fn.Duration, steps, step => micros[next++] is > 0 and var some ? new(step.From, some / 1e6, null, 1e-6) : null);
        }
        return durations;
    }

    private List<ExpectedPoint> Filled(Fn fn, List<TimeRange> steps, Func<TimeRange, ExpectedPoint?> valueOf)
    {
        var values = steps.ConvertAll(step => valueOf(step));
        if (question.Fill == Fill.None)
        {
            return [.. values.OfType<ExpectedPoint>()];
        }
        var filled = new List<ExpectedPoint>();
        ExpectedPoint? before = null;
        var after = new ExpectedPoint?[steps.Count];
        for (var i = steps.Count - 1; i >= 0; i--)
        {
            after[i] = values[i] ?? (i + 1 < steps.Count ? after[i + 1] : null);
        }
        for (var i = 0; i < steps.Count; i++)
        {
            var none = new ExpectedPoint(steps[i].From, fn.Kind is FnKind.Count or FnKind.Duration ? 0 : double.NaN, null, 0);
            before = values[i] ?? before;
            filled.Add(values[i] ?? (none.Value == 0 || question.Fill == Fill.Null ? none
                : question.Fill == Fill.Previous ? (before is { } b ? b with { Time = steps[i].From } : none)
                : before is { State: null } l && after[i] is { State: null } r ? Between(steps[i].From, l, r) : none));
        }
        return filled;
    }

    private static ExpectedPoint Between(long time, ExpectedPoint l, ExpectedPoint r) =>
        new(time, l.Value + (r.Value - l.Value) * (time - l.Time) / (r.Time - l.Time), null,
            Math.Max(l.Tolerance, r.Tolerance) + 1e-12 * (Math.Abs(l.Value) + Math.Abs(r.Value)));

    private IEnumerable<TimeRange> Steps(long from)
    {
        if (question.Step == 0)
        {
            yield return question.Range;
            yield break;
        }
        for (var at = StartOf(from); at < question.Range.To;)
        {
            var next = Back(at, -1);
            yield return new(at, next);
            at = next;
        }
    }

    private long StartOf(long time)
    {
        if (_zone is null)
        {
            return (long)Math.Floor((decimal)time / question.Step) * question.Step;
        }
        var day = TimeZoneInfo.ConvertTime(Instant.ToDateTimeOffset(time), _zone).Date;
        var days = (int)(question.Step / Instant.Day);
        while ((day - new DateTime(1970, 1, 5)).Days % days != 0)
        {
            day = day.AddDays(-1);
        }
        return Midnight(day);
    }

    /// <summary>The start of the step so many before the one that begins at a time.</summary>
    private long Back(long start, long steps)
    {
        if (_zone is null)
        {
            return start - steps * question.Step;
        }
        return Midnight(TimeZoneInfo.ConvertTime(Instant.ToDateTimeOffset(start), _zone).Date.AddDays(-steps * (question.Step / Instant.Day)));
    }

    private long Midnight(DateTime day) => Instant.From(new DateTimeOffset(day, _zone!.GetUtcOffset(day)));

    private static IEnumerable<PlainSample> Within(List<PlainSample> samples, TimeRange range)
    {
        var at = samples.BinarySearch(new(range.From, 0, null), ByTime);
        for (at = at < 0 ? ~at : at; at < samples.Count && samples[at].Time < range.To; at++)
        {
            yield return samples[at];
        }
    }

    private static readonly Comparer<PlainSample> ByTime = Comparer<PlainSample>.Create((a, b) => a.Time.CompareTo(b.Time));
}

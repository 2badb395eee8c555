using Foretier.Core.Rollups;
using Foretier.Core.Samples;

namespace Foretier.Core.Query;

/// <summary>One point of a result.</summary>
/// <param name="Time">µs: of the sample, or the start of the step.</param>
/// <param name="Value">NaN where there is none.</param>
/// <param name="State">Where the value is a state.</param>
public readonly record struct ResultPoint(long Time, double Value, string? State = null)
{
    public static ResultPoint None(long time) => new(time, double.NaN);
}

/// <summary>One function of a series or of a group of series.</summary>
/// <param name="Series">Its name; of a group <c>acme/boiler-1/*</c>, <c>acme/*/temperature</c> or <c>acme/*/*</c>.</param>
/// <param name="State">Of a duration: which state held for so long.</param>
/// <param name="Points">In order of time. May be enumerated once only.</param>
public sealed record AnswerResult(string Series, string? Unit, Fn Fn, string? State, IEnumerable<ResultPoint> Points);

/// <summary>
/// Turns an answer's samples and rollups into points. What each function means, and what <c>by</c> makes of it, is told in QUERIES.md.
/// </summary>
public static class AnswerResults
{
    /// <exception cref="QuestionRefusedException">There are too many states to give the time of each.</exception>
    public static IReadOnlyList<AnswerResult> Of(Answer answer)
    {
        var (question, grid) = (answer.Question, answer.Question.Grid);
        var results = new List<AnswerResult>(answer.Series.Count * question.Functions.Count);
        if (question.By == GroupBy.Series)
        {
            for (var i = 0; i < answer.Series.Count; i++)
            {
                Add(results, new(answer.Series[i].Name, [answer.Series[i]], question, grid));
            }
            return results;
        }
        foreach (var group in answer.Series.GroupBy(s => SeriesGroup.NameOf(s.Name, question.By)).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            Add(results, new(group.Key, [.. group], question, grid));
        }
        return results;
    }

    private static void Add(List<AnswerResult> to, SeriesGroup group)
    {
        for (var i = 0; i < group.Question.Functions.Count; i++)
        {
            var fn = group.Question.Functions[i];
            switch (fn.Kind)
            {
                case FnKind.Raw:
                    to.Add(new(group.Name, group.Unit, fn, null, RawPoints(group.Members[0].Raw!)));
                    break;
                case FnKind.RollingAvg:
                    to.Add(new(group.Name, group.Unit, fn, null, Filling.Of(group.Question, fn, group.Grid, RollingAverage.PointsOf(group))));
                    break;
                case FnKind.Duration:
                    foreach (var (state, times) in Durations.Of(group))
                    {
                        var points = times.Select(t => new ResultPoint(t.Key, t.Value / (double)Instant.Second));
                        to.Add(new(group.Name, "s", fn, state, Filling.Of(group.Question, fn, group.Grid, points)));
                    }
                    break;
                default:
                    to.Add(new(group.Name, UnitOf(fn, group.Unit), fn, null, Filling.Of(group.Question, fn, group.Grid, Points(group, fn))));
                    break;
            }
        }
    }

    private static string? UnitOf(Fn fn, string? unit) => fn.Kind switch
    {
        FnKind.Count => null,
        FnKind.Rate => unit is null ? null : unit + "/s",
        _ => unit,
    };

    private static IEnumerable<ResultPoint> RawPoints(SampleColumns raw)
    {
        for (var i = 0; i < raw.Count; i++)
        {
            yield return new(raw.Times[i], raw.Values[i], raw.StateAt(i));
        }
    }

    private static IEnumerable<ResultPoint> Points(SeriesGroup group, Fn fn)
    {
        var rows = group.Rows;
        if (rows.Count == 0 && fn == Fn.Count && group.Question.Step == 0)
        {
            // How many is always a question with an answer.
            yield return new(group.Question.Range.From, 0);
        }
        for (var i = 0; i < rows.Count; i++)
        {
            if (TryPoint(group, fn, rows.Rows[i], out var point))
            {
                yield return point;
            }
        }
    }

    /// <summary>False where the step has none.</summary>
    private static bool TryPoint(SeriesGroup group, Fn fn, in BucketRow row, out ResultPoint point)
    {
        ref readonly var rollup = ref row.Rollup;
        switch (fn.Kind)
        {
            case FnKind.Count:
                point = new(row.Start, rollup.Count);
                return true;
            case FnKind.First:
                point = new(row.Start, rollup.First, rollup.FirstState);
                return true;
            case FnKind.Last:
                point = new(row.Start, rollup.Last, rollup.LastState);
                return true;
            case FnKind.Increase or FnKind.Rate:
                var seconds = fn.Kind == FnKind.Increase ? 1 : group.Grid.BucketAt(row.Start).Clip(group.Grid.Range).Length / (double)Instant.Second;
                var increase = group.IncreaseAt(row.Start);
                point = new(row.Start, increase / seconds ?? 0);
                return increase is not null;
        }
        if (rollup.Numbers == 0)
        {
            point = default;
            return false;
        }
        point = new(row.Start, fn.Kind switch
        {
            FnKind.Avg => rollup.Mean,
            FnKind.Min => rollup.Min,
            FnKind.Max => rollup.Max,
            FnKind.Sum => rollup.Sum,
            FnKind.Stddev => Math.Sqrt(rollup.Detail!.M2 / rollup.Numbers),
            _ => rollup.Detail!.Sketch.ValueAt(fn.Percent / 100, rollup.Min, rollup.Max),
        });
        return true;
    }
}

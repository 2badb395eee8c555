using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Core.Query;

/// <summary>
/// Answers page by page: series in order of name, functions in the order asked, points in order of time. No more is fetched than a page needs,
/// nearly: series by series, and where one is longer than a page function by function, stretch by stretch of time. Only what needs the steps before
/// (rates, durations, values filled in from around) is made of the whole range for each page.
/// </summary>
public sealed class Pager(Answerer answerer)
{
    /// <summary>Points on a page.</summary>
    public const int LimitMax = 1_000_000;

    private const int GroupsAtOnceMax = 256;

    /// <param name="question">The whole of it; with a cursor, its range is the cursor's.</param>
    /// <param name="series">Those it names, as <see cref="Answerer.Resolve"/> gave them.</param>
    /// <param name="limit">Points on the page.</param>
    /// <param name="cursor">Where it begins; null = at the beginning.</param>
    /// <param name="cancel">Ends the work.</param>
    public async Task<AnswerPage> AskAsync(Question question, SeriesInfo[] series, int limit, PageCursor? cursor, CancellationToken cancel)
    {
        if (cursor is not null)
        {
            question = question with { Range = cursor.Range, HoldsUntil = cursor.HoldsUntil };
        }
        var groups = series.GroupBy(s => SeriesGroup.NameOf(s.Name, question.By)).OrderBy(g => g.Key, StringComparer.Ordinal)
            .Where(g => cursor?.IsBefore(g.Key) != true).ToList();
        var page = new Page(question, limit, cursor);
        var points = question.NeedsRaw ? long.MaxValue : Math.Max(1, question.Grid.Count * question.Functions.Count);
        var atOnce = (int)Math.Clamp(limit / points, 1, GroupsAtOnceMax);
        for (var at = 0; at < groups.Count && page.Next is null; at += atOnce)
        {
            SeriesInfo[] some = [.. groups.Skip(at).Take(atOnce).SelectMany(g => g)];
            foreach (var part in points <= limit ? [question] : PartsOf(question, groups[at].Key, limit, cursor))
            {
                using var answer = await answerer.AnswerAsync(part, some, cancel).ConfigureAwait(false);
                page.Add(answer);
                if (page.Next is not null)
                {
                    break;
                }
            }
        }
        return page.Done();
    }

    /// <summary>The question about one group in parts, in the order of its points, from where the page begins.</summary>
    private static IEnumerable<Question> PartsOf(Question question, string group, int limit, PageCursor? cursor)
    {
        var isBegun = cursor?.Group == group;
        for (var i = isBegun ? cursor!.Fn : 0; i < question.Functions.Count; i++)
        {
            var one = question with { Functions = [question.Functions[i]] };
            var range = isBegun && cursor!.Fn == i ? new(Math.Max(cursor.Time, question.Range.From), question.Range.To) : question.Range;
            foreach (var stretch in one.NeedsRaw ? Stretches(range, range.From, Instant.Day)
                : IsStepByStep(one) ? Stretches(range, one.Grid.StartOf(range.From), (limit + 1L) * one.Step)
                : [question.Range])
            {
                yield return one with { Range = stretch };
            }
        }
    }

    /// <summary>True where a step's point is made of the samples of that step, or of a window before its end, alone, and steps are all of one length.</summary>
    private static bool IsStepByStep(Question question) => question.Step is > 0 and < Instant.Day * 36_500 && question.Edges is null && question.Fill is Fill.None or Fill.Null
        && question.Functions[0].Kind is not (FnKind.Rate or FnKind.Increase or FnKind.Duration);

    /// <summary>A length, then four of it, sixteen, …: a page of dense samples reads little, one of sparse samples asks seldom.</summary>
    /// <param name="range">What is cut.</param>
    /// <param name="from">Where the first length is counted from, at or before the range.</param>
    /// <param name="length">A multiple of the step, where there is one.</param>
    private static IEnumerable<TimeRange> Stretches(TimeRange range, long from, long length)
    {
        for (; from < range.To; length = Math.Min(length, long.MaxValue / 16) * 4)
        {
            var to = range.To - from > length ? from + length : range.To;
            yield return new(Math.Max(from, range.From), to);
            from = to;
        }
    }

    private sealed class Page(Question question, int limit, PageCursor? cursor)
    {
        private readonly List<(string Series, string? Unit, Fn Fn, string? State, List<ResultPoint> Points)> _results = [];
        private Answer? _answer;
        private int _points;

        public PageCursor? Next { get; private set; }

        public void Add(Answer answer)
        {
            _answer = _answer is null ? answer : _answer.And(answer);
            foreach (var result in AnswerResults.Of(answer))
            {
                var fn = question.Functions.TakeWhile(f => f != result.Fn).Count();
                foreach (var point in result.Points)
                {
                    if (cursor?.IsBefore(result.Series, fn, result.State, point.Time) == true)
                    {
                        continue;
                    }
                    if (_points == limit)
                    {
                        Next = new(question.Range, question.HoldsUntil, result.Series, fn, result.State ?? "", point.Time);
                        return;
                    }
                    ListOf(result).Add(point);
                    _points++;
                }
            }
        }

        public AnswerPage Done() => new((_answer ?? Answer.Nothing(question)) with { Question = question },
            [.. _results.Select(r => new AnswerResult(r.Series, r.Unit, r.Fn, r.State, r.Points))], Next);

        private List<ResultPoint> ListOf(AnswerResult result)
        {
            if (_results.Count == 0 || _results[^1] is var last && (last.Series != result.Series || last.Fn != result.Fn || last.State != result.State))
            {
                _results.Add((result.Series, result.Unit, result.Fn, result.State, []));
            }
            return _results[^1].Points;
        }
    }
}

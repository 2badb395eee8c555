using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Core.Query;

/// <summary>
/// Answers page by page: series in order of name, functions in the order asked, points in order of time. No more is fetched than a page needs,
/// nearly: series by series, and raw samples stretch by stretch of time.
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
    public async Task<AnswerPage> AskAsync(Question question, IReadOnlyCollection<SeriesInfo> series, int limit, PageCursor? cursor, CancellationToken cancel)
    {
        if (cursor is not null)
        {
            question = question with { Range = cursor.Range, HoldsUntil = cursor.HoldsUntil };
        }
        var groups = series.GroupBy(s => SeriesGroup.NameOf(s.Name, question.By)).OrderBy(g => g.Key, StringComparer.Ordinal)
            .Where(g => cursor?.IsBefore(g.Key) != true).ToList();
        var page = new Page(question, limit, cursor);
        var isRaw = question.Functions is [{ Kind: FnKind.Raw }];
        var atOnce = isRaw ? 1 : (int)Math.Clamp(limit / Math.Max(1, question.Grid.Count * question.Functions.Count), 1, GroupsAtOnceMax);
        for (var at = 0; at < groups.Count && page.Next is null; at += atOnce)
        {
            SeriesInfo[] some = [.. groups.Skip(at).Take(atOnce).SelectMany(g => g)];
            foreach (var range in isRaw ? Stretches(page.RangeOf(groups[at].Key)) : [question.Range])
            {
                page.Add(await answerer.AnswerAsync(question with { Range = range }, some, cancel).ConfigureAwait(false));
                if (page.Next is not null)
                {
                    break;
                }
            }
        }
        return page.Done();
    }

    /// <summary>A day, then four, sixteen, …: a page of dense samples reads little, one of sparse samples asks seldom.</summary>
    private static IEnumerable<TimeRange> Stretches(TimeRange range)
    {
        var length = Instant.Day;
        for (var from = range.From; from < range.To; length = Math.Min(length * 4, long.MaxValue / 8))
        {
            var to = range.To - from > length ? from + length : range.To;
            yield return new(from, to);
            from = to;
        }
    }

    private sealed class Page(Question question, int limit, PageCursor? cursor)
    {
        private readonly List<(string Series, string? Unit, Fn Fn, string? State, List<ResultPoint> Points)> _results = [];
        private Answer? _answer;
        private int _points;

        public PageCursor? Next { get; private set; }

        /// <summary>What is left of the range for a series: it is known from where on.</summary>
        public TimeRange RangeOf(string group) => cursor is { } c && c.Group == group ? new(Math.Max(c.Time, question.Range.From), question.Range.To) : question.Range;

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

using Foretier.Core.Partitions;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Core.Query;

/// <summary>
/// Answers questions over every source its catalog knows: plan, fetch in parallel, merge. The same on agent, gateway and router;
/// they differ in what their catalog knows.
/// </summary>
/// <remarks>
/// A source that fails, or is late where another has the same, is avoided and its share planned anew; a source that no longer holds what was planned
/// (data moved meanwhile) makes the catalog refresh and the plan be made again. After <see cref="AttemptsMax"/> tries what is still open is reported
/// as missing. A source that is passed over because it was slow is asked now and then beside the answer, to learn whether it still is.
/// </remarks>
/// <param name="catalog">Who holds what.</param>
/// <param name="sourceOf">The way to a node, if there is one.</param>
/// <param name="health">Who can be reached, at what cost; learned here.</param>
/// <param name="clock">The data's time.</param>
/// <param name="map">What is predicted; null: nothing.</param>
public sealed class Answerer(Catalog catalog, Func<string, IDataSource?> sourceOf, SourceHealth health, TimeProvider clock, Func<PartitionMap>? map = null)
{
    private const int AttemptsMax = 5;

    /// <summary>A probe is not to be felt by the source.</summary>
    private const long ProbeRowsMax = 20_000;

    private static readonly TimeSpan ProbeAfter = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan CatalogPatience = TimeSpan.FromMilliseconds(300);

    private readonly Fetching _fetching = new(sourceOf, health);
    private long _probedAt;

    /// <summary>Series of the catalog that the question names, or the reason why it cannot be asked.</summary>
    /// <param name="question">What is asked.</param>
    /// <param name="error">Null where it can be.</param>
    /// <param name="inPages">There is a limit of points on a page, not on how many there are.</param>
    /// <param name="mayRead">What the asker may know of; the rest is for it as if it were not there. Null: all.</param>
    public SeriesInfo[] Resolve(Question question, out QuestionError? error, bool inPages = false, Func<SeriesInfo, bool>? mayRead = null)
    {
        var view = catalog.View;
        var found = new List<SeriesInfo>();
        // Patterns may have series in common; what is known of a series is one object.
        var seen = question.Series.Count > 1 ? new HashSet<SeriesInfo>(ReferenceEqualityComparer.Instance) : null;
        foreach (var glob in question.Series)
        {
            var isKnown = false;
            foreach (var series in view.Matching(glob))
            {
                if (mayRead?.Invoke(series) == false)
                {
                    continue;
                }
                isKnown = true;
                if (seen?.Add(series) != false)
                {
                    found.Add(series);
                }
            }
            if (!isKnown)
            {
                error = Unheard is { } unheard ? new("not_known_yet", $"no series matches '{glob.Text}' so far, but {unheard}: ask again")
                    : new("unknown_series", $"no series matches '{glob.Text}'; list what there is with GET /api/v1/series or 'foretier series'");
                return [];
            }
        }
        // A device that moved is a series of each edge: counted once, where it matters.
        return question.CheckPoints(inPages ? 1 : found.Count, out error)
            || question.CheckPoints(found.Select(s => s.Name).Distinct().Count(), out error) ? [.. found] : [];
    }

    /// <summary>Who may have series that are not known here, in words; null where nobody has.</summary>
    public string? Unheard => health.Picture.Awaited is { Count: > 0 } awaited
        ? $"{string.Join(", ", awaited.Order(StringComparer.Ordinal))} has not been heard since this node started (one that is out of service: 'foretier map forget')" : null;

    public Plan Plan(Question question, SeriesInfo[] series, Func<Holding, bool>? avoid = null) =>
        Plan(question, series, health.Picture, avoid);

    private Plan Plan(Question question, SeriesInfo[] series, SourcePicture sources, Func<Holding, bool>? avoid = null)
    {
        var plan = Planner.Make(catalog.View, map?.Invoke() ?? PartitionMap.Empty, question, series, sources, avoid);
        var unheard = UnheardOf(question, series, sources);
        return unheard.IsEmpty ? plan : plan with { Missing = Planner.Union(plan.Missing.Append(unheard)) };
    }

    /// <summary>The time of which nobody can tell what an edge of these series has taken in: since it was cut off; of one that was never heard, all.</summary>
    private TimeRange UnheardOf(Question question, SeriesInfo[] series, SourcePicture sources)
    {
        var from = sources.Awaited.Count > 0 && (question.Series.Count == 0 || question.Series.Any(glob => !glob.IsExact)) ? question.Range.From : question.Range.To;
        foreach (var edge in EdgesOf(series))
        {
            if (sources.Awaited.Contains(edge))
            {
                from = question.Range.From;
            }
            else if (sources.CutOffFor(edge) is { } silent)
            {
                // Whole seconds: what devices stamped just before arrived just after.
                from = Math.Min(from, Instant.Floor(Instant.Now(clock) - (long)silent.TotalMicroseconds, Instant.Second));
            }
        }
        return new TimeRange(Math.Max(from, question.Range.From), question.Range.To);
    }

    /// <exception cref="QuestionRefusedException">The answer has more samples than one may have.</exception>
    public Task<Answer> AnswerAsync(Question question, SeriesInfo[] series, CancellationToken cancel)
    {
        var (further, earlier) = (question.Rolling, question.Before);
        return further is null && earlier is null ? AskAsync(question, series, cancel) : AskFurtherAsync(question, further, earlier, series, cancel);
    }

    /// <summary>Asks for what lies before the range too.</summary>
    private async Task<Answer> AskFurtherAsync(Question question, Question? further, Question? earlier, SeriesInfo[] series, CancellationToken cancel)
    {
        var rolling = further is null ? null : AskAsync(further, series, cancel);
        var carried = earlier is null ? null : AskAsync(earlier, series, cancel);
        var answer = rolling is null || question.NeedsRaw || question.NeedsRollups
            ? await AskAsync(question, series, cancel).ConfigureAwait(false)
            : (await rolling.ConfigureAwait(false)) with { Question = question };
        if (rolling is not null)
        {
            answer = Join(answer, await rolling.ConfigureAwait(false), (one, other) => one with { Rolling = other.Rows });
        }
        if (carried is not null)
        {
            answer = Join(answer, await carried.ConfigureAwait(false), (one, other) => one with { Before = other.Rows is { Count: > 0 } rows ? rows.Rows[0].Rollup : null });
        }
        return answer;
    }

    /// <summary>Both are of the same series, by name.</summary>
    private static Answer Join(Answer answer, Answer more, Func<SeriesAnswer, SeriesAnswer, SeriesAnswer> join) =>
        answer.And(more) with { Series = [.. answer.Series.Zip(more.Series, join)] };

    private async Task<Answer> AskAsync(Question question, SeriesInfo[] series, CancellationToken cancel)
    {
        var avoided = new Avoided();
        var made = new List<Fetched>();
        for (var attempt = 1; ; attempt++)
        {
            var watermark = WatermarkOf(series);
            var sources = health.Picture;
            var plan = Plan(question, series, sources, avoided.Holdings);
            ProbeIfDue(question, series, sources, plan);
            var fetched = await _fetching.AllAsync(plan.Fetches, made, ReplaceableIn(plan, question, series, avoided), cancel).ConfigureAwait(false);
            AddNew(made, fetched);

            var (again, isLost, missing) = (false, false, plan.Missing);
            foreach (var one in fetched)
            {
                if (!one.IsWhole)
                {
                    again |= one.Result is null ? avoided.Add(one.Fetch.Node) : one.Result.Gone.Count > 0;
                    isLost |= avoided.AddLost(one);
                    missing = Planner.Union(missing.Concat(one.Unanswered));
                }
            }
            // What is lost there somebody else may have.
            again = again || (isLost && Length(Plan(question, series, sources, avoided.Holdings).Missing) < Length(missing));
            if (!again || attempt == AttemptsMax)
            {
                var (answers, uses) = Merging.Of(question, series, fetched);
                return new(question, answers, uses, missing, watermark, plan.CatalogRevision) { Costs = made.ConvertAll(f => f.Cost) };
            }
            if (fetched.Any(f => f.Cost.Outcome == FetchOutcome.Moved))
            {
                await CatalogChangeAsync(plan.CatalogRevision, cancel).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Whether a plan without these nodes misses no more than this one.</summary>
    private Func<IReadOnlyCollection<string>, bool> ReplaceableIn(Plan plan, Question question, SeriesInfo[] series, Avoided avoided) => nodes =>
        Planner.Union(plan.Missing.Concat(Plan(question, series, holding => avoided.Has(holding) || nodes.Contains(holding.Node)).Missing)).SequenceEqual(plan.Missing);

    /// <summary>Adds the fetches that were not made for an earlier plan already.</summary>
    private static void AddNew(List<Fetched> made, Fetched[] fetched)
    {
        if (made.Count == 0)
        {
            made.AddRange(fetched);
        }
        else
        {
            made.AddRange(fetched.ExceptBy(made.Select(earlier => earlier.Cost), one => one.Cost, ReferenceEqualityComparer.Instance).ToList());
        }
    }

    private static long Length(IEnumerable<TimeRange> ranges) => Planner.Union(ranges).Sum(range => range.Length);

    /// <summary>Asks one source that would be asked if it were as fast as it once was, beside the answer.</summary>
    private void ProbeIfDue(Question question, SeriesInfo[] series, SourcePicture sources, Plan plan)
    {
        var probedAt = Volatile.Read(ref _probedAt);
        if ((probedAt != 0 && health.Clock.GetElapsedTime(probedAt, sources.Now) < ProbeAfter) || Interlocked.CompareExchange(ref _probedAt, sources.Now, probedAt) != probedAt)
        {
            return;
        }
        var view = catalog.View;
        var holders = EdgesOf(series).Distinct().SelectMany(view.OfEdge).Select(h => h.Node).ToHashSet();
        foreach (var node in sources.Unheard(ProbeAfter).Where(node => holders.Contains(node) && plan.Fetches.All(f => f.Node != node)))
        {
            if (Plan(question, series, sources.Hoping(node)).Fetches.FirstOrDefault(f => f.Node == node && f.Work.Rows <= ProbeRowsMax) is { } fetch)
            {
                _fetching.Probe(fetch);
                return;
            }
        }
    }

    private async Task CatalogChangeAsync(long revision, CancellationToken cancel)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(CatalogPatience);
        try
        {
            await catalog.WaitForChangeAsync(revision, patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            // No news: the next plan may still differ because of health.
        }
    }

    private long WatermarkOf(SeriesInfo[] series)
    {
        var now = Instant.Now(clock);
        var oldest = TimeSpan.Zero;
        foreach (var edge in EdgesOf(series))
        {
            if (health.SilentFor(edge) is { } silent && silent > oldest)
            {
                oldest = silent;
            }
        }
        return now - (long)oldest.TotalMicroseconds;
    }

    /// <summary>The edges that took the series in, each once where its series come one after the other, as they mostly do.</summary>
    private static IEnumerable<string> EdgesOf(SeriesInfo[] series)
    {
        string? last = null;
        foreach (var one in series)
        {
            if (one.Edge != last)
            {
                yield return last = one.Edge;
            }
        }
    }
}

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
    public IReadOnlyCollection<SeriesInfo> Resolve(Question question, out QuestionError? error, bool inPages = false, Func<SeriesInfo, bool>? mayRead = null)
    {
        var view = catalog.View;
        var found = new Dictionary<(string, string), SeriesInfo>();
        foreach (var glob in question.Series)
        {
            var isKnown = false;
            foreach (var series in view.Matching(glob))
            {
                if (mayRead is null || mayRead(series))
                {
                    found[(series.Name, series.Edge)] = series;
                    isKnown = true;
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
            || question.CheckPoints(found.Values.Select(s => s.Name).Distinct().Count(), out error) ? found.Values : [];
    }

    /// <summary>Who may have series that are not known here, in words; null where nobody has.</summary>
    public string? Unheard => health.Picture.Awaited is { Count: > 0 } awaited
        ? $"{string.Join(", ", awaited.Order(StringComparer.Ordinal))} has not been heard since this node started (one that is out of service: 'foretier map forget')" : null;

    public Plan Plan(Question question, IReadOnlyCollection<SeriesInfo> series, Func<Holding, bool>? avoid = null) =>
        Plan(question, series, health.Picture, avoid);

    private Plan Plan(Question question, IReadOnlyCollection<SeriesInfo> series, SourcePicture sources, Func<Holding, bool>? avoid = null)
    {
        var plan = Planner.Make(catalog.View, map?.Invoke() ?? PartitionMap.Empty, question, series, sources, avoid);
        var unheard = UnheardOf(question, series, sources);
        return unheard.IsEmpty ? plan : plan with { Missing = Planner.Union(plan.Missing.Append(unheard)) };
    }

    /// <summary>The time of which nobody can tell what an edge of these series has taken in: since it was cut off; of one that was never heard, all.</summary>
    private TimeRange UnheardOf(Question question, IReadOnlyCollection<SeriesInfo> series, SourcePicture sources)
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
    public async Task<Answer> AnswerAsync(Question question, IReadOnlyCollection<SeriesInfo> series, CancellationToken cancel)
    {
        var rolling = question.Rolling is { } further ? AskAsync(further, series, cancel) : null;
        var carried = question.Before is { } earlier ? AskAsync(earlier, series, cancel) : null;
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

    private async Task<Answer> AskAsync(Question question, IReadOnlyCollection<SeriesInfo> series, CancellationToken cancel)
    {
        var failed = new HashSet<string>();
        var lost = new HashSet<(string Node, string Edge, Window Window, long After)>();
        bool Avoid(Holding holding) => failed.Contains(holding.Node) || lost.Contains((holding.Node, holding.Edge, holding.Window, holding.After));
        var made = new List<Fetched>();
        for (var attempt = 1; ; attempt++)
        {
            var watermark = WatermarkOf(series);
            var sources = health.Picture;
            var plan = Plan(question, series, sources, Avoid);
            ProbeIfDue(question, series, sources, plan);
            var fetched = await _fetching.AllAsync(plan.Fetches, made, late => IsReplaceable(question, series, plan, holding => Avoid(holding) || late.Contains(holding.Node)), cancel).ConfigureAwait(false);
            made.AddRange(fetched.Where(f => !made.Exists(m => ReferenceEquals(m.Cost, f.Cost))));

            var again = false;
            var unanswered = new List<TimeRange>();
            var news = false;
            foreach (var (fetch, result, _) in fetched)
            {
                if (result is null)
                {
                    again |= failed.Add(fetch.Node);
                    unanswered.AddRange(fetch.Request.Parts.Select(p => p.Range));
                }
                else
                {
                    again |= result.Gone.Count > 0;
                    unanswered.AddRange(result.Gone.Concat(result.Lost).Select(part => fetch.Request.Parts[part].Range));
                    foreach (var part in result.Lost.Select(part => fetch.Request.Parts[part]))
                    {
                        news |= lost.Add((fetch.Node, part.Edge, part.Window, part.After));
                    }
                }
            }
            // What is lost there somebody else may have.
            again = again || (news && Length(Plan(question, series, sources, Avoid).Missing) < Length(plan.Missing.Concat(unanswered)));
            if (!again || attempt == AttemptsMax)
            {
                var (answers, uses) = Merge(question, series, fetched);
                return new(question, answers, uses, Planner.Union(plan.Missing.Concat(unanswered)), watermark, plan.CatalogRevision) { Costs = made.ConvertAll(f => f.Cost) };
            }
            if (fetched.Any(f => f.Cost.Outcome == FetchOutcome.Moved))
            {
                await CatalogChangeAsync(plan.CatalogRevision, cancel).ConfigureAwait(false);
            }
        }
    }

    /// <summary>True where a plan without these misses no more than this one.</summary>
    private bool IsReplaceable(Question question, IReadOnlyCollection<SeriesInfo> series, Plan plan, Func<Holding, bool> without) =>
        Planner.Union(plan.Missing.Concat(Plan(question, series, without).Missing)).SequenceEqual(plan.Missing);

    private static long Length(IEnumerable<TimeRange> ranges) => Planner.Union(ranges).Sum(range => range.Length);

    /// <summary>Asks one source that would be asked if it were as fast as it once was, beside the answer.</summary>
    private void ProbeIfDue(Question question, IReadOnlyCollection<SeriesInfo> series, SourcePicture sources, Plan plan)
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

    private long WatermarkOf(IReadOnlyCollection<SeriesInfo> series)
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
    private static IEnumerable<string> EdgesOf(IReadOnlyCollection<SeriesInfo> series)
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

    private static (List<SeriesAnswer>, List<TierUse>) Merge(
        Question question, IReadOnlyCollection<SeriesInfo> series, IReadOnlyList<Fetched> fetched)
    {
        var pieces = new Dictionary<string, List<Piece>>();
        var merges = new Dictionary<(int Merge, string Series), List<MergedLayer>>();
        var uses = new List<TierUse>();
        var samples = 0L;
        foreach (var (fetch, result, _) in fetched)
        {
            if (result is null)
            {
                continue;
            }
            uses.AddRange(result.Uses);
            foreach (var slice in result.Slices)
            {
                var from = fetch.Request.Parts[slice.Part].Range.From;
                if (question.NeedsRaw && (samples += slice.Samples?.Count ?? 0) > Question.PointsMax)
                {
                    throw new QuestionRefusedException(new("too_many_points",
                        $"the answer has more than {Question.PointsMax} samples; use a shorter range, fewer series or a step, or ask in pages with limit="));
                }
                if (slice.Rows is null && fetch.Merges[slice.Part] is var merge and >= 0)
                {
                    GetOrAdd(merges, (merge, slice.Series)).Add(new(fetch.Order[slice.Part], from, slice.Samples!, fetch.Request.Parts[slice.Part].Edge, slice.Erased));
                }
                else
                {
                    GetOrAdd(pieces, slice.Series).Add(new(from, slice.Samples, slice.Rows));
                }
            }
        }
        foreach (var ((_, name), layers) in merges)
        {
            GetOrAdd(pieces, name).Add(new(layers[0].From, Merge([.. layers.OrderBy(l => l.Order)]), null));
        }
        foreach (var list in pieces.Values)
        {
            // Pieces do not overlap: in order of time they are the whole.
            list.Sort((a, b) => a.From.CompareTo(b.From));
        }
        var units = new Dictionary<string, string?>(series.Count, StringComparer.Ordinal);
        foreach (var one in series)
        {
            units[one.Name] = units.GetValueOrDefault(one.Name) ?? one.Unit;
        }
        var answers = new List<SeriesAnswer>(units.Count);
        foreach (var (name, unit) in units)
        {
            var parts = pieces.GetValueOrDefault(name) ?? [];
            answers.Add(new(name, unit, question.NeedsRaw ? SamplesOf(parts) : null, question.NeedsRollups ? RowsOf(parts, question) : null));
        }
        answers.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
        return (answers, TierUse.Condense(uses));
    }

    /// <summary>Oldest first; a deletion ends what the same edge took in before, not what another edge has of the series.</summary>
    private static SampleColumns Merge(List<MergedLayer> layers)
    {
        for (var i = 1; i < layers.Count; i++)
        {
            foreach (var erased in layers[i].Erased)
            {
                for (var under = 0; under < i; under++)
                {
                    layers[under] = layers[under].Edge == layers[i].Edge ? layers[under] with { Samples = layers[under].Samples.Without(erased) } : layers[under];
                }
            }
        }
        return SampleColumns.MergeLastWins(layers.ConvertAll(layer => layer.Samples), out _);
    }

    private sealed record MergedLayer(int Order, long From, SampleColumns Samples, string Edge, IReadOnlyList<TimeRange> Erased);

    private static SampleColumns SamplesOf(List<Piece> pieces)
    {
        if (pieces is [{ Samples: { } only }])
        {
            return only;
        }
        var joined = new SampleColumns(pieces.Sum(p => p.Samples!.Count));
        foreach (var part in pieces.Select(p => p.Samples!))
        {
            var states = part.States;
            for (var i = 0; i < part.Count; i++)
            {
                joined.Add(part.Times[i], part.Values[i], states.IsEmpty ? null : states[i]);
            }
        }
        return joined;
    }

    private static BucketRows RowsOf(List<Piece> pieces, Question question)
    {
        var grid = question.Grid;
        if (pieces is [{ Rows: { } only }])
        {
            return only;
        }
        var rows = new BucketRows(question.Needs);
        foreach (var piece in pieces)
        {
            if (piece.Rows is { } more)
            {
                rows.Merge(more);
                more.Dispose();
            }
            else
            {
                rows.Add(piece.Samples!, grid);
            }
        }
        return rows;
    }

    /// <summary>What a part gave for a series, or a merge of several.</summary>
    private readonly record struct Piece(long From, SampleColumns? Samples, BucketRows? Rows);

    private static TValue GetOrAdd<TKey, TValue>(Dictionary<TKey, TValue> map, TKey key)
        where TKey : notnull
        where TValue : new()
    {
        if (!map.TryGetValue(key, out var value))
        {
            map[key] = value = new();
        }
        return value;
    }
}

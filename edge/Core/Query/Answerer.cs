using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Core.Query;

/// <summary>
/// Answers questions over every source its catalog knows: plan, fetch in parallel, merge. The same on agent, gateway and router;
/// they differ in what their catalog knows.
/// </summary>
/// <remarks>
/// A source that fails is avoided and the rest planned anew; a source that no longer holds what was planned (data moved meanwhile) makes
/// the catalog refresh and the plan be made again. After <see cref="AttemptsMax"/> tries what is still open is reported as missing.
/// </remarks>
public sealed class Answerer(Catalog catalog, Func<string, IDataSource?> sourceOf, SourceHealth health, TimeProvider clock)
{
    private const int AttemptsMax = 5;
    private static readonly TimeSpan CatalogPatience = TimeSpan.FromMilliseconds(300);

    /// <summary>Series of the catalog that the question names, or the reason why it cannot be asked.</summary>
    public IReadOnlyCollection<SeriesInfo> Resolve(Question question, out QuestionError? error)
    {
        var view = catalog.View;
        var found = new Dictionary<(string, string), SeriesInfo>();
        foreach (var glob in question.Series)
        {
            var before = found.Count;
            foreach (var series in view.Matching(glob))
            {
                found[(series.Name, series.Edge)] = series;
            }
            if (found.Count == before && !view.Matching(glob).Any())
            {
                error = new("unknown_series", $"no series matches '{glob.Text}'; list what there is with GET /api/v1/series or 'foretier series'");
                return [];
            }
        }
        return question.CheckPoints(found.Values.Select(s => s.Name).Distinct().Count(), out error) ? found.Values : [];
    }

    public Plan Plan(Question question, IReadOnlyCollection<SeriesInfo> series, IReadOnlySet<string>? avoid = null) =>
        Planner.Make(catalog.View, question, series, health, avoid);

    public async Task<Answer> AnswerAsync(Question question, IReadOnlyCollection<SeriesInfo> series, CancellationToken cancel)
    {
        var avoid = new HashSet<string>();
        for (var attempt = 1; ; attempt++)
        {
            var watermark = WatermarkOf(series);
            var plan = Plan(question, series, avoid);
            var results = await Task.WhenAll(plan.Fetches.Select(fetch => FetchAsync(fetch, cancel))).ConfigureAwait(false);

            var again = false;
            var unanswered = new List<TimeRange>();
            for (var i = 0; i < results.Length; i++)
            {
                var fetch = plan.Fetches[i];
                if (results[i] is not { } result)
                {
                    again |= avoid.Add(fetch.Node);
                    unanswered.AddRange(fetch.Request.Parts.Select(p => p.Range));
                }
                else if (result.Gone.Count > 0)
                {
                    again = true;
                    unanswered.AddRange(result.Gone.Select(part => fetch.Request.Parts[part].Range));
                }
            }
            if (!again || attempt == AttemptsMax)
            {
                var (answers, uses) = Merge(question, series, plan, results);
                return new(question, answers, uses, Planner.Union(plan.Missing.Concat(unanswered)), watermark, plan.CatalogRevision);
            }
            if (results.Any(r => r is { Gone.Count: > 0 }))
            {
                await CatalogChangeAsync(plan.CatalogRevision, cancel).ConfigureAwait(false);
            }
        }
    }

    private async Task<FetchResult?> FetchAsync(PlannedFetch fetch, CancellationToken cancel)
    {
        var started = clock.GetTimestamp();
        try
        {
            var source = sourceOf(fetch.Node) ?? throw new DataSourceUnavailableException(fetch.Node, "not connected");
            var result = await source.FetchAsync(fetch.Request, cancel).ConfigureAwait(false);
            health.Answered(fetch.Node, clock.GetElapsedTime(started).TotalMilliseconds);
            return result;
        }
        catch (DataSourceUnavailableException)
        {
            health.Failed(fetch.Node);
            return null;
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
        var oldest = series.Select(s => s.Edge).Distinct().Select(health.SilentFor)
            .Select(silent => silent is { } s ? (long)s.TotalMicroseconds : 0).DefaultIfEmpty().Max();
        return now - oldest;
    }

    private static (List<SeriesAnswer>, List<TierUse>) Merge(
        Question question, IReadOnlyCollection<SeriesInfo> series, Plan plan, FetchResult?[] results)
    {
        var grid = question.Grid;
        var raw = new Dictionary<string, List<SampleColumns>>();
        var rows = new Dictionary<string, BucketRows>();
        var merges = new Dictionary<(int Merge, string Series), List<(int Order, SampleColumns Samples)>>();
        var uses = new List<TierUse>();

        void Stand(string name, SampleColumns samples)
        {
            if (question.NeedsRaw)
            {
                GetOrAdd(raw, name).Add(samples);
            }
            if (question.NeedsRollups)
            {
                GetOrAdd(rows, name).Add(samples, grid);
            }
        }

        for (var i = 0; i < results.Length; i++)
        {
            if (results[i] is not { } result)
            {
                continue;
            }
            uses.AddRange(result.Uses);
            foreach (var slice in result.Slices)
            {
                if (slice.Rows is not null)
                {
                    GetOrAdd(rows, slice.Series).Merge(slice.Rows);
                }
                else if (plan.Fetches[i].Merges[slice.Part] is var merge and >= 0)
                {
                    GetOrAdd(merges, (merge, slice.Series)).Add((plan.Fetches[i].Order[slice.Part], slice.Samples!));
                }
                else
                {
                    Stand(slice.Series, slice.Samples!);
                }
            }
        }
        foreach (var ((_, name), layers) in merges)
        {
            Stand(name, SampleColumns.MergeLastWins([.. layers.OrderBy(l => l.Order).Select(l => l.Samples)], out _));
        }
        var answers = series.GroupBy(s => s.Name).OrderBy(g => g.Key, StringComparer.Ordinal).Select(named => new SeriesAnswer(
            named.Key, named.Select(s => s.Unit).FirstOrDefault(u => u is not null),
            question.NeedsRaw ? Join(raw.GetValueOrDefault(named.Key)) : null,
            question.NeedsRollups ? rows.GetValueOrDefault(named.Key) ?? new() : null)).ToList();
        return (answers, Condense(uses));
    }

    /// <summary>Parts that stand alone do not overlap: in order of time they are the whole.</summary>
    private static SampleColumns Join(List<SampleColumns>? parts)
    {
        var joined = new SampleColumns(parts?.Sum(p => p.Count) ?? 0);
        foreach (var part in parts?.Where(p => p.Count > 0).OrderBy(p => p.FirstTime) ?? Enumerable.Empty<SampleColumns>())
        {
            var states = part.States;
            for (var i = 0; i < part.Count; i++)
            {
                joined.Add(part.Times[i], part.Values[i], states.IsEmpty ? null : states[i]);
            }
        }
        return joined;
    }

    /// <summary>One line for each tier, node and resolution; their ranges joined, their times added.</summary>
    private static List<TierUse> Condense(List<TierUse> uses) =>
        [.. uses.GroupBy(u => (u.Tier, u.Node, u.Resolution)).OrderBy(g => g.Key.Tier).ThenBy(g => g.Key.Node, StringComparer.Ordinal)
            .Select(g => new TierUse(g.Key.Tier, g.Key.Node, g.Aggregate(TimeRange.Nothing, (r, u) => r.Hull(u.Range)), g.Key.Resolution, g.Sum(u => u.Milliseconds)))];

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

using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Node.Keys;

namespace Foretier.Node.Prometheus;

/// <summary>
/// Series as Prometheus sees them: a measurement is a metric, with the labels <c>account</c> and <c>device</c>. A measurement that is no
/// name of a metric has its other characters replaced by <c>_</c>, and the label <c>measurement</c> with the name as it is. Only numbers:
/// Prometheus has no states.
/// </summary>
/// <param name="asked">Told of each question, as of those of the query interface.</param>
public sealed class PromSource(Answerer answerer, Catalog catalog, TimeProvider clock, Action<Question, SeriesInfo[]>? asked)
{
    /// <summary>All labels there can be.</summary>
    public static readonly IReadOnlyList<string> LabelNames = [LabelSet.Name, "account", "device", "measurement"];

    public long NowMs => Instant.Now(clock) / Instant.Millisecond;

    /// <summary>The series that every matcher lets through and the caller may read.</summary>
    public IReadOnlyList<(LabelSet Labels, SeriesInfo Info)> Find(IReadOnlyList<Matcher> matchers, Caller caller) =>
        [.. from info in catalog.View.Series
            where info.Kind != "state" && SeriesKey.TryParse(info.Name, out var key) && caller.MayRead(key!)
            let labels = LabelsOf(SeriesKey.Parse(info.Name))
            where matchers.All(matcher => matcher.Matches(labels))
            select (labels, info)];

    /// <summary>Samples of both ends included, as milliseconds; bounds that nothing can lie outside of are drawn in first.</summary>
    /// <exception cref="PromException">More than one answer may have.</exception>
    public async Task<Selection> SelectAsync(IReadOnlyList<Matcher> matchers, long fromMs, long toMs, Caller caller, CancellationToken cancel)
    {
        var found = Find(matchers, caller);
        var from = Math.Clamp(fromMs, Instant.Earliest / Instant.Millisecond, NowMs + Instant.AheadMax / Instant.Millisecond);
        var to = Math.Clamp(toMs, from, NowMs + Instant.AheadMax / Instant.Millisecond);
        if (found.Count == 0 || fromMs > toMs)
        {
            return new([], answerer.Unheard);
        }
        var question = new Question([], new TimeRange(from * Instant.Millisecond, (to + 1) * Instant.Millisecond), 0, [Fn.Raw]);
        SeriesInfo[] infos = [.. found.Select(series => series.Info)];
        try
        {
            if (!question.CheckPoints(infos.Select(info => info.Name).Distinct().Count(), out var error))
            {
                throw PromException.Execution(error!.Detail);
            }
            var answer = await answerer.AnswerAsync(question, infos, cancel).ConfigureAwait(false);
            asked?.Invoke(question, infos);
            var labels = found.DistinctBy(series => series.Info.Name).ToDictionary(series => series.Info.Name, series => series.Labels);
            return new([.. answer.Series.Where(series => series.Raw is { Count: > 0 }).Select(series => PromSeries.Of(labels[series.Name], series.Raw!)).Where(series => series.Times.Length > 0)],
                answer.IsPartial ? $"a part of the data cannot be reached now, samples of {string.Join(", ", answer.Missing)} may be missing" : null);
        }
        catch (QuestionRefusedException refused)
        {
            throw PromException.Execution(refused.Error.Detail);
        }
    }

    private static LabelSet LabelsOf(SeriesKey key)
    {
        var metric = MetricOf(key.Measurement);
        KeyValuePair<string, string>[] labels = [new(LabelSet.Name, metric), new("account", key.Account), new("device", key.Device)];
        return new(metric == key.Measurement ? labels : [.. labels, new("measurement", key.Measurement)]);
    }

    private static string MetricOf(string measurement)
    {
        var name = string.Create(measurement.Length, measurement, (to, from) =>
        {
            for (var i = 0; i < to.Length; i++)
            {
                to[i] = char.IsAsciiLetterOrDigit(from[i]) || from[i] is '_' or ':' ? from[i] : '_';
            }
        });
        return char.IsAsciiDigit(name[0]) ? "_" + name : name;
    }
}

/// <param name="Warning">What may be missing; null where the answer is complete.</param>
public sealed record Selection(IReadOnlyList<PromSeries> Series, string? Warning);

/// <summary>Samples of one series: times in ms, rising.</summary>
public sealed record PromSeries(LabelSet Labels, long[] Times, double[] Values)
{
    /// <summary>Numbers only; of several within a millisecond the last.</summary>
    public static PromSeries Of(LabelSet labels, SampleColumns samples)
    {
        var (times, values, count) = (new long[samples.Count], new double[samples.Count], 0);
        for (var i = 0; i < samples.Count; i++)
        {
            if (samples.StateAt(i) is not null)
            {
                continue;
            }
            var time = samples.Times[i] / Instant.Millisecond;
            count -= count > 0 && times[count - 1] == time ? 1 : 0;
            (times[count], values[count]) = (time, samples.Values[i]);
            count++;
        }
        return new(labels, times[..count], values[..count]);
    }

    /// <summary>Index of the first sample not before a time.</summary>
    public int LowerBound(long time)
    {
        var i = Array.BinarySearch(Times, time);
        return i < 0 ? ~i : i;
    }
}

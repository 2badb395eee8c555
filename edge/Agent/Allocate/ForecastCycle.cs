using System.Diagnostics;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Predict.Models;
using Foretier.Predict.Score;
using Foretier.Predict.Volume;

namespace Foretier.Agent.Allocate;

/// <summary>
/// Forecasts every series once an hour, with the model in a child process that lives for that cycle, and without it where that fails; newcomers
/// as they come. Learns from the hours that closed, and keeps the scores.
/// </summary>
/// <remarks>Cycles run one at a time; what <see cref="Read{T}"/> is given may be read from any thread meanwhile.</remarks>
internal sealed class ForecastCycle(
    VolumeHistory volumes, Catalog catalog, Func<string, TimeZoneInfo> zoneOf, Func<CancellationToken, Task<IInference>>? startModel,
    Func<ForecastHour, CancellationToken, Task>? afterwards = null)
{
    private const int KnownHoursMin = 1;

    private readonly Lock _lock = new();
    private readonly int[] _hour = new int[1];
    private readonly ForecastShelf _forecasts = new();
    private Dictionary<string, KindCounts> _mixForecast = [];
    private long _mixHour;
    private long _fullAt = -1;

    /// <summary>What the model said of the series that <see cref="ModelTrial"/> compares, in the cycle that runs.</summary>
    private Dictionary<string, float[]>? _answers;

    public VolumeForecaster Forecaster { get; private set; } = new();
    public Scorecard Scorecard { get; private set; } = new();
    public KindMix KindMix { get; private set; } = new();

    /// <summary>Why the last full cycle did without its model; null where it had it, or is to do without.</summary>
    public InferenceException? Failure { get; private set; }

    /// <summary>The model that the last full cycle ran, null where none.</summary>
    public string? Model { get; private set; }

    public CycleFigures Figures { get; private set; }

    /// <summary>Takes up what was learned before; to be called before the first cycle.</summary>
    public void Resume(VolumeForecaster? forecaster, Scorecard? scorecard, KindMix? kinds) =>
        (Forecaster, Scorecard, KindMix) = (forecaster ?? Forecaster, scorecard ?? Scorecard, kinds ?? KindMix);

    /// <summary>Reads state and forecasts of a moment between two batches.</summary>
    public T Read<T>(Func<VolumeForecaster, Scorecard, SeriesForecast?, T> read, string series = "")
    {
        lock (_lock)
        {
            return read(Forecaster, Scorecard, _forecasts.Find(series));
        }
    }

    public SeriesForecast? Of(string series)
    {
        lock (_lock)
        {
            return _forecasts.Find(series);
        }
    }

    /// <param name="hours">How far to forecast, at least 24.</param>
    /// <returns>Series forecast.</returns>
    public async Task<int> RunAsync(long now, int hours, CancellationToken cancel)
    {
        var end = Instant.Floor(now, Instant.Hour);
        var isFull = end != _fullAt;
        var series = volumes.Series.Where(one => SeriesKey.TryParse(one.Series, out _)).ToList();
        var due = isFull ? series : [.. series.Where(one => _forecasts.HoursOf(one.Series) < hours || KnownHours(one, now) < KnownHoursMin)];
        var started = Stopwatch.GetTimestamp();
        var view = catalog.View;
        IInference? model = null;
        try
        {
            if (isFull)
            {
                Forget(series, end);
                _answers = afterwards is null ? null : ModelTrial.Sample([.. series.Select(one => one.Series)]).ToDictionary(name => name, _ => Array.Empty<float>(), StringComparer.Ordinal);
                (Failure, model) = await StartAsync(due.Count, cancel).ConfigureAwait(false);
            }
            for (var from = 0; from < due.Count; from += VolumeForecaster.BatchMax)
            {
                cancel.ThrowIfCancellationRequested();
                var batch = due.GetRange(from, Math.Min(VolumeForecaster.BatchMax, due.Count - from));
                try
                {
                    await ForecastAsync(batch, now, hours, model, view, cancel).ConfigureAwait(false);
                }
                catch (InferenceException e)
                {
                    (Failure, var failed, model) = (e, model, null);
                    await failed!.DisposeAsync().ConfigureAwait(false);
                    await ForecastAsync(batch, now, hours, null, view, cancel).ConfigureAwait(false);
                }
            }
            if (isFull)
            {
                Model = model is null ? null : $"{model.Manifest.Id} {model.Manifest.Version}";
            }
        }
        finally
        {
            if (model is not null)
            {
                await model.DisposeAsync().ConfigureAwait(false);
            }
        }
        if (isFull)
        {
            ScoreKinds(series, view, end);
            _fullAt = end;
            Figures = new(Figures.Cycles + 1, Figures.Fallbacks + (Failure is null ? 0 : 1), series.Count, Stopwatch.GetElapsedTime(started));
            if (afterwards is not null)
            {
                await afterwards(new(now, volumes, zoneOf, name => KindOf(view, name), _answers!, model?.Manifest, Failure), cancel).ConfigureAwait(false);
                _answers = null;
            }
        }
        return due.Count;
    }

    private async Task<(InferenceException?, IInference?)> StartAsync(int series, CancellationToken cancel)
    {
        if (startModel is null || series == 0)
        {
            return (null, null);
        }
        try
        {
            return (null, await startModel(cancel).ConfigureAwait(false));
        }
        catch (InferenceException e)
        {
            return (e, null);
        }
    }

    private async Task ForecastAsync(
        List<SeriesVolume> batch, long now, int hours, IInference? model, CatalogView view, CancellationToken cancel)
    {
        // The answer is waited for with nothing locked; then a batch is a few milliseconds.
        Tensor? answer = null;
        if (model is not null)
        {
            answer = await model.RunAsync(Forecaster.Inputs(ItemsOf(batch), Read), cancel).ConfigureAwait(false);
        }
        lock (_lock)
        {
            var forecasts = Forecaster.Forecast(ItemsOf(batch), Read, hours, answer,
                (i, hour) => Scorecard.Add(KindOf(view, batch[i].Series), _forecasts.Hourly(batch[i].Series), hour));
            for (var i = 0; i < batch.Count; i++)
            {
                _forecasts.Put(batch[i].Series, forecasts[i]);
                if (answer is not null && _answers?.ContainsKey(batch[i].Series) == true)
                {
                    _answers[batch[i].Series] = answer.Values.AsSpan(i * ModelTrial.AnswerLength, ModelTrial.AnswerLength).ToArray();
                }
            }
        }
        HourlyHistory Read(int index, Span<int> into) => volumes.Read(batch[index], now, into);
    }

    private List<ForecastItem> ItemsOf(List<SeriesVolume> batch) =>
        batch.ConvertAll(one => new ForecastItem(one.Series, zoneOf(one.Series[..one.Series.IndexOf('/', StringComparison.Ordinal)])));

    private int KnownHours(SeriesVolume series, long now)
    {
        _ = volumes.Read(series, now, _hour);
        return _hour[0] < 0 ? 0 : 1;
    }

    private static string KindOf(CatalogView view, string series) => view.Named(series).LastOrDefault()?.Kind ?? "";

    private void Forget(List<SeriesVolume> series, long end)
    {
        var names = series.Select(one => one.Series).ToHashSet(StringComparer.Ordinal);
        lock (_lock)
        {
            Forecaster.Keep(names.Contains);
            Scorecard.Trim(end / Instant.Hour);
            _forecasts.Keep(names.Contains);
        }
    }

    /// <summary>Holds the mix of kinds forecast an hour ago against what came, and forecasts the next hour's.</summary>
    private void ScoreKinds(List<SeriesVolume> series, CatalogView view, long end)
    {
        Dictionary<string, KindCounts> forecast = [], came = [], yesterday = [];
        var all = Scorecard.Kinds.ToList();
        foreach (var one in series)
        {
            var account = one.Series[..one.Series.IndexOf('/', StringComparison.Ordinal)];
            var kind = Math.Max(0, all.IndexOf(KindOf(view, one.Series)));
            void Add(Dictionary<string, KindCounts> to, double samples)
            {
                if (!to.TryGetValue(account, out var counts))
                {
                    to[account] = counts = new();
                }
                counts.Add(kind, samples);
            }
            var closed = new TimeRange(end - Instant.Hour, end);
            Add(forecast, _forecasts.NextHour(one.Series));
            Add(came, one.CountIn(closed));
            Add(yesterday, one.CountIn(new(closed.From - Instant.Day, closed.To - Instant.Day)));
        }
        lock (_lock)
        {
            foreach (var (account, counts) in _mixHour == end - Instant.Hour ? _mixForecast : [])
            {
                if (came.TryGetValue(account, out var actual))
                {
                    KindMix.Add(account, counts, actual, yesterday[account]);
                }
            }
            (_mixForecast, _mixHour) = (forecast, end);
        }
    }
}

/// <summary>What the cycles have done since the start.</summary>
/// <param name="Fallbacks">Cycles that went on without their model.</param>
/// <param name="Took">The last full one, by the clock on the wall.</param>
internal readonly record struct CycleFigures(long Cycles, long Fallbacks, int Series, TimeSpan Took);

/// <summary>A full cycle that has ended, for whoever tries another model on the same series.</summary>
/// <param name="KindOf">Kind of a series.</param>
/// <param name="Answers">Of the series that are compared: what the model said, empty where it said nothing.</param>
/// <param name="Model">Which one ran to the end of the cycle.</param>
/// <param name="Failure">Why the cycle went on without its model; null where it had it, or is to do without.</param>
public sealed record ForecastHour(long Now, VolumeHistory Volumes, Func<string, TimeZoneInfo> ZoneOf, Func<string, string> KindOf,
    IReadOnlyDictionary<string, float[]> Answers, ModelManifest? Model, InferenceException? Failure);

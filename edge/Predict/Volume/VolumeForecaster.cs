using System.IO.Compression;
using System.Text;
using Foretier.Predict.Models;

namespace Foretier.Predict.Volume;

/// <summary>A series to forecast.</summary>
/// <param name="Name">Under which it is remembered from cycle to cycle.</param>
/// <param name="Zone">The time zone its account lives by.</param>
public readonly record struct ForecastItem(string Name, TimeZoneInfo Zone);

/// <summary>
/// Forecasts series and learns from what came of it: a mixture of a model, where one runs, and of seasonal baselines (<see cref="Expert"/>), per
/// series by <see cref="Hedge"/>, its P90 kept honest by <see cref="Conformal"/>. The agent, the gateway and the backtest run this same code.
/// </summary>
/// <remarks>
/// What it has learned of a series is kept packed, in 400 to 2,000 bytes; it does no I/O and knows no clock. Not thread-safe: one cycle at a time.
/// 1. Learn from the hours that have closed. 2. Ask the baselines, and take in the model's answer. 3. Mix, stretch. 4. Keep one forecast in 25 hours to learn from.
/// </remarks>
public sealed class VolumeForecaster
{
    /// <summary>Series that go to the model at once.</summary>
    public const int BatchMax = 100;

    private const byte FormatVersion = 2;

    private readonly Dictionary<string, byte[]> _learned = new(StringComparer.Ordinal);
    private readonly StatePacker _packer = new();
    private (string Series, SeriesLearner Learner)? _last;
    private readonly Dictionary<TimeZoneInfo, LocalHours> _zones = [];
    private readonly BaselineExperts _baselines = new();
    private readonly ExpertBands _bands = new();
    private readonly ModelInput _input = new(BatchMax);
    private readonly int[] _counts = new int[SeriesVolume.HoursRead];
    private Population _population = new();
    private static ReadOnlySpan<byte> Magic => "FTVF"u8;

    /// <summary>Reads the history of the i-th series of a batch into a buffer of <see cref="SeriesVolume.HoursRead"/> hours.</summary>
    public delegate HourlyHistory ReadHistory(int index, Span<int> into);

    /// <summary>Series of which something has been learned.</summary>
    public int Count => _learned.Count;

    /// <summary>Forecasts a batch of series.</summary>
    /// <param name="batch">At most <see cref="BatchMax"/> series.</param>
    /// <param name="read">Called up to twice a series.</param>
    /// <param name="hours">How many hours from the end of each history on, at least 24. The model speaks of the first 24.</param>
    /// <param name="model">Null: baselines only.</param>
    /// <param name="closed">Told of each hour that is learned from, with the number of its series.</param>
    /// <exception cref="InferenceException">The model gave no answer; nothing has been learned yet, and the batch may be forecast anew without it.</exception>
    public async Task<SeriesForecast[]> ForecastAsync(
        IReadOnlyList<ForecastItem> batch, ReadHistory read, int hours, IInference? model, Action<int, ClosedHour>? closed, CancellationToken cancel)
    {
        var answer = model is null || batch.Count == 0 ? null : await model.RunAsync(Inputs(batch, read), cancel).ConfigureAwait(false);
        return Forecast(batch, read, hours, answer, closed);
    }

    /// <summary>What a model is asked of a batch; its answer goes to <see cref="Forecast(IReadOnlyList{ForecastItem}, ReadHistory, int, Tensor?, Action{int, ClosedHour}?)"/>.</summary>
    /// <inheritdoc cref="ForecastAsync"/>
    public IReadOnlyList<Tensor> Inputs(IReadOnlyList<ForecastItem> batch, ReadHistory read)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(batch.Count, BatchMax);
        for (var i = 0; i < batch.Count; i++)
        {
            var history = read(i, _counts);
            _input.Add(history.Counts, HoursOf(batch[i].Zone).Around(history.End, history.Counts.Length, ExpertBands.DayHours));
        }
        return _input.Take();
    }

    /// <param name="answer">The model's to this batch, null where it gave none.</param>
    /// <inheritdoc cref="ForecastAsync"/>
    public SeriesForecast[] Forecast(IReadOnlyList<ForecastItem> batch, ReadHistory read, int hours, Tensor? answer, Action<int, ClosedHour>? closed)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(batch.Count, BatchMax);
        ArgumentOutOfRangeException.ThrowIfLessThan(hours, ExpertBands.DayHours);
        var forecasts = new SeriesForecast[batch.Count];
        for (var i = 0; i < forecasts.Length; i++)
        {
            forecasts[i] = Forecast(batch[i], i, read, hours, answer, closed);
        }
        return forecasts;
    }

    /// <summary>Forgets the series that are not to be forecast any more.</summary>
    public void Keep(Func<string, bool> isWanted)
    {
        foreach (var name in _learned.Keys.Where(name => !isWanted(name)).ToList())
        {
            _learned.Remove(name);
        }
        _last = null;
    }

    /// <summary>Whom a series believes, for its P50 and its P90, and by how much its P90 is stretched; null where it is unknown.</summary>
    public (IReadOnlyDictionary<Expert, float> P50, IReadOnlyDictionary<Expert, float> P90, float Stretch)? Explain(string series)
    {
        if (LearnerOf(series) is not { } learner)
        {
            return null;
        }
        IReadOnlyDictionary<Expert, float> Weights(int level)
        {
            var weights = new float[ExpertBands.Experts];
            learner.Weigh(level, _population, weights);
            return Enum.GetValues<Expert>().ToDictionary(expert => expert, expert => weights[(int)expert]);
        }
        return (Weights(0), Weights(1), learner.HighFactor);
    }

    /// <summary>What had been said of an hour that has passed, or passes; null where nothing is kept of it.</summary>
    /// <param name="hour">Hours since 1970; the last 48 are kept.</param>
    public Band? Said(string series, long hour) => LearnerOf(series)?.Said(hour);

    /// <summary>Mean over all series of the weight that each expert has in the P50.</summary>
    public IReadOnlyDictionary<Expert, float> Believed()
    {
        var sums = new float[ExpertBands.Experts];
        Span<float> weights = stackalloc float[ExpertBands.Experts];
        foreach (var series in _learned.Keys)
        {
            LearnerOf(series)!.Weigh(0, _population, weights);
            for (var e = 0; e < sums.Length; e++)
            {
                sums[e] += weights[e];
            }
        }
        return Enum.GetValues<Expert>().ToDictionary(expert => expert, expert => _learned.Count == 0 ? _population.Prior(0)[(int)expert] : sums[(int)expert] / _learned.Count);
    }

    /// <summary>
    /// Layout: sealed payload "FTVF": experts u8 · population (seen, weight of each expert at each level) · series (count, then each: name, length, packed:
    /// hedge, stretches, bias, forecast being learned from, what was said lately). Format 1 is deflated, its series are not packed. Numbers are 7-bit encoded
    /// or f32, texts as BinaryWriter writes them.
    /// </summary>
    /// <param name="to">Seekable.</param>
    public void Save(Stream to)
    {
        List<string> names = [.. _learned.Keys];
        names.Sort(StringComparer.Ordinal);
        SealedPayload.Write(to, Magic, FormatVersion, writer =>
        {
            writer.Write((byte)ExpertBands.Experts);
            _population.Save(writer);
            writer.Write7BitEncodedInt(names.Count);
            foreach (var name in names)
            {
                writer.Write(name);
                writer.Write7BitEncodedInt(_learned[name].Length);
                writer.Write(_learned[name]);
            }
        });
    }

    /// <exception cref="InvalidDataException">The bytes are not what was learned, or are damaged; the message says in what way.</exception>
    public static VolumeForecaster Load(Stream from)
    {
        var payload = SealedPayload.Read(from, Magic, FormatVersion, out var version);
        using var reader = new BinaryReader(version == 1 ? new DeflateStream(payload, CompressionMode.Decompress) : payload, Encoding.UTF8);
        try
        {
            if (reader.ReadByte() != ExpertBands.Experts)
            {
                throw new InvalidDataException("it is of other experts than this program has");
            }
            var forecaster = new VolumeForecaster { _population = Population.Load(reader) };
            for (var left = reader.Read7BitEncodedInt(); left > 0; left--)
            {
                var name = reader.ReadString();
                forecaster._learned[name] = version == 1 ? forecaster._packer.Pack(SeriesLearner.Load(reader).Save)
                    : reader.Read7BitEncodedInt() is var length && reader.ReadBytes(length) is var packed && packed.Length == length ? packed
                    : throw new EndOfStreamException();
            }
            return forecaster;
        }
        catch (Exception e) when (e is EndOfStreamException or FormatException or ArgumentOutOfRangeException)
        {
            throw new InvalidDataException("the content ends early or does not follow its layout", e);
        }
    }

    private SeriesForecast Forecast(ForecastItem item, int index, ReadHistory read, int hours, Tensor? answer, Action<int, ClosedHour>? closed)
    {
        var history = read(index, _counts);
        var learner = LearnerOf(item.Name) ?? new();
        learner.Learn(history, _population, closed is null ? null : hour => closed(index, hour));
        _bands.Reset(hours);
        _baselines.Forecast(history, HoursOf(item.Zone).Around(history.End, history.Counts.Length, hours), _bands);
        if (answer is not null)
        {
            TakeIn(answer, index);
        }
        var mixed = new Band[hours];
        var mean = new double[hours];
        learner.Mix(history, _baselines.KnownHours, _bands, _population, mixed, mean);
        _learned[item.Name] = _packer.Pack(learner.Save);
        _last = (item.Name, learner);
        var p90 = new double[hours];
        for (var h = 0; h < hours; h++)
        {
            p90[h] = SeriesForecast.P90Of(mixed[h], mean[h]);
        }
        return new(history.End, mean, p90, _baselines.WeekErrors, mixed);
    }

    private SeriesLearner? LearnerOf(string series)
    {
        if (_last is { } last && last.Series == series)
        {
            return last.Learner;
        }
        if (!_learned.TryGetValue(series, out var packed))
        {
            return null;
        }
        var learner = _packer.Unpack(packed, SeriesLearner.Load);
        _last = (series, learner);
        return learner;
    }

    private void TakeIn(Tensor answer, int index)
    {
        const int levels = 3;
        _bands.HasModel = true;
        var values = answer.Values.AsSpan(index * ExpertBands.DayHours * levels, ExpertBands.DayHours * levels);
        var bands = _bands[Expert.Model];
        for (var h = 0; h < ExpertBands.DayHours; h++)
        {
            bands[h] = new Band(values[h * levels], values[h * levels + 1], values[h * levels + 2]).Ordered();
        }
    }

    private LocalHours HoursOf(TimeZoneInfo zone) => _zones.TryGetValue(zone, out var known) ? known : _zones[zone] = new(zone);
}

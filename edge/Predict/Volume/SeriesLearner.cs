using Foretier.Core.Samples;

namespace Foretier.Predict.Volume;

/// <summary>
/// What has been learned of one series: whom to believe, how far to stretch the band, and the forecast it is to learn from next.
/// About 2,400 bytes, of which <see cref="StatePacker"/> keeps less between cycles. Not thread-safe.
/// </summary>
/// <remarks>
/// One forecast in 25 hours is kept until its hours have closed, so that each hour of the day is seen at each distance in turn. An hour counts as closed
/// when another has passed: what comes late comes mostly within it.
/// </remarks>
internal sealed class SeriesLearner
{
    /// <summary>Hours from one forecast that is learned from to the next.</summary>
    public const int PeriodHours = 25;

    /// <summary>Hours of which it is kept what had been said, to be drawn beside what came.</summary>
    public const int SaidHours = 48;

    private const float P50 = 0.5f, P90 = 0.9f;
    private const double WeightMin = 1e-6;

    /// <summary>Ten days.</summary>
    private static readonly float _biasFade = MathF.Pow(0.5f, 1 / 240f);

    private readonly Conformal _high = new(1 - P90), _low = new(1 - P90);
    private Hedge _hedge = new();
    private readonly Band[] _said = new Band[SaidHours];
    private PendingDay? _pending;
    private float _bias;
    private long _saidUntil = -1;

    public float HighFactor => _high.Factor;

    /// <summary>Weights at a level: 0 = P50, 1 = P90.</summary>
    public void Weigh(int level, Population population, Span<float> into) => _hedge.Weigh(level, population.Prior(level), into);

    /// <summary>Learns from the hours that have closed since.</summary>
    /// <param name="closed">Told of each hour learned from; null where nobody asks.</param>
    public void Learn(in HourlyHistory history, Population population, Action<ClosedHour>? closed)
    {
        if (_pending is not { IsOver: false } pending)
        {
            return;
        }
        if (pending.IsOvertaken(history))
        {
            _pending = null;
            return;
        }
        Span<float> said = stackalloc float[ExpertBands.Experts], weights = stackalloc float[ExpertBands.Experts];
        while (pending.TryClose(history, out var hour, out var count))
        {
            var mixed = pending.Mixed(hour);
            Remember(pending.Origin + hour, mixed);
            if (count < 0)
            {
                continue;
            }
            for (var level = 0; level < Hedge.Levels; level++)
            {
                pending.Said(level, hour, said);
                Weigh(level, population, weights);
                foreach (ref var value in said)
                {
                    value = Hedge.Scale(value);
                }
                _hedge.Learn(level, level == 0 ? P50 : P90, said, weights, Hedge.Scale(count));
            }
            _high.Learn(count > mixed.P90);
            _low.Learn(count < mixed.P10);
            _bias = _bias * _biasFade + (1 - _biasFade) * (count - Middle(mixed));
            closed?.Invoke(pending.Close(hour, count));
        }
        if (pending.IsOver)
        {
            for (var level = 0; level < Hedge.Levels; level++)
            {
                Weigh(level, population, weights);
                population.Learn(level, weights);
            }
        }
    }

    /// <summary>Mixes what the experts say, and keeps it to learn from where it is time.</summary>
    /// <param name="history">They said it from this.</param>
    /// <param name="knownHours">Of the history.</param>
    /// <param name="mean">The expected count of each hour.</param>
    public void Mix(in HourlyHistory history, int knownHours, ExpertBands bands, Population population, Span<Band> into, Span<double> mean)
    {
        Span<float> middle = stackalloc float[ExpertBands.Experts], high = stackalloc float[ExpertBands.Experts];
        Weigh(0, population, middle);
        Weigh(1, population, high);
        for (var h = 0; h < bands.Hours; h++)
        {
            double p10 = 0, p50 = 0, p90 = 0, middleSum = 0, highSum = 0;
            for (var e = bands.Speaks(Expert.Model, h) ? 0 : 1; e < ExpertBands.Experts; e++)
            {
                var band = bands[(Expert)e][h];
                p10 += middle[e] * Hedge.Scale(band.P10);
                p50 += middle[e] * Hedge.Scale(band.P50);
                p90 += high[e] * Hedge.Scale(band.P90);
                middleSum += middle[e];
                highSum += high[e];
            }
            // Weights that rest on the model alone leave nothing to divide by for the hours it does not speak of.
            into[h] = Stretched(middleSum < WeightMin || highSum < WeightMin ? bands[Expert.Days][h]
                : new Band(Hedge.Count(p10 / middleSum), Hedge.Count(p50 / middleSum), Hedge.Count(p90 / highSum)).Ordered());
            mean[h] = Math.Max(0, Middle(into[h]) + _bias);
        }
        var origin = history.End / Instant.Hour;
        // What was said when less than half was known, of a series just begun, teaches nothing of what is said now.
        if (_pending is null || origin >= _pending.Origin + PeriodHours || (origin > _pending.Origin && knownHours > 2 * _pending.KnownHours))
        {
            _pending = PendingDay.Of(origin, knownHours, PendingDay.BasisOf(origin, origin, history.Counts), bands, into);
        }
    }

    /// <summary>What had been said of an hour, at whatever distance; null where nothing is kept of it.</summary>
    /// <param name="hour">Hours since 1970.</param>
    public Band? Said(long hour)
    {
        if (_pending is { } pending && hour >= pending.Origin + pending.Learned && hour < pending.Origin + ExpertBands.DayHours)
        {
            return pending.Mixed((int)(hour - pending.Origin));
        }
        return hour <= _saidUntil && hour > _saidUntil - SaidHours && _said[hour % SaidHours] is { P50: not float.NaN } said ? said : null;
    }

    private void Remember(long hour, Band band)
    {
        if (hour <= _saidUntil - SaidHours || hour > _saidUntil + SaidHours)
        {
            Array.Fill(_said, new(float.NaN, float.NaN, float.NaN));
            _saidUntil = hour;
        }
        for (; _saidUntil < hour; _saidUntil++)
        {
            _said[(_saidUntil + 1) % SaidHours] = new(float.NaN, float.NaN, float.NaN);
        }
        _said[hour % SaidHours] = band;
    }

    public void Save(BinaryWriter writer)
    {
        _hedge.Save(writer);
        _high.Save(writer);
        _low.Save(writer);
        writer.Write(_bias);
        writer.Write(_pending is not null);
        _pending?.Save(writer);
        writer.Write7BitEncodedInt64(_saidUntil + 1);
        for (var hour = _saidUntil - SaidHours + 1; _saidUntil >= 0 && hour <= _saidUntil; hour++)
        {
            Band said = _said[hour % SaidHours];
            writer.Write(said.P10);
            writer.Write(said.P50);
            writer.Write(said.P90);
        }
    }

    public static SeriesLearner Load(BinaryReader reader)
    {
        var learner = new SeriesLearner { _hedge = Hedge.Load(reader) };
        learner._high.Load(reader);
        learner._low.Load(reader);
        learner._bias = reader.ReadSingle();
        learner._pending = reader.ReadBoolean() ? PendingDay.Load(reader) : null;
        learner._saidUntil = reader.Read7BitEncodedInt64() - 1;
        for (var hour = learner._saidUntil - SaidHours + 1; learner._saidUntil >= 0 && hour <= learner._saidUntil; hour++)
        {
            learner._said[hour % SaidHours] = new(reader.ReadSingle(), reader.ReadSingle(), reader.ReadSingle());
        }
        return float.IsFinite(learner._bias) && learner._saidUntil is -1 or >= SaidHours ? learner : throw new InvalidDataException("a bias is not a number");
    }

    private Band Stretched(Band band) => new Band(Whole(band.P50 - _low.Stretch(band.P50, band.P50 - band.P10)), Whole(band.P50),
        Whole(band.P50 + _high.Stretch(band.P50, band.P90 - band.P50))).Ordered();

    /// <summary>The mean of a distribution by three of its quantiles (Swanson's rule).</summary>
    private static float Middle(Band band) => 0.3f * band.P10 + 0.4f * band.P50 + 0.3f * band.P90;

    /// <summary>A mixture of sixes is a six: counts are compared with what is said here.</summary>
    private static float Whole(float value)
    {
        var whole = MathF.Round(value);
        return MathF.Abs(value - whole) <= 1e-5f * Math.Max(1, whole) ? whole : value;
    }
}

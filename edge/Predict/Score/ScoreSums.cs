using Foretier.Predict.Volume;

namespace Foretier.Predict.Score;

/// <summary>Whose forecasts are compared.</summary>
public enum Forecaster : byte
{
    /// <summary>What was given out: the mixture, its P90 stretched.</summary>
    Ours,
    SN24,
    SN168,
    HoW4,

    /// <summary>volume-lstm alone, of the hours for which it ran.</summary>
    Model,
}

/// <summary>Sums over closed hours, of which every score is a ratio. They add up: over series, hours and days. Not thread-safe.</summary>
public sealed class ScoreSums
{
    /// <summary>The baselines every forecast is held against.</summary>
    public static IReadOnlyList<Forecaster> Baselines { get; } = [Forecaster.SN24, Forecaster.SN168, Forecaster.HoW4];

    private const int Forecasters = (int)Forecaster.Model + 1;
    private readonly double[] _loss50 = new double[Forecasters], _loss90 = new double[Forecasters];
    private readonly double[] _over = new double[Forecasters], _under = new double[Forecasters], _error = new double[Forecasters];
    private readonly long[] _covered = new long[Forecasters];
    private double _modelled;

    /// <summary>Hours compared, and samples in them.</summary>
    public long Hours { get; private set; }
    public double Volume { get; private set; }

    /// <summary>Hours of which the P90 was at least 1, and those of them with no more samples than that.</summary>
    public long HoursFrom1 { get; private set; }
    public long CoveredFrom1 { get; private set; }

    /// <summary>Hours of which the model had said something.</summary>
    public long ModelHours { get; private set; }

    public void Add(in ClosedHour hour)
    {
        Hours++;
        Volume += hour.Count;
        Add(Forecaster.Ours, hour.Count, hour.Ours);
        Add(Forecaster.SN24, hour.Count, hour.SN24);
        Add(Forecaster.SN168, hour.Count, hour.SN168);
        Add(Forecaster.HoW4, hour.Count, hour.HoW4);
        if (hour.Model is { } model)
        {
            ModelHours++;
            Add(Forecaster.Model, hour.Count, model);
            _modelled += hour.Count;
        }
        if (hour.Ours.P90 >= 1)
        {
            HoursFrom1++;
            CoveredFrom1 += hour.Count <= hour.Ours.P90 ? 1 : 0;
        }
    }

    public void Add(ScoreSums other)
    {
        Hours += other.Hours;
        Volume += other.Volume;
        HoursFrom1 += other.HoursFrom1;
        CoveredFrom1 += other.CoveredFrom1;
        ModelHours += other.ModelHours;
        _modelled += other._modelled;
        for (var i = 0; i < Forecasters; i++)
        {
            _loss50[i] += other._loss50[i];
            _loss90[i] += other._loss90[i];
            _over[i] += other._over[i];
            _under[i] += other._under[i];
            _error[i] += other._error[i];
            _covered[i] += other._covered[i];
        }
    }

    /// <summary>Mean of the weighted quantile losses of P50 and P90: 2 · Σ pinball / Σ samples. NaN where no sample came.</summary>
    public double Wql(Forecaster of) => (_loss50[(int)of] + _loss90[(int)of]) / VolumeOf(of);

    /// <summary>Share of the hours with no more samples than the P90.</summary>
    public double Coverage(Forecaster of) => (double)_covered[(int)of] / (of == Forecaster.Model ? ModelHours : Hours);

    /// <summary>Of the hours whose P90 was at least 1. Below that most hours have none, and no P90 leaves a tenth outside.</summary>
    public double CoverageFrom1 => (double)CoveredFrom1 / HoursFrom1;

    /// <summary>Σ max(P90 − samples, 0) / Σ samples.</summary>
    public double OverReservation(Forecaster of) => _over[(int)of] / VolumeOf(of);

    /// <summary>Σ max(samples − P90, 0) / Σ samples.</summary>
    public double UnderReservation(Forecaster of) => _under[(int)of] / VolumeOf(of);

    /// <summary>Mean absolute error of P50, in samples an hour.</summary>
    public double MeanError(Forecaster of) => _error[(int)of] / (of == Forecaster.Model ? ModelHours : Hours);

    private double VolumeOf(Forecaster of) => of == Forecaster.Model ? _modelled : Volume;

    private void Add(Forecaster of, int count, Band band)
    {
        var i = (int)of;
        _loss50[i] += ClosedHour.Pinball(count, band.P50, 0.5);
        _loss90[i] += ClosedHour.Pinball(count, band.P90, 0.9);
        _over[i] += Math.Max(0, band.P90 - count);
        _under[i] += Math.Max(0, count - band.P90);
        _error[i] += Math.Abs(count - band.P50);
        _covered[i] += count <= band.P90 ? 1 : 0;
    }

    public void Save(BinaryWriter writer)
    {
        foreach (var number in (ReadOnlySpan<long>)[Hours, HoursFrom1, CoveredFrom1, ModelHours, .. _covered])
        {
            writer.Write7BitEncodedInt64(number);
        }
        foreach (var sum in (ReadOnlySpan<double>)[Volume, _modelled, .. _loss50, .. _loss90, .. _over, .. _under, .. _error])
        {
            writer.Write((float)sum);
        }
    }

    public static ScoreSums Load(BinaryReader reader)
    {
        var sums = new ScoreSums
        {
            Hours = reader.Read7BitEncodedInt64(),
            HoursFrom1 = reader.Read7BitEncodedInt64(),
            CoveredFrom1 = reader.Read7BitEncodedInt64(),
            ModelHours = reader.Read7BitEncodedInt64(),
        };
        foreach (ref var covered in sums._covered.AsSpan())
        {
            covered = reader.Read7BitEncodedInt64();
        }
        sums.Volume = Finite(reader.ReadSingle());
        sums._modelled = Finite(reader.ReadSingle());
        foreach (var part in (double[][])[sums._loss50, sums._loss90, sums._over, sums._under, sums._error])
        {
            foreach (ref var sum in part.AsSpan())
            {
                sum = Finite(reader.ReadSingle());
            }
        }
        return sums;
    }

    private static float Finite(float value) => float.IsFinite(value) && value >= 0 ? value : throw new InvalidDataException("a sum is not a number");
}

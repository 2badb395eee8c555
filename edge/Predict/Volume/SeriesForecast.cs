using Foretier.Core.Samples;

namespace Foretier.Predict.Volume;

/// <summary>What is expected of one series in the hours from <see cref="Start"/> on.</summary>
public sealed class SeriesForecast
{
    /// <summary>Days whose errors are kept: as many as there is history.</summary>
    public const int ErrorDays = SeriesVolume.HoursRead / 24;

    private const int Levels = 3;

    /// <summary>A day of which fewer hours are known has no total to compare with.</summary>
    private const int KnownHoursMin = 20;

    /// <param name="residuals">Actual less expected of each closed hour before <paramref name="start"/>, oldest first, NaN = unknown.</param>
    internal SeriesForecast(long start, double[] mean, double[] p90, ReadOnlySpan<float> residuals, Band[]? bands = null)
    {
        Start = start;
        Mean = mean;
        P90 = p90;
        Bands = bands ?? EachHour(mean, h => new Band(0, (float)mean[h], (float)p90[h]));
        DayErrors = new double[ErrorDays];
        var today = Instant.Floor(start, Instant.Day);
        for (var day = 0; day < ErrorDays; day++)
        {
            // Day 0 is yesterday. Hours that are unknown are taken to err like the others of their day.
            var from = residuals.Length - (int)((start - today) / Instant.Hour) - (day + 1) * 24;
            double sum = 0;
            var known = 0;
            for (var i = Math.Max(0, from); i < from + 24; i++)
            {
                if (!float.IsNaN(residuals[i]))
                {
                    sum += residuals[i];
                    known++;
                }
            }
            DayErrors[day] = known >= KnownHoursMin ? sum * 24 / known : double.NaN;
        }
    }

    private SeriesForecast(long start, Band[] bands, double[] mean, double[] dayErrors)
    {
        (Start, Bands, Mean, DayErrors) = (start, bands, mean, dayErrors);
        P90 = EachHour(mean, h => P90Of(bands[h], mean[h]));
    }

    private static T[] EachHour<T>(double[] mean, Func<int, T> of)
    {
        var all = new T[mean.Length];
        for (var h = 0; h < all.Length; h++)
        {
            all[h] = of(h);
        }
        return all;
    }

    public long Start { get; }

    /// <summary>Expected samples in each hour.</summary>
    public IReadOnlyList<double> Mean { get; }

    /// <summary>What nine hours out of ten stay within.</summary>
    public IReadOnlyList<double> P90 { get; }

    /// <summary>P10, P50 and P90 of each hour.</summary>
    public IReadOnlyList<Band> Bands { get; }

    /// <summary>
    /// By how much each of the last UTC days, yesterday first, had more samples than expected; NaN where not known. Errors of series that
    /// share a group add up day by day, which keeps what they have in common and lets the rest cancel.
    /// </summary>
    public double[] DayErrors { get; }

    /// <summary>Rare bursts can raise the mean above what nine hours in ten stay within; room is for both.</summary>
    internal static double P90Of(Band band, double mean) => Math.Max(mean, band.P90);

    /// <summary>Its numbers to four digits; <see cref="P90"/> follows from the others.</summary>
    internal void Save(BinaryWriter writer)
    {
        writer.Write(Start);
        writer.Write(Bands.Count);
        for (var level = 0; level < Levels; level++)
        {
            foreach (var band in Bands)
            {
                writer.Write(FourDigits(band[level]));
            }
        }
        foreach (var figure in Mean.Concat(DayErrors))
        {
            writer.Write(FourDigits((float)figure));
        }
    }

    internal static SeriesForecast Load(BinaryReader reader)
    {
        var start = reader.ReadInt64();
        var hours = reader.ReadInt32();
        var bands = new Band[hours];
        foreach (ref var band in bands.AsSpan())
        {
            band = new(reader.ReadSingle(), 0, 0);
        }
        foreach (ref var band in bands.AsSpan())
        {
            band = band with { P50 = reader.ReadSingle() };
        }
        foreach (ref var band in bands.AsSpan())
        {
            band = band with { P90 = reader.ReadSingle() };
        }
        double[] Read(int count)
        {
            var figures = new double[count];
            foreach (ref var figure in figures.AsSpan())
            {
                figure = reader.ReadSingle();
            }
            return figures;
        }
        return new(start, bands, Read(hours), Read(ErrorDays));
    }

    /// <summary>Twelve bits after the first one; the rest are zeros, which packs well.</summary>
    private static float FourDigits(float value) =>
        float.IsFinite(value) ? BitConverter.UInt32BitsToSingle((BitConverter.SingleToUInt32Bits(value) + 0x400) & ~0x7FFu) : value;

    public double MeanIn(TimeRange range) => Sum(Mean, range);
    public double P90In(TimeRange range) => Sum(P90, range);

    /// <summary>The most that any single hour of the range is to hold, nine times out of ten.</summary>
    public double BusiestP90In(TimeRange range)
    {
        var busiest = 0.0;
        for (var i = 0; i < P90.Count; i++)
        {
            busiest = range.Contains(Start + i * Instant.Hour) ? Math.Max(busiest, P90[i]) : busiest;
        }
        return busiest;
    }

    private double Sum(IReadOnlyList<double> values, TimeRange range)
    {
        var sum = 0.0;
        for (var i = 0; i < values.Count; i++)
        {
            sum += range.Contains(Start + i * Instant.Hour) ? values[i] : 0;
        }
        return sum;
    }
}

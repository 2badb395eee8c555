namespace Foretier.Predict.Volume;

/// <summary>
/// The last forecast of each series, packed: 100 bytes of a steady one, at most 700. Its numbers are kept to four digits (whole ones exactly, up to 8,192).
/// Not thread-safe.
/// </summary>
public sealed class ForecastShelf
{
    private readonly Dictionary<string, Kept> _kept = new(StringComparer.Ordinal);
    private readonly StatePacker _packer = new();

    private readonly record struct Kept(int Hours, float First, float Hourly, byte[] Packed);

    public void Put(string series, SeriesForecast forecast) => _kept[series] =
        new(forecast.Bands.Count, (float)forecast.Mean[0], (float)forecast.Mean.Take(ExpertBands.DayHours).Average(), _packer.Pack(forecast.Save));

    public SeriesForecast? Find(string series) => _kept.TryGetValue(series, out var kept) ? _packer.Unpack(kept.Packed, SeriesForecast.Load) : null;

    /// <summary>How many hours a series is forecast; 0 where it is not.</summary>
    public int HoursOf(string series) => _kept.GetValueOrDefault(series).Hours;

    /// <summary>Samples expected in the first hour of a series' forecast; 0 where there is none.</summary>
    public double NextHour(string series) => _kept.GetValueOrDefault(series).First;

    /// <summary>Samples expected in an hour of its first day.</summary>
    public double Hourly(string series) => _kept.GetValueOrDefault(series).Hourly;

    public void Keep(Func<string, bool> isWanted)
    {
        foreach (var gone in _kept.Keys.Where(name => !isWanted(name)).ToList())
        {
            _kept.Remove(gone);
        }
    }
}

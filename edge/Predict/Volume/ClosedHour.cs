namespace Foretier.Predict.Volume;

/// <summary>An hour that has passed, and what had been said of it.</summary>
/// <param name="Hour">Its start in hours since 1970.</param>
/// <param name="Horizon">How many hours ahead it was forecast: 1 is the first hour of a forecast, 24 the last.</param>
/// <param name="Count">Samples that came.</param>
/// <param name="Ours">The forecast that was given.</param>
/// <param name="Model">What the model alone had said, where it ran.</param>
public readonly record struct ClosedHour(long Hour, int Horizon, int Count, Band Ours, Band SN24, Band SN168, Band HoW4, Band? Model)
{
    /// <summary>Pinball loss of a quantile.</summary>
    public static double Pinball(double count, double quantile, double p) => count >= quantile ? p * (count - quantile) : (1 - p) * (quantile - count);
}

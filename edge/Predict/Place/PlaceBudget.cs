namespace Foretier.Predict.Place;

/// <summary>What one cycle of a tier may take. All are hard.</summary>
/// <param name="Bytes">Room on the tier for all candidates together: what is reserved for windows to come is taken off already.</param>
public sealed record PlaceBudget(double Bytes)
{
    /// <summary>CPU seconds for building rollups. Default no limit.</summary>
    public double CpuSeconds { get; init; } = double.PositiveInfinity;

    /// <summary>Bytes that may be written to the tier, by building and by bringing: flash wears. Default no limit.</summary>
    public double WriteBytes { get; init; } = double.PositiveInfinity;

    /// <summary>Bytes that may be fetched from the tier below, over the uplink. Default no limit.</summary>
    public double FetchBytes { get; init; } = double.PositiveInfinity;
}

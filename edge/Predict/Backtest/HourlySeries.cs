namespace Foretier.Predict.Backtest;

/// <summary>Samples an hour of one series, to be forecast as if it were happening.</summary>
/// <param name="Start">The first hour, µs.</param>
/// <param name="Counts">Oldest first, −1 = unknown.</param>
/// <param name="Zone">Whose clock its habits follow; UTC where the hours are local ones already.</param>
public sealed record HourlySeries(string Name, long Start, int[] Counts, TimeZoneInfo Zone);

namespace Foretier.Predict.Place;

/// <summary>
/// What to expect of something that was never read: as much as of an average one of its kind in its account, which is little, yet tells which
/// of what nobody asked for so far is to have the room that is left over. Not thread-safe.
/// </summary>
public sealed class LikelyDemand
{
    private readonly Dictionary<(string Account, int Kind), double> _reads = [];

    /// <summary>What is expected of one that was read.</summary>
    /// <param name="kind">What those have in common that are alike: resolution and age, say.</param>
    public void Add(string account, int kind, double readsPerDay) => _reads[(account, kind)] = _reads.GetValueOrDefault((account, kind)) + readsPerDay;

    /// <param name="count">How many there are of that kind in the account, read or not.</param>
    public Demand Of(string account, int kind, int count) => new(_reads.GetValueOrDefault((account, kind)) / Math.Max(1, count));
}

namespace Foretier.Predict.Access;

/// <summary>
/// Which resources belong on the fast tier: those with most expected reads per byte, where one that is there already stays until another
/// promises enough more to be worth two moves.
/// </summary>
/// <param name="MoveCost">What moving an average resource once costs, in reads served slowly instead of fast. Default 0.25.</param>
/// <param name="StayDays">How long a promoted resource is expected to stay, so that a gain a day can be held against the cost. Default 10 days.</param>
public sealed record HotPlacement(double MoveCost = 0.25, double StayDays = 10)
{
    /// <summary>Reads a day by which a newcomer has to be ahead: its promotion and the demotion it causes, spread over its stay.</summary>
    public double Margin => 2 * MoveCost / StayDays;

    /// <param name="readsPerDay">Expected of each resource.</param>
    /// <param name="sizes">Of each, in any one unit; above 0.</param>
    /// <param name="isHot">Where each is now.</param>
    /// <param name="capacity">Of the fast tier, in the unit of the sizes.</param>
    /// <returns>Which are to be on the fast tier; of equals, the one named first.</returns>
    public bool[] Choose(ReadOnlySpan<double> readsPerDay, ReadOnlySpan<double> sizes, ReadOnlySpan<bool> isHot, double capacity)
    {
        var (total, count) = (0.0, readsPerDay.Length);
        foreach (var size in sizes)
        {
            total += size;
        }
        var mean = count == 0 ? 1 : total / count;
        var keys = new (double Density, int Index)[count];
        var candidates = 0;
        for (var i = 0; i < count; i++)
        {
            // A move costs by its bytes, so that the margin is the same for each byte.
            var density = readsPerDay[i] / sizes[i] + (isHot[i] ? Margin / mean : 0);
            if (readsPerDay[i] > 0)
            {
                keys[candidates++] = (-density, i);
            }
        }
        Array.Sort(keys, 0, candidates);
        var chosen = new bool[count];
        var left = capacity;
        for (var at = 0; at < candidates; at++)
        {
            var i = keys[at].Index;
            if (sizes[i] <= left)
            {
                chosen[i] = true;
                left -= sizes[i];
            }
        }
        return chosen;
    }
}

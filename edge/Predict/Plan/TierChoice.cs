using Foretier.Core.Partitions;
using Foretier.Core.Tiers;

namespace Foretier.Predict.Plan;

/// <summary>Which tier a partition's raw samples should be read from: by how often they are read; where its account has told prices, by what bytes and waiting cost.</summary>
internal static class TierChoice
{
    /// <summary>What a second that somebody waits less is worth, in the currency of the prices: 3.60 an hour.</summary>
    private const double SecondWorth = 0.001;

    private const double BytesPerGb = 1e9, DaysPerMonth = 365.25 / 12;

    /// <param name="readsPerDay">Of the whole partition.</param>
    /// <param name="bytes">What it takes on each tier.</param>
    public static Tier Of(AccessPattern pattern, double readsPerDay, in TierBytes bytes, AccountTerms terms)
    {
        var (cheapest, least) = (Tier.Memory, double.PositiveInfinity);
        foreach (var (tier, taken, seconds) in new[] { (Tier.Ssd, bytes.Ssd, 0.001), (Tier.Hdd, bytes.Hdd, 0.02), (Tier.Archive, bytes.Archive, 0.2) })
        {
            if (terms.On(tier).PricePerGbMonth is { } price)
            {
                var cost = taken / BytesPerGb * price + readsPerDay * DaysPerMonth * seconds * SecondWorth * terms.Priority;
                (cheapest, least) = cost < least ? (tier, cost) : (cheapest, least);
            }
        }
        return cheapest != Tier.Memory ? cheapest : pattern switch { AccessPattern.Frequent => Tier.Ssd, AccessPattern.Occasional => Tier.Hdd, _ => Tier.Archive };
    }
}

using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Predict.Access;
using Foretier.Predict.Place;

namespace Foretier.Agent.Allocate;

/// <summary>Which window this edge can best do without: by the reads that are expected of it, what they save here, whose they are, and its bytes.</summary>
internal static class KeepOrder
{
    /// <summary>What a question is answered sooner by this edge than by the gateway: a round trip and a disk's seeks.</summary>
    private const double SavedSeconds = 0.02;

    /// <param name="termsOf">What an account is given.</param>
    /// <param name="among">Windows the gateway has too, oldest first; at least one.</param>
    /// <param name="now">µs.</param>
    public static Window LeastWorth(PlaceOptions options, Func<string, AccountTerms> termsOf, AccessForecast expected, IReadOnlyList<(Window Window, long Bytes)> among, long now)
    {
        // Of equals the last one goes first: the oldest.
        var candidates = among.Reverse().Select(one => new Candidate(one.Window.ToString(), "", CandidateState.Here, Math.Max(1, one.Bytes),
            DemandOf(termsOf, expected, one.Window.Range, now), SavedSeconds)).ToArray();
        var drops = new PlacePolicy(options).Plan(candidates, new(0), now).Drops;
        return among[among.Count - 1 - drops[0].Index].Window;
    }

    /// <summary>Reads of raw samples and of rollups alike: this edge answers all of them.</summary>
    private static Demand DemandOf(Func<string, AccountTerms> termsOf, AccessForecast expected, TimeRange range, long now)
    {
        var demand = Demand.None;
        foreach (var reads in expected.All)
        {
            var terms = termsOf(reads.Series[..Math.Max(0, reads.Series.IndexOf('/', StringComparison.Ordinal))]);
            if (range.To < terms.KeptFrom(now))
            {
                continue;
            }
            if (reads.Shape.RangeAt(now).Overlaps(range))
            {
                demand = demand with { ReadsPerDay = demand.ReadsPerDay + reads.ReadsPerDay * reads.Shape.ShareAt(now) * terms.Priority };
            }
            foreach (var reader in reads.Readers.Where(reader => reads.Shape.RangeAt(Math.Max(now, reader.Next)).Overlaps(range)))
            {
                demand = demand.Plus(new(0, reader.Next, reader.ReadsIn(reader.Next / Instant.Hour, reader.Next / Instant.Hour + 1) * terms.Priority));
            }
        }
        return demand;
    }
}

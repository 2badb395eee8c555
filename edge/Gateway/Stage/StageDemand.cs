using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Predict.Access;
using Foretier.Predict.Place;

namespace Foretier.Gateway.Stage;

/// <summary>
/// What is expected to be read of each edge's windows: how often raw samples, and how often hours or what is made of them. Series that are read
/// alike count once, as the one question that they are. Immutable.
/// </summary>
internal sealed class StageDemand
{
    private readonly ILookup<string, Line> _byEdge;
    private readonly Func<string, AccountTerms> _termsOf;

    /// <param name="termsOf">What an account is given.</param>
    /// <param name="now">µs.</param>
    public StageDemand(AccessForecast expected, CatalogView catalog, Func<string, AccountTerms> termsOf, long now)
    {
        _termsOf = termsOf;
        var lines = new Dictionary<(string Edge, bool IsRollup, long Step, ReadShape Shape, string Account), Line>();
        foreach (var reads in expected.All)
        {
            var account = reads.Series[..Math.Max(0, reads.Series.IndexOf('/', StringComparison.Ordinal))];
            var terms = termsOf(account);
            var (next, inHour) = (long.MaxValue, 0.0);
            var week = 0.0;
            foreach (var reader in reads.Readers)
            {
                week += reader.ReadsIn(now / Instant.Hour, now / Instant.Hour + 7 * 24);
                (next, inHour) = reader.Next < next ? (reader.Next, reader.ReadsIn(reader.Next / Instant.Hour, reader.Next / Instant.Hour + 1)) : (next, inHour);
            }
            // Who comes every week is not read every day, and is expected all the same; who asks for little of a long time reads most of it never.
            var perDay = Math.Max(reads.ReadsPerDay, week / 7) * reads.Shape.ShareAt(now) * terms.Priority;
            foreach (var edge in catalog.Named(reads.Series).Select(series => series.Edge))
            {
                var isRollup = reads.Step > 0 && reads.Step % Instant.Hour == 0;
                var key = (edge, isRollup, reads.Step, reads.Shape, account);
                var range = reads.Shape.RangeAt(now).Hull(next == long.MaxValue ? TimeRange.Nothing : reads.Shape.RangeAt(Math.Max(now, next)));
                range = range.Clip(new(terms.KeptFrom(now), long.MaxValue));
                var known = lines.GetValueOrDefault(key);
                if (known is null || perDay > known.Demand.ReadsPerDay)
                {
                    lines[key] = new(edge, account, isRollup, range, new(perDay, next, inHour * terms.Priority));
                }
            }
        }
        _byEdge = lines.Values.ToLookup(line => line.Edge);
    }

    /// <summary>What is expected of a stretch of an edge's time, and which account reads most of it: that one pays for it.</summary>
    /// <param name="isRollup">In steps of hours; else in finer ones, or raw.</param>
    public (Demand Demand, string Account) Of(string edge, TimeRange range, bool isRollup)
    {
        var (sum, payer) = (Demand.None, (Line?)null);
        foreach (var line in _byEdge[edge].Where(line => line.IsRollup == isRollup && line.Range.Overlaps(range)))
        {
            sum = sum.Plus(line.Demand);
            payer = payer is null || line.Demand.ReadsPerDay > payer.Demand.ReadsPerDay ? line : payer;
        }
        if (payer is null)
        {
            return (Demand.None, "");
        }
        // Each reader counts by the priority of its own account; who places counts all by the payer's.
        var priority = _termsOf(payer.Account).Priority;
        return (sum with { ReadsPerDay = sum.ReadsPerDay / priority, DueReads = sum.DueReads / priority }, payer.Account);
    }

    private sealed record Line(string Edge, string Account, bool IsRollup, TimeRange Range, Demand Demand);
}

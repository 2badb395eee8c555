using Foretier.Core.Tiers;

namespace Foretier.Core.Query;

/// <summary>
/// What fetches from one tier of one node cost: a time for asking at all and one for what is brought, each as a multiple of what the tier is
/// expected to take. Learned from every fetch; immutable.
/// </summary>
/// <param name="Asking">Multiple of <see cref="PriorMilliseconds"/>.</param>
/// <param name="Bringing">Multiple of <see cref="RowMilliseconds"/>.</param>
/// <param name="Best">The lowest that <paramref name="Asking"/> was not long ago: what a source that is slow now may be like again.</param>
/// <param name="MeasuredAt">Clock ticks of the newest measurement; 0: never.</param>
public sealed record SourceCost(double Asking, double Bringing, double Best, long MeasuredAt)
{
    /// <summary>Of a source that was never measured.</summary>
    public static readonly SourceCost Unknown = new(1, 1, 1, 0);

    /// <summary>Share of the newest measurement in the moving average: a tenfold slowdown shows within five queries.</summary>
    private const double NewestShare = 0.3;

    /// <summary>How fast the best is forgotten: half of it in about 34 measurements.</summary>
    private const double ForgottenShare = 0.02;

    /// <summary>No source is free: a multiple of zero could never grow again.</summary>
    private const double LeastShare = 0.001;

    /// <summary>A sample or rollup over a link and into an answer: 16 to 60 bytes, decoded once; ms.</summary>
    private const double RowMilliseconds = 0.0002;

    /// <summary>Roughly an index look-up and one block there, ms.</summary>
    public static double PriorMilliseconds(Tier tier) => tier switch
    {
        Tier.Memory => 0.5,
        Tier.Ssd => 1,
        Tier.Hdd => 8,
        _ => 40,
    };

    /// <summary>Expected time of a fetch, ms.</summary>
    public double Estimate(Tier tier, FetchWork work) => Asking * AskingPrior(tier, work) + Bringing * BringingPrior(work);

    /// <summary>
    /// Moves both multiples towards a measurement, each by its share in it (normalised least mean squares): a small fetch teaches what asking
    /// costs, as a moving average would; a large one what its rows cost.
    /// </summary>
    /// <param name="tier">The tier that was asked.</param>
    /// <param name="work">What was asked of it.</param>
    /// <param name="milliseconds">What it took.</param>
    /// <param name="now">Clock ticks.</param>
    public SourceCost Observe(Tier tier, FetchWork work, double milliseconds, long now)
    {
        var (asking, bringing) = (AskingPrior(tier, work), BringingPrior(work));
        var error = milliseconds - Estimate(tier, work);
        // Slow the first time may be slow once; quick is quick.
        var step = (MeasuredAt == 0 && error < 0 ? 1 : NewestShare) * error / (asking * asking + bringing * bringing);
        var newest = Math.Max(LeastShare, Asking + step * asking);
        return new(newest, Math.Max(LeastShare, Bringing + step * bringing), Math.Min(newest, Best + ForgottenShare * (newest - Best)), now);
    }

    private static double AskingPrior(Tier tier, FetchWork work) => PriorMilliseconds(tier) * (1 + 0.1 * (work.Parts - 1));

    private static double BringingPrior(FetchWork work) => work.Rows * RowMilliseconds;
}

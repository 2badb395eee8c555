using Foretier.Predict.Models;

namespace Foretier.Predict.Access;

/// <summary>
/// Reads a day to expect of each key: what the ranker says of the next 24 hours, steadied by an average over months so that one busy day moves
/// little; without a ranker, EWMA-28d.
/// </summary>
public static class AccessScorer
{
    /// <summary>The rest is the steady average. Chosen on a year before the one that is scored.</summary>
    private const double RankerShare = 0.7;

    /// <summary>Reads a day of each name, in their order, at the beginning of an hour.</summary>
    /// <param name="hour">Hours since 1970.</param>
    /// <param name="ranker">Of the contract <c>access-ranker</c>; null where there is none.</param>
    /// <exception cref="InferenceException">The ranker gave no answer: the caller says why, and asks again without it.</exception>
    public static async ValueTask<double[]> ScoreAsync(
        ReadFeatures features, IReadOnlyList<string> names, long hour, IInference? ranker, CancellationToken cancel)
    {
        var scores = new double[names.Count];
        if (ranker is null || names.Count == 0)
        {
            for (var i = 0; i < scores.Length; i++)
            {
                scores[i] = features.Ewma28(names[i], hour);
            }
            return scores;
        }
        var rows = new float[names.Count * ReadFeatures.Count];
        for (var i = 0; i < names.Count; i++)
        {
            features.Write(names[i], hour, rows.AsSpan(i * ReadFeatures.Count, ReadFeatures.Count));
        }
        var answer = await ranker.RunAsync([new(rows, [names.Count, ReadFeatures.Count])], cancel).ConfigureAwait(false);
        for (var i = 0; i < scores.Length; i++)
        {
            scores[i] = RankerShare * answer.Values[i] + (1 - RankerShare) * features.Steady(names[i], hour);
        }
        return scores;
    }
}

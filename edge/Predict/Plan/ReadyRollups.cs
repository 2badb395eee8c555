using Foretier.Core.Samples;
using Foretier.Predict.Access;

namespace Foretier.Predict.Plan;

/// <summary>Which rollups are worth having before somebody asks.</summary>
internal static class ReadyRollups
{
    private static readonly (string Name, long Step)[] Standard =
        [("1m", Instant.Minute), ("5m", 5 * Instant.Minute), ("1h", Instant.Hour), ("1d", Instant.Day)];

    /// <summary>
    /// The coarsest standard step that fits into each step asked for, where the members together are asked often enough; half as often is
    /// enough for one that is ready already. Finest first.
    /// </summary>
    public static IReadOnlyList<string> Of(
        IEnumerable<PlannedSeries> members, AccessForecast access, IReadOnlyList<string>? before, double readsPerDayMin)
    {
        Span<double> reads = stackalloc double[Standard.Length];
        reads.Clear();
        foreach (var member in members)
        {
            if (member.ReadsPerDay <= 0)
            {
                continue;
            }
            foreach (var (step, readsPerDay) in access.StepsOf(member.Name))
            {
                var fit = Array.FindLastIndex(Standard, s => step > 0 && step % s.Step == 0);
                if (fit >= 0)
                {
                    reads[fit] += readsPerDay;
                }
            }
        }
        List<string> ready = [];
        for (var i = 0; i < Standard.Length; i++)
        {
            var isReady = before is not null && before.Contains(Standard[i].Name);
            if (reads[i] >= (isReady ? readsPerDayMin / 2 : readsPerDayMin))
            {
                ready.Add(Standard[i].Name);
            }
        }
        return ready;
    }
}

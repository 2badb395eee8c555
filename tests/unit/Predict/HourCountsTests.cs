using CsCheck;
using Foretier.Core.Samples;
using Foretier.Predict.Volume;

namespace Foretier.Tests.Unit.Predict;

public class HourCountsTests
{
    /// <summary>Against a dictionary: any order, any sizes, early, late, and after long silence.</summary>
    [Fact]
    public void History_counts_what_a_dictionary_counts_within_its_thirty_days()
    {
        var step = Gen.Select(Gen.Int[-800, 60], Gen.Frequency((6, Gen.Int[1, 5]), (2, Gen.Int[100, 400]), (1, Gen.Int[30_000, 90_000])));
        step.List[1, 120].Sample(steps =>
        {
            var volume = new VolumeHistory().Of("a/b/c");
            var model = new Dictionary<long, long>();
            long hour = 500_000, newest = -1;
            foreach (var (move, count) in steps)
            {
                hour = Math.Max(400_000, hour + move);
                volume.Observe(hour * Instant.Hour + 7, count);
                if (newest < 0 || hour > newest - 720)
                {
                    newest = Math.Max(newest, hour);
                    model[hour] = model.GetValueOrDefault(hour) + count;
                }
            }
            for (var h = newest - 719; h <= newest; h++)
            {
                if (volume.CountIn(new(h * Instant.Hour, (h + 1) * Instant.Hour)) != model.GetValueOrDefault(h))
                {
                    return false;
                }
            }
            return true;
        });
    }

    [Fact]
    public void Count_beyond_what_a_cell_can_hold_saturates() => Assert.Equal(int.MaxValue, Twice(int.MaxValue - 1));

    private static long Twice(int count)
    {
        var volume = new VolumeHistory().Of("a/b/c");
        volume.Observe(Instant.Earliest, count);
        volume.Observe(Instant.Earliest, count);
        return volume.CountIn(new(Instant.Earliest, Instant.Earliest + Instant.Hour));
    }
}

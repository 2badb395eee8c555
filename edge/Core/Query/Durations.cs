using Foretier.Core.Rollups;
using Foretier.Core.Samples;

namespace Foretier.Core.Query;

/// <summary>How long each state held, step by step. A state holds until the next sample; the last one until the range ends, or now.</summary>
internal static class Durations
{
    /// <summary>What has more states is no state: a gauge's numbers, say.</summary>
    private const int StatesMax = 10_000;

    /// <summary>µs by state, then by start of step.</summary>
    public static SortedDictionary<string, SortedDictionary<long, long>> Of(SeriesGroup group)
    {
        var times = new SortedDictionary<string, SortedDictionary<long, long>>(StringComparer.Ordinal);
        foreach (var member in group.Members)
        {
            AddTo(times, group, member);
            if (times.Count > StatesMax)
            {
                throw new QuestionRefusedException(new("too_many_states",
                    $"{group.Name} has more than {StatesMax} distinct values in the range; duration is for states such as on and off, ask for avg or p50 of numbers"));
            }
        }
        if (group.Question.Fill != Fill.None && times.Count * group.Grid.Count > Question.PointsMax)
        {
            throw new QuestionRefusedException(new("too_many_points",
                $"{times.Count} states over {group.Grid.Count} steps are more than {Question.PointsMax} points; use a longer step, or leave fill out"));
        }
        return times;
    }

    private static void AddTo(SortedDictionary<string, SortedDictionary<long, long>> times, SeriesGroup group, SeriesAnswer member)
    {
        var grid = group.Grid;
        var (state, since) = member.Before is { } before ? (RollupDetail.StateOf(before.Last, before.LastState), grid.Range.From) : (null, 0L);
        var rows = member.Rows ?? new();
        foreach (ref readonly var row in rows.Rows)
        {
            Hold(times, grid, state, new(since, row.Rollup.FirstTime));
            foreach (var (name, micros) in row.Rollup.Detail!.Durations)
            {
                Add(times, name, row.Start, micros);
            }
            (state, since) = (RollupDetail.StateOf(row.Rollup.Last, row.Rollup.LastState), row.Rollup.LastTime);
        }
        Hold(times, grid, state, new(since, Math.Min(grid.Range.To, group.Question.HoldsUntil)));
    }

    /// <summary>A state that held over a stretch of time, cut where steps begin.</summary>
    private static void Hold(SortedDictionary<string, SortedDictionary<long, long>> times, in BucketGrid grid, string? state, TimeRange stretch)
    {
        if (state is null)
        {
            return;
        }
        for (var at = stretch.From; at < stretch.To;)
        {
            var start = grid.StartOf(at);
            var until = Math.Min(grid.BucketAt(start).To, stretch.To);
            Add(times, state, start, until - at);
            at = until;
        }
    }

    private static void Add(SortedDictionary<string, SortedDictionary<long, long>> times, string state, long start, long micros)
    {
        if (!times.TryGetValue(state, out var steps))
        {
            times[state] = steps = [];
        }
        steps[start] = steps.GetValueOrDefault(start) + micros;
    }
}

using Foretier.Core.Rollups;
using Foretier.Core.Samples;

namespace Foretier.Core.Query;

/// <summary>The series that are put together into one result; mostly a single one.</summary>
internal sealed class SeriesGroup(string name, IReadOnlyList<SeriesAnswer> members, Question question, BucketGrid grid)
{
    private BucketRows? _rows;
    private Dictionary<long, double>? _increases;

    public string Name { get; } = name;
    public IReadOnlyList<SeriesAnswer> Members { get; } = members;
    public Question Question { get; } = question;
    public BucketGrid Grid { get; } = grid;

    /// <summary>The unit that all members share.</summary>
    public string? Unit => Members.Count == 1 || Members.All(m => m.Unit == Members[0].Unit) ? Members[0].Unit : null;

    /// <summary>The rollups over all samples of all members. Increase and durations are not in them: they are each series' own.</summary>
    public BucketRows Rows => _rows ??= Members.Count == 1 ? Members[0].Rows ?? new() : Pool();

    public static string NameOf(string series, GroupBy by)
    {
        if (by == GroupBy.Series || !SeriesKey.TryParse(series, out var key))
        {
            return series;
        }
        return by switch
        {
            GroupBy.Account => $"{key!.Account}/*/*",
            GroupBy.Device => $"{key!.Account}/{key.Device}/*",
            _ => $"{key!.Account}/*/{key.Measurement}",
        };
    }

    /// <summary>What the members grew by in a step, each by itself, added up; null where no two samples say.</summary>
    public double? IncreaseAt(long start)
    {
        if (_increases is null)
        {
            _increases = [];
            foreach (var member in Members)
            {
                AddIncreases(_increases, member.Rows ?? new());
            }
        }
        return _increases.TryGetValue(start, out var increase) ? increase : null;
    }

    private BucketRows Pool()
    {
        var rows = new BucketRows(Question.Needs);
        foreach (var member in Members)
        {
            rows.Pool(member.Rows ?? new());
        }
        return rows;
    }

    /// <summary>A step's increase begins at the last number before it, if that is in the range: so the steps add up to the whole.</summary>
    private static void AddIncreases(Dictionary<long, double> into, BucketRows rows)
    {
        double? before = null;
        foreach (ref readonly var row in rows.Rows)
        {
            var detail = row.Rollup.Detail!;
            if (!detail.HasNumber)
            {
                continue;
            }
            var increase = detail.Increase;
            if (before is { } edge)
            {
                increase += detail.FirstNumber < edge ? detail.FirstNumber : detail.FirstNumber - edge;
            }
            if (before is not null || row.Rollup.Numbers > 1)
            {
                into[row.Start] = into.GetValueOrDefault(row.Start) + increase;
            }
            before = detail.LastNumber;
        }
    }
}

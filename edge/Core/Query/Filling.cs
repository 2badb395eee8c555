using Foretier.Core.Rollups;

namespace Foretier.Core.Query;

/// <summary>Gives the steps without a value one, as the question says. What counts or measures time is 0 there whatever is said.</summary>
internal static class Filling
{
    public static IEnumerable<ResultPoint> Of(Question question, Fn fn, BucketGrid grid, IEnumerable<ResultPoint> points)
    {
        if (question.Fill == Fill.None)
        {
            return points;
        }
        return fn.Kind is FnKind.Count or FnKind.Duration ? Every(grid, points, (time, _, _) => new(time, 0)) : question.Fill switch
        {
            Fill.Previous => Every(grid, points, (time, before, _) => before is { } b ? b with { Time = time } : ResultPoint.None(time)),
            Fill.Linear => Every(grid, points, Between),
            _ => Every(grid, points, (time, _, _) => ResultPoint.None(time)),
        };
    }

    private static ResultPoint Between(long time, ResultPoint? before, ResultPoint? after)
    {
        if (before is not { State: null } b || after is not { State: null } a)
        {
            return ResultPoint.None(time);
        }
        var share = (time - b.Time) / (double)(a.Time - b.Time);
        return new(time, b.Value * (1 - share) + a.Value * share);
    }

    private static IEnumerable<ResultPoint> Every(BucketGrid grid, IEnumerable<ResultPoint> points, Func<long, ResultPoint?, ResultPoint?, ResultPoint> missing)
    {
        using var next = points.GetEnumerator();
        ResultPoint? before = null, after = next.MoveNext() ? next.Current : null;
        foreach (var bucket in grid.Buckets())
        {
            if (after is not { } point || point.Time > bucket.From)
            {
                yield return missing(bucket.From, before, after);
                continue;
            }
            yield return point;
            before = point;
            after = next.MoveNext() ? next.Current : null;
        }
    }
}

using System.Globalization;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;

namespace Foretier.Core.Query;

/// <summary>Why a question cannot be answered: a stable code, and a sentence that says what was wrong and what to do.</summary>
public sealed record QuestionError(string Code, string Detail);

/// <summary>An answer that was begun and turned out to be one that may not be given, such as one with too many samples.</summary>
public sealed class QuestionRefusedException(QuestionError error) : Exception(error.Detail)
{
    public QuestionError Error { get; } = error;
}

/// <summary>What becomes of steps without a value.</summary>
public enum Fill
{
    /// <summary>They are left out.</summary>
    None,

    /// <summary>They have none.</summary>
    Null,

    /// <summary>They have that of the step before.</summary>
    Previous,

    /// <summary>They lie on the line between the steps around them.</summary>
    Linear,
}

/// <summary>What series are put together by.</summary>
public enum GroupBy
{
    Series,
    Account,
    Device,
    Measurement,
}

/// <summary>A question that can be answered: series, a range, a step, functions.</summary>
/// <param name="Series">Patterns; at least one.</param>
/// <param name="Range">Half-open, not empty.</param>
/// <param name="Step">µs; 0 = the whole range is one bucket. Steps are counted from 1970-01-01 UTC.</param>
/// <param name="Functions">At least one, each once.</param>
public sealed partial record Question(IReadOnlyList<SeriesGlob> Series, TimeRange Range, long Step, IReadOnlyList<Fn> Functions)
{
    /// <summary>Points an answer may have: series × functions × steps. More is a sign of a wrong step and would not fit a screen or memory.</summary>
    public const long PointsMax = 5_000_000;

    /// <summary>Series an answer may have.</summary>
    public const int SeriesMax = 100_000;

    /// <summary>How far before the range a state is looked for that still holds when it begins.</summary>
    public const long CarryMax = Instant.Day;

    private KnownEdges? _edges;

    /// <summary>Days of this zone where steps are whole days; null = of UTC.</summary>
    public TimeZoneInfo? Zone { get; init; }
    public Fill Fill { get; init; }
    public GroupBy By { get; init; }

    /// <summary>What a rolling average looks back over from the end of a step, µs; a multiple of the step.</summary>
    public long Window { get; init; }

    /// <summary>Until when the last state holds, µs: the end of the range, or now where that is earlier.</summary>
    public long HoldsUntil { get; init; } = long.MaxValue;

    public bool NeedsRaw => Functions.Contains(Fn.Raw);
    public bool NeedsRollups => Any(static fn => fn.Kind is not (FnKind.Raw or FnKind.RollingAvg));

    public RollupParts Needs
    {
        get
        {
            var needs = RollupParts.None;
            for (var i = 0; i < Functions.Count; i++)
            {
                needs |= Functions[i].Needs;
            }
            return needs;
        }
    }

    public bool IsExact => !Any(static fn => !fn.IsExact);

    /// <summary>Few points of few series over a day or two: not much to do, if what is asked for is at hand.</summary>
    public bool IsSmall => Series.Count is > 0 and <= 4 && Range.Length <= 2 * Instant.Day && !NeedsRaw && Window == 0 && Grid.Count * Series.Count * Functions.Count <= 1_000
        && Series.All(static glob => glob.IsExact);

    /// <summary>Where the buckets begin, where they are not all of one length.</summary>
    public IReadOnlyList<long>? Edges
    {
        get
        {
            if (Zone is null || Step == 0 || Step % Instant.Day != 0)
            {
                return null;
            }
            // A copy with another range has the edges of its original: they are made anew where they do not fit.
            if (_edges is not { } known || known.Range != Range || known.Step != Step || known.Zone != Zone)
            {
                _edges = known = new(Range, Step, Zone, CalendarDays.EdgesOf(Range, (int)(Step / Instant.Day), Zone));
            }
            return known.Starts;
        }
    }

    public BucketGrid Grid => new(Range, Step, Step == 0 ? Range.From : 0) { Edges = Edges };

    /// <summary>What rolling averages need: the steps of the range, and as many before it as a window has besides its last.</summary>
    public Question? Rolling => !Functions.Contains(Fn.RollingAvg) ? null
        : this with { Range = new(Math.Max(0, BackFrom(Grid, Window / Step - 1)), Range.To), Functions = [Fn.Avg], Window = 0 };

    /// <summary>What durations need: the state that holds when the range begins.</summary>
    public Question? Before => !Functions.Contains(Fn.Duration) ? null
        : this with { Range = new(Range.From - CarryMax, Range.From), Step = 0, Functions = [Fn.Last] };

    /// <summary>As LINQ's, which would leave an enumerator to the collector each time.</summary>
    private bool Any(Func<Fn, bool> condition)
    {
        for (var i = 0; i < Functions.Count; i++)
        {
            if (condition(Functions[i]))
            {
                return true;
            }
        }
        return false;
    }

    private long BackFrom(BucketGrid grid, long steps)
    {
        var first = grid.StartOf(Range.From);
        return grid.Edges is null ? first - steps * Step
            : CalendarDays.EdgesOf(new(first - steps * Step, first + 1), (int)(Step / Instant.Day), Zone!) is var edges
                ? edges[(int)Math.Max(0, edges.IndexOf(first) - steps)] : first;
    }

    /// <summary>False, with the reason, where the grid over so many series would have too many points.</summary>
    public bool CheckPoints(int seriesCount, out QuestionError? error)
    {
        var points = (double)Grid.Count * seriesCount * (Functions.Count - (NeedsRaw ? 1 : 0));
        error = seriesCount > SeriesMax ? new("too_many_series", string.Create(CultureInfo.InvariantCulture,
                $"{seriesCount} series match, more than {SeriesMax}; name fewer, or ask in pages with limit="))
            : points <= PointsMax ? null : new("too_many_points", string.Create(CultureInfo.InvariantCulture,
                $"the answer could have {points:0} points, more than {PointsMax}; use a longer step, a shorter range or fewer series"));
        return error is null;
    }

    public static IEnumerable<string> FnNames => Fn.Names;

    public static string NameOf(Fn fn) => fn.Name;

    public static bool TryFn(string name, out Fn fn) => Fn.TryParse(name, out fn);

    private sealed record KnownEdges(TimeRange Range, long Step, TimeZoneInfo Zone, IReadOnlyList<long> Starts);
}

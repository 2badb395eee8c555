using Foretier.Core.Partitions;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Core.Query;

/// <summary>
/// A storage tier and its query interface (the specification's DataSource): a node that holds samples and answers for exactly the
/// holdings it is asked for. It never answers for more, so that answers of several sources add up, and says what it no longer holds.
/// </summary>
public interface IDataSource
{
    string Node { get; }

    /// <exception cref="DataSourceUnavailableException">The source cannot be reached or cannot answer in time.</exception>
    Task<FetchResult> FetchAsync(FetchRequest request, CancellationToken cancel);
}

/// <summary>A source that cannot answer now; another holder may.</summary>
public sealed class DataSourceUnavailableException(string node, string reason, Exception? inner = null)
    : Exception($"{node}: {reason}", inner)
{
    public string Node { get; } = node;
}

/// <param name="Series">Exact names, account/device/measurement, each once. A name the source has nothing of is simply absent from the result.</param>
/// <param name="Parts">What to read, each from one holding.</param>
/// <param name="Raw">Samples as they are; else rollups on the grid of <paramref name="Step"/> and <paramref name="Origin"/>.</param>
/// <param name="Step">Bucket length, µs; 0 = one bucket for everything, named by <paramref name="Origin"/>.</param>
/// <param name="Origin">Where bucket 0 begins, µs.</param>
public sealed record FetchRequest(IReadOnlyList<string> Series, IReadOnlyList<FetchPart> Parts, bool Raw, long Step, long Origin)
{
    /// <summary>What rollups must have besides what they always have.</summary>
    public RollupParts Needs { get; init; }

    /// <summary>Where the buckets begin, where they are not all of one length; see <see cref="BucketGrid.Edges"/>.</summary>
    public IReadOnlyList<long>? Edges { get; init; }

    public BucketGrid GridOf(TimeRange range) => new(range, Step, Origin) { Edges = Edges };

    /// <summary>Empty rows of what is needed.</summary>
    /// <param name="samples">How many samples will go into them, or 0.</param>
    public BucketRows NewRows(long samples = 0) =>
        new(Needs, samples == 0 ? 0 : (int)Math.Min(Math.Min(samples, RowsAtOnceMax), Parts.Sum(part => Math.Max(0, GridOf(part.Range).Count))));

    /// <summary>More are made room for when they are there.</summary>
    private const int RowsAtOnceMax = 1_024;
}

/// <summary>The layers (After, Through] of one window of one edge, samples within <paramref name="Range"/> only.</summary>
public sealed record FetchPart(string Edge, Window Window, long After, long Through, TimeRange Range);

/// <summary>What one part gave for one series: samples (sorted, unique) or rollup rows.</summary>
public sealed record Slice(int Part, string Series, SampleColumns? Samples, BucketRows? Rows)
{
    /// <summary>Where what earlier layers of the same edge and window have was deleted. Only with samples, and only of parts that begin after the first flush.</summary>
    public IReadOnlyList<TimeRange> Erased { get; init; } = [];
}

/// <param name="Slices">At most one for each part and series. Rows that need no order may stand for several parts, under the first of them.</param>
/// <param name="Gone">Indexes of parts this source does not hold (any more); nothing of them is in Slices. The asker plans anew.</param>
/// <param name="Uses">What was touched to answer, for the provenance.</param>
public sealed record FetchResult(IReadOnlyList<Slice> Slices, IReadOnlyList<int> Gone, IReadOnlyList<TierUse> Uses) : IDisposable
{
    /// <summary>Indexes of parts whose samples are gone from where they should be, though the source's catalog has them: nothing of them is in Slices. Another holder may have them.</summary>
    public IReadOnlyList<int> Lost { get; init; } = [];

    /// <summary>Gives the rows back.</summary>
    public void Dispose()
    {
        foreach (var slice in Slices)
        {
            slice.Rows?.Dispose();
        }
    }
}

/// <summary>One tier's share of an answer.</summary>
/// <param name="Resolution">"raw", "1m", … or "summary" where segment headers were enough.</param>
/// <param name="Milliseconds">Time spent there, as its node measured it.</param>
public sealed record TierUse(Tier Tier, string Node, TimeRange Range, string Resolution, double Milliseconds)
{
    /// <summary>One line for each tier, node and resolution; their ranges joined, their times added.</summary>
    internal static List<TierUse> Condense(List<TierUse> uses) => uses.Count <= 1 ? uses :
        [.. uses.GroupBy(u => (u.Tier, u.Node, u.Resolution)).OrderBy(g => g.Key.Tier).ThenBy(g => g.Key.Node, StringComparer.Ordinal)
            .Select(g => new TierUse(g.Key.Tier, g.Key.Node, g.Aggregate(TimeRange.Nothing, (r, u) => r.Hull(u.Range)), g.Key.Resolution, g.Sum(u => u.Milliseconds)))];
}

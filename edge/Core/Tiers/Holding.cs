using Foretier.Core.Partitions;
using Foretier.Core.Samples;

namespace Foretier.Core.Tiers;

/// <summary>
/// The catalog's statement that a node holds samples of one window of one edge.
/// </summary>
/// <remarks>
/// An edge numbers its flushes 1, 2, 3, … and every sample belongs to the flush that first wrote it down. A holding has the samples of the
/// flushes in (After, Through]; with After = 0 it has all of the window up to Through. Holdings that chain, (0, 12] + (12, 15], make a whole:
/// at equal (series, time) the later layer wins. The edge's own memory is the last layer, so an edge holding says Through = <see cref="Latest"/>.
/// </remarks>
/// <param name="Edge">The edge that took the samples in.</param>
/// <param name="Window">The window they belong to.</param>
/// <param name="Node">The node to ask for them.</param>
/// <param name="Tier">Where that node keeps them.</param>
/// <param name="After">The flush after which this layer begins; 0 for the beginning.</param>
/// <param name="Through">The last flush it has.</param>
/// <param name="Extent">From the first to just after the last sample in it.</param>
/// <param name="Count">Samples in it.</param>
/// <param name="Bytes">Bytes it takes there.</param>
/// <param name="Resolution">0: samples. Else only their rollups of this step (µs) are kept, and whole steps are all that can be answered.</param>
/// <param name="Settled">
/// Of an edge: the flush up to which the next tier has durably acknowledged all that this holding has; 0 where it has more. A chain that reaches it has
/// the whole window, so that a slow edge need not be asked.
/// </param>
public sealed record Holding(string Edge, Window Window, string Node, Tier Tier, long After, long Through, TimeRange Extent, long Count, long Bytes,
    long Resolution = 0, long Settled = 0)
{
    /// <summary>The Through of an edge's own holding: everything it has accepted.</summary>
    public const long Latest = long.MaxValue;

    /// <summary>
    /// The Node of what an edge has given up to the tier below and cannot ask for: known to exist, so that an answer without it is not taken
    /// for complete. It is the edge's own knowledge and does not travel; above, the node below says itself what it has.
    /// </summary>
    public const string Below = "below";

    /// <summary>
    /// The Node of what is deleted and was nowhere else: known to have been, so that an answer without it is not taken for complete.
    /// </summary>
    public const string Gone = "gone";

    public bool IsWhole => After == 0;
}

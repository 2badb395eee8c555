using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Gateway.Pack;

/// <summary>The layers (After, Through] of one window of one edge, merged, to be archived.</summary>
/// <param name="Read">Gives the samples of a series, strictly ascending in time and within the window; called once for each.</param>
public sealed record ArchivePack(
    string Edge, Window Window, long After, long Through, IReadOnlyCollection<SeriesInfo> Series, Func<SeriesInfo, SampleColumns> Read);

using System.Collections.Immutable;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Gateway.Warm;

/// <summary>A data file as far as the catalog has committed it: the batches of the flushes (After, Through].</summary>
/// <param name="Bytes">Its committed length; what lies beyond was never acknowledged.</param>
/// <param name="Sealed">Takes no more batches, because it is being packed.</param>
/// <param name="Extent">From the first to just after the last sample.</param>
/// <param name="Count">Samples it added to the window: those that supersede one of an earlier batch are not counted again.</param>
internal sealed record WarmFile(long Id, long After, long Through, long Bytes, bool Sealed, TimeRange Extent, long Count);

/// <summary>One window of one edge: its files in order of flushes, each beginning where the one before ends, and how far the archive has it.</summary>
internal sealed record WarmWindow(string Edge, Window Window, ImmutableArray<WarmFile> Files, long ArchivedThrough)
{
    public static WarmWindow Empty(string edge, Window window) => new(edge, window, [], 0);

    public bool IsHeld => Files.Length > 0;
    public long After => IsHeld ? Files[0].After : ArchivedThrough;
    public long Through => IsHeld ? Files[^1].Through : ArchivedThrough;

    /// <summary>What is kept here, for the catalog; null where the archive has everything.</summary>
    public Holding? ToHolding(string node) => !IsHeld ? null : new(Edge, Window, node, Tier.Hdd, After, Through,
        Files.Aggregate(TimeRange.Nothing, (extent, file) => extent.Hull(file.Extent)), Files.Sum(f => f.Count), Files.Sum(f => f.Bytes));

    public WarmWindow With(WarmFile file)
    {
        var at = Files.ToList().FindIndex(f => f.Id == file.Id);
        return this with { Files = at < 0 ? Files.Add(file) : Files.SetItem(at, file) };
    }
}

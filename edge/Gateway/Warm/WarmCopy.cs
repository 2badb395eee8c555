using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Gateway.Warm;

/// <summary>Where the samples of a copy come from, and where they stay.</summary>
public enum CopyOf
{
    /// <summary>The archive: staged here because they are expected to be read.</summary>
    Archive = 0,

    /// <summary>This disk's own files: their rollups, made ahead of who will ask for them.</summary>
    Own = 1,
}

/// <summary>
/// A copy of flushes (After, Through] of a window, made ahead of expected reads; the samples themselves are in the archive or in this disk's own
/// files, so that it can be dropped at any time. Immutable, as what it copies is.
/// </summary>
/// <param name="Resolution">0: samples with their rollups. Else the rollups of this step (µs), and coarser ones, alone.</param>
/// <param name="Bytes">Its file's.</param>
/// <param name="Moved">Bytes that were read to make it.</param>
/// <param name="MadeAt">µs.</param>
internal sealed record WarmCopy(long Id, string Edge, Window Window, WarmFile File, CopyOf Source, long Resolution, long Moved, long MadeAt)
{
    private long _reads;

    /// <summary>Questions it has answered a part of.</summary>
    public long Reads => Interlocked.Read(ref _reads);

    public long Bytes => File.Bytes;

    /// <param name="reads">As of the last start.</param>
    public WarmCopy WithReads(long reads)
    {
        _reads = reads;
        return this;
    }

    public void Read() => Interlocked.Increment(ref _reads);

    /// <summary>What the catalog is told; null where the window's own holding says all of it.</summary>
    public Holding? ToHolding(string node) => Source == CopyOf.Own ? null
        : new(Edge, Window, node, Tier.Hdd, File.After, File.Through, Extent, File.Count, File.Bytes, Resolution);

    /// <summary>Of rollups alone whole steps are what there is.</summary>
    private TimeRange Extent => Resolution == 0 || File.Extent.IsEmpty ? File.Extent
        : new(Instant.Floor(File.Extent.From, Resolution), Instant.Floor(File.Extent.To - 1, Resolution) + Resolution);
}

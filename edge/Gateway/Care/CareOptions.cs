namespace Foretier.Gateway.Care;

/// <summary>What the gateway does by itself for what it holds.</summary>
public sealed record CareOptions
{
    /// <summary>Days without a new sample after which a window is moved to the archive; 0: only when it is told to, or the disk's share is used up. Default 7.</summary>
    public int ArchiveAfterDays { get; init; } = 7;

    /// <summary>
    /// Days after the end of a window after which its samples are deleted here and in the archive, whenever they came, and counted as expired; 0, the default:
    /// never. Edges have their own (Hot:RetainDays).
    /// </summary>
    public int RetainDays { get; init; }

    /// <summary>
    /// The disk's share for what edges sent; 0, the default: as much as there is. From nine tenths of it the windows that were quiet longest are archived
    /// early, what the edges' maps expect counting as used; when all of it is used, batches are refused and wait at their edges.
    /// </summary>
    public long BytesMax { get; init; }

    /// <summary>What the archive may take of this site; 0, the default: no limit. Nothing is refused at it: that it will not do is said on the health page, ahead.</summary>
    public long ArchiveBytesMax { get; init; }

    /// <summary>Days in which everything on the disk is read once and compared with its digest; 0: never. Default 7.</summary>
    public int ScrubDays { get; init; } = 7;

    /// <summary>How fast that may read, bytes/s. Default 8 MB/s: a disk has other things to do.</summary>
    public long ScrubBytesPerSecond { get; init; } = 8_000_000;

    /// <summary>Hours between the times that layers in the archive are put together and files that nothing names are removed; 0: never. Default 24.</summary>
    public int TidyHours { get; init; } = 24;

    /// <exception cref="ArgumentException">The message names the setting.</exception>
    public CareOptions Validated() =>
        ArchiveAfterDays is < 0 or > 36_500 ? throw new ArgumentException($"Care:ArchiveAfterDays is {ArchiveAfterDays}; 0 to 36500")
        : RetainDays is < 0 or > 36_500 ? throw new ArgumentException($"Care:RetainDays is {RetainDays}; 0 (for ever) to 36500")
        : BytesMax is < 0 or > 0 and < 64 << 20 ? throw new ArgumentException($"Care:BytesMax is {BytesMax}; 0 (no limit) or at least 64 MB")
        : ArchiveBytesMax < 0 ? throw new ArgumentException($"Care:ArchiveBytesMax is {ArchiveBytesMax}; 0 (no limit) or more")
        : ScrubDays is < 0 or > 3_650 ? throw new ArgumentException($"Care:ScrubDays is {ScrubDays}; 0 to 3650")
        : ScrubBytesPerSecond < 64 << 10 ? throw new ArgumentException($"Care:ScrubBytesPerSecond is {ScrubBytesPerSecond}; at least 64 KB/s")
        : TidyHours is < 0 or > 8_760 ? throw new ArgumentException($"Care:TidyHours is {TidyHours}; 0 to 8760")
        : this;
}

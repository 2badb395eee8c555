using Foretier.Core.Partitions;
using Foretier.Core.Samples;

namespace Foretier.Agent.Hot;

/// <summary>All there is of one window on this edge. Belongs to the store's lock.</summary>
internal sealed class WindowState(Window window)
{
    public Window Window => window;

    /// <summary>Takes new samples.</summary>
    public MemoryPart Open { get; set; } = new();

    /// <summary>On its way into the file; null while no flush is going on or has failed.</summary>
    public MemoryPart? Frozen { get; set; }

    /// <summary>Frozen and file together have every sample of the journal up to here.</summary>
    public long FrozenPosition { get; set; }

    /// <summary>Of the file that is or will be; the files of lower generations have been given up.</summary>
    public int Generation { get; set; } = 1;

    /// <summary>What the file has; null while there is none.</summary>
    public WindowMeta? Meta { get; set; }
    public long FileBytes { get; set; }

    /// <summary>About what the last flush made the device write.</summary>
    public long FlushCost { get; set; }

    /// <summary>What was given up after it had moved down: last flush, journal position, samples, and samples replaced among them.</summary>
    public DroppedPart Dropped { get; set; }

    /// <summary>
    /// The last flush that was ever sent. A gateway that has more got it from someone else: an edge before this one under the same name.
    /// </summary>
    public long SentThrough { get; set; }

    /// <summary>The last flush the gateway has acknowledged.</summary>
    public long ShippedThrough { get; set; }

    /// <summary>Distinct samples the gateway has for certain, given up ones included.</summary>
    public long ShippedUnique { get; set; }

    /// <summary>Blocks of flushes after <see cref="ShippedThrough"/>.</summary>
    public Dictionary<long, BlockHead> Unshipped { get; } = [];

    /// <summary>Why the window cannot be shipped whole, and so is never given up; null while all is well.</summary>
    public string? Damage { get; set; }

    /// <summary>The file is as it will stay; what comes late makes another generation of it.</summary>
    public bool IsSealed { get; set; }

    /// <summary>How often it was sealed since the start: one that samples trickle into is sealed ever more rarely, to spare the flash.</summary>
    public int Seals { get; set; }

    /// <summary>Its file could not be read at the start and was set aside.</summary>
    public bool IsSetAside { get; set; }

    /// <summary>Why its samples are removed, or about to be; then nothing more may come for it.</summary>
    public Removal Removal { get; set; }

    /// <summary>Samples that nobody else was known to have when they were removed; null while none were.</summary>
    public long? RemovedCount { get; set; }

    /// <summary>What the file has whose samples were shed; null while there is none.</summary>
    public WindowMeta? Rollups { get; set; }

    /// <summary>When the oldest and the newest sample in <see cref="Open"/> came; clock time stamps.</summary>
    public long OldestAt { get; set; }
    public long NewestAt { get; set; }

    /// <summary>What the catalog was told last; null if it does not list the window.</summary>
    public Core.Tiers.Holding? Published { get; set; }
    public bool IsDirty { get; set; }

    public WindowFileName FileName => new(window, Generation);
    public long Version => Meta?.Version ?? Dropped.Through;
    public long Position => Math.Max(Meta?.Position ?? 0, Dropped.Position);
    public long FileCount => Meta?.Count ?? 0;
    public long MemoryCount => Open.Count + (Frozen?.Count ?? 0);
    public long MemoryBytes => Open.Bytes + (Frozen?.Bytes ?? 0);
    public long Erased => Dropped.Erased + (Meta?.Erased ?? 0);

    /// <summary>There are samples or deletions that only journal and memory have.</summary>
    public bool IsInMemory => Frozen is not null || !Open.IsEmpty;

    /// <summary>Samples the gateway said that deletions of this edge ended there, since the start.</summary>
    public long ErasedBelow { get; set; }

    public long Superseded => Dropped.Superseded + (Meta?.Superseded ?? 0);
    public long Lost => Dropped.Lost + (Meta?.Lost ?? 0);
    public bool IsShipped => Version <= ShippedThrough;

    /// <summary>The gateway has acknowledged all there is of it.</summary>
    public bool IsSettled => Meta is not null && IsShipped && !IsInMemory && Damage is null && Removal == Removal.None;

    /// <summary>Position of the oldest record that only journal and memory have.</summary>
    public long FirstPosition => Math.Min(Open.FirstPosition, Frozen?.FirstPosition ?? long.MaxValue);

    /// <summary>It was deleted here, and nobody below has been told: the window must not be given up before.</summary>
    public bool HasNewsOfDeletion => Math.Max(SentThrough, Dropped.Through) > 0 && Meta?.Tombstones.Any(tombstone => tombstone.Version > ShippedThrough) == true;

    public TimeRange MemoryExtent => Open.Extent.Hull(Frozen?.Extent ?? TimeRange.Nothing);

    /// <summary>Where the file says that something was deleted: an older layer elsewhere must not be read without it.</summary>
    public TimeRange ErasedExtent => Dropped.Through == 0 || Meta is null ? TimeRange.Nothing
        : Meta.Tombstones.Aggregate(TimeRange.Nothing, (all, tombstone) => all.Hull(tombstone.Range));

    public TimeRange Extent => (Meta is { Count: > 0 } meta ? new TimeRange(meta.From, meta.To) : TimeRange.Nothing).Hull(MemoryExtent).Hull(ErasedExtent);

    /// <summary>
    /// What was deleted here of what the gateway has is deleted, not released. (Who has how many of the samples of a rewritten block is not
    /// known: it counts as few as can be.)
    /// </summary>
    public void SettleShipped() => ShippedUnique = Erased == 0 ? ShippedUnique : Math.Min(ShippedUnique, Dropped.Unique + FileCount);

    /// <summary>Samples of this edge's memory and file that no other node is known to have.</summary>
    public long HeldInFile => RemovedCount is null ? FileCount - (ShippedUnique - Dropped.Unique) : 0;

    /// <summary>Samples lost by retention or shedding.</summary>
    public long Removed => RemovedCount is { } removed ? removed - (ShippedUnique - Dropped.Unique) : 0;

    /// <summary>The sums as they are once the window's file is given up with what nobody else has.</summary>
    public DroppedPart DroppedWhole => new(Version, Position, ShippedUnique, Superseded, Lost, Erased);
}

/// <summary>Sums over the generations of a window that were given up.</summary>
/// <param name="Through">Their last flush.</param>
/// <param name="Position">All samples of journal records up to this one were in them.</param>
/// <param name="Unique">Distinct samples in them.</param>
/// <param name="Superseded">Samples replaced in them.</param>
/// <param name="Lost">Samples in them that could not be read again.</param>
/// <param name="Erased">Samples deleted from them.</param>
internal readonly record struct DroppedPart(long Through, long Position, long Unique, long Superseded, long Lost = 0, long Erased = 0);

/// <summary>Why the samples of a window are not here any more. The numbers are on the device.</summary>
internal enum Removal : byte
{
    None = 0,

    /// <summary>They were older than they may get.</summary>
    Expired = 1,

    /// <summary>There was no more space, and they were the oldest. Their rollups stay, while there is space for those.</summary>
    Shed = 2,
}

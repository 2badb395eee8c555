namespace Foretier.Agent.Hot;

/// <summary>Settings of the hot store. The defaults run on a laptop and on a small board.</summary>
public sealed record HotOptions
{
    /// <summary>Where journal and window files live. One process at a time.</summary>
    public required string Directory { get; init; }

    /// <summary>The edge's name in the catalog.</summary>
    public string Node { get; init; } = "edge-1";

    /// <summary>How long the first sample of a group waits for others before the journal syncs. 0 (for none, ever) to 1 s; default 5 ms.</summary>
    public TimeSpan CommitInterval { get; init; } = TimeSpan.FromMilliseconds(5);

    /// <summary>
    /// How long it may have to wait where little arrives for long: each sync costs the flash some 6 KB, however few samples it is for. Up to
    /// 10 s, default 1 s; equal to <see cref="CommitInterval"/>: never longer, whatever that wears.
    /// </summary>
    public TimeSpan CommitIntervalMax { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// What syncs of less than a page of samples may write in a day before they wait longer than <see cref="CommitInterval"/>. Default 800 MB,
    /// which is 130,000 of them.
    /// </summary>
    public long ThinCommitBytesPerDay { get; init; } = 800_000_000;

    /// <summary>What flushes that only age makes due may write in a day before they wait for more samples, up to <see cref="FlushAgeMax"/>. Default 500 MB.</summary>
    public long PacedFlushBytesPerDay { get; init; } = 500_000_000;

    /// <summary>How much of the allowance for commits can be saved up for livelier times; of that for flushes twice as much. Default 20 MB, 3,400 commits.</summary>
    public long CreditBytes { get; init; } = 20_000_000;

    /// <summary>What the device may be made to write in 24 hours, in all; 0: as much as it takes. Default 4 GB. From three quarters of it writes are put off.</summary>
    public long FlashBytesPerDay { get; init; } = 4_000_000_000;

    /// <summary>
    /// What the device takes in its life, for <c>foretier tier</c> to say how long that lasts. Default 12 TB: 8 GB of eMMC, 3,000 cycles, half of it
    /// lost to the device's own rewriting.
    /// </summary>
    public long FlashEnduranceBytes { get; init; } = 12_000_000_000_000;

    /// <summary>What happens when that is used up. Default <see cref="AtFlashBudget.Wait"/>.</summary>
    public AtFlashBudget AtFlashBudget { get; init; }

    /// <summary>What journal and window files may take; 0: four fifths of the volume. Default 4 GB. See <see cref="Shed"/>.</summary>
    public long FlashBytesMax { get; init; } = 4_000_000_000;

    /// <summary>What happens when that is used up and the gateway has not got enough for local copies to be dropped. Default <see cref="Shed.None"/>.</summary>
    public Shed Shed { get; init; }

    /// <summary>
    /// Days after its end, or its last sample's arrival if that was later, that a window the gateway has is kept here too; 0: until the space is
    /// needed. Default 0.
    /// </summary>
    public int KeepReleasedDays { get; init; }

    /// <summary>Days after which a window is deleted here whether or not the gateway has it; 0: never, the default. Counted as expired.</summary>
    public int RetainDays { get; init; }

    /// <summary>A group of this size does not wait any longer. Default 64 KB.</summary>
    public int CommitBytes { get; init; } = 64 * 1024;

    /// <summary>Size of one journal file, 64 KB to 256 MB; default 16 MB.</summary>
    public int JournalFileBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>Journal files in the ring, written out in advance; at least 2, default 4.</summary>
    public int JournalFiles { get; init; } = 4;

    /// <summary>What samples not yet in window files may take in memory; default 64 MB. Beyond it ingest has to wait.</summary>
    public long MemoryBytesMax { get; init; } = 64L * 1024 * 1024;

    /// <summary>
    /// Series there may be, 1 to 8,388,607; default 100,000. Each takes 1 to 4 KB of memory by being known; a message that would begin another one is refused
    /// as series_limit.
    /// </summary>
    public int SeriesMax { get; init; } = 100_000;

    /// <summary>A window with so many bytes in memory is flushed to its file; default 8 MB, about 1 MB there: a good transaction.</summary>
    public long FlushBytes { get; init; } = 8L * 1024 * 1024;

    /// <summary>A window that got no sample for so long is flushed; default 5 s.</summary>
    public TimeSpan QuietAge { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>A window whose oldest sample in memory is so old is flushed, quiet or not; default 5 min. Until then the journal has them.</summary>
    public TimeSpan FlushAge { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The longest that a flush is put off to save writes; default 1 h. Until then only the journal has those samples on the device.</summary>
    public TimeSpan FlushAgeMax { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Largest stored block. Default 8,060 B: with its frame it fills one LiteDB page.</summary>
    public int BlockBytesMax { get; init; } = 8060;

    /// <summary>Window files open at once, for reading or writing; at least 2, default 8.</summary>
    public int OpenFilesMax { get; init; } = 8;

    /// <summary>Of these, how many may have been written since they were opened; default 4.</summary>
    public int OpenWritersMax { get; init; } = 4;

    /// <summary>What answers may keep in memory of the window files they read; 0: nothing. Default 16 MB.</summary>
    public long CacheBytes { get; init; } = 16L * 1024 * 1024;

    /// <summary>Space reserved on the device for the file of the current and of the next window; 0 for none, default 4 MB.</summary>
    public long ReserveBytes { get; init; } = 4L * 1024 * 1024;

    /// <summary>A window that is over and got nothing for so long is sealed: written once more, dense, with a manifest; default 10 min.</summary>
    public TimeSpan SealAge { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How often every file is read and checked; default 24 h.</summary>
    public TimeSpan ScrubInterval { get; init; } = TimeSpan.FromHours(24);

    /// <summary>What a scrub may read a second; default 2 MB.</summary>
    public long ScrubBytesPerSecond { get; init; } = 2L * 1024 * 1024;

    /// <exception cref="ArgumentException">A value is impossible; the message names it.</exception>
    public HotOptions Validated()
    {
        Require(Directory.Length > 0, nameof(Directory), "must name a folder");
        Require(Node.Length > 0, nameof(Node), "must not be empty");
        Require(CommitInterval >= TimeSpan.Zero && CommitInterval <= TimeSpan.FromSeconds(1), nameof(CommitInterval), "must lie within 0 and 1 s");
        Require(CommitIntervalMax >= CommitInterval && CommitIntervalMax <= TimeSpan.FromSeconds(10), nameof(CommitIntervalMax),
            "must lie within CommitInterval and 10 s");
        Require(ThinCommitBytesPerDay > 0, nameof(ThinCommitBytesPerDay), "must be positive");
        Require(PacedFlushBytesPerDay > 0, nameof(PacedFlushBytesPerDay), "must be positive");
        Require(CreditBytes >= 0, nameof(CreditBytes), "must not be negative");
        Require(FlashBytesPerDay is 0 or >= 10_000_000, nameof(FlashBytesPerDay), "must be 0 for no limit, or at least 10 MB");
        Require(FlashEnduranceBytes > 0, nameof(FlashEnduranceBytes), "must be positive");
        Require(FlashBytesMax == 0 || FlashBytesMax >= 2L * JournalFiles * JournalFileBytes, nameof(FlashBytesMax),
            "must be 0 for a share of the volume, or at least twice the journal (JournalFiles times JournalFileBytes)");
        Require(KeepReleasedDays is >= 0 and <= 36_500, nameof(KeepReleasedDays), "must lie within 0 and 36500");
        Require(RetainDays is >= 0 and <= 36_500, nameof(RetainDays), "must lie within 0 and 36500");
        Require(CommitBytes > 0, nameof(CommitBytes), "must be positive");
        Require(JournalFileBytes is >= 64 * 1024 and <= 256 * 1024 * 1024, nameof(JournalFileBytes), "must lie within 64 KB and 256 MB");
        Require(JournalFiles is >= 2 and <= 1024, nameof(JournalFiles), "must lie within 2 and 1024");
        Require(MemoryBytesMax >= 64 * 1024, nameof(MemoryBytesMax), "must be at least 64 KB");
        Require(SeriesMax is >= 1 and <= SeriesRegistry.IdMax, nameof(SeriesMax), $"must lie within 1 and {SeriesRegistry.IdMax}");
        Require(FlushBytes > 0, nameof(FlushBytes), "must be positive");
        Require(QuietAge > TimeSpan.Zero && FlushAge >= QuietAge, nameof(FlushAge), "must be at least QuietAge, and both positive");
        Require(FlushAgeMax >= FlushAge, nameof(FlushAgeMax), "must be at least FlushAge");
        Require(BlockBytesMax is >= 512 and <= 65_100, nameof(BlockBytesMax), "must lie within 512 and 65100");
        Require(CacheBytes >= 0, nameof(CacheBytes), "must not be negative");
        Require(OpenFilesMax >= 2, nameof(OpenFilesMax), "must be at least 2");
        Require(OpenWritersMax is >= 1 && OpenWritersMax <= OpenFilesMax, nameof(OpenWritersMax), "must lie within 1 and OpenFilesMax");
        Require(SealAge > TimeSpan.Zero, nameof(SealAge), "must be positive");
        Require(ScrubInterval > TimeSpan.Zero && ScrubInterval <= TimeSpan.FromDays(40), nameof(ScrubInterval), "must be positive and at most 40 days");
        Require(ScrubBytesPerSecond >= 64 * 1024, nameof(ScrubBytesPerSecond), "must be at least 64 KB");
        Require(ReserveBytes >= 0, nameof(ReserveBytes), "must not be negative");
        return this;
    }

    private static void Require(bool condition, string name, string rule)
    {
        if (!condition)
        {
            throw new ArgumentException($"Hot:{name} {rule}");
        }
    }
}

/// <summary>What happens to messages once the device has been written as much as it may be in a day.</summary>
public enum AtFlashBudget
{
    /// <summary>They wait at their senders, who are not read from.</summary>
    Wait,

    /// <summary>They are refused, with the reason flash_budget, and counted as rejected.</summary>
    Refuse,
}

/// <summary>What happens when flash is full and nothing there is already at the gateway.</summary>
public enum Shed
{
    /// <summary>Messages wait at their senders, who are not read from.</summary>
    None,

    /// <summary>The oldest window gives up its samples and keeps its rollups of one minute; counted as shed.</summary>
    Oldest,
}

namespace Foretier.Agent.Hot;

/// <summary>Settings of the hot store. The defaults run on a laptop and on a small board.</summary>
public sealed record HotOptions
{
    /// <summary>Where journal and window files live. One process at a time.</summary>
    public required string Directory { get; init; }

    /// <summary>The edge's name in the catalog.</summary>
    public string Node { get; init; } = "edge-1";

    /// <summary>How long the first sample of a group waits for others before the journal syncs. 0 to 1 s; default 5 ms.</summary>
    public TimeSpan CommitInterval { get; init; } = TimeSpan.FromMilliseconds(5);

    /// <summary>A group of this size does not wait any longer. Default 64 KB.</summary>
    public int CommitBytes { get; init; } = 64 * 1024;

    /// <summary>Size of one journal file, 64 KB to 256 MB; default 16 MB.</summary>
    public int JournalFileBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>Journal files in the ring, written out in advance; at least 2, default 4.</summary>
    public int JournalFiles { get; init; } = 4;

    /// <summary>What samples not yet in window files may take in memory; default 64 MB. Beyond it ingest has to wait.</summary>
    public long MemoryBytesMax { get; init; } = 64L * 1024 * 1024;

    /// <summary>A window with so many bytes in memory is flushed to its file; default 8 MB, about 1 MB there: a good transaction.</summary>
    public long FlushBytes { get; init; } = 8L * 1024 * 1024;

    /// <summary>A window that got no sample for so long is flushed; default 5 s.</summary>
    public TimeSpan QuietAge { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>A window whose oldest sample in memory is so old is flushed, quiet or not; default 60 s.</summary>
    public TimeSpan FlushAge { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Largest stored block. Default 8,060 B: with its frame it fills one LiteDB page.</summary>
    public int BlockBytesMax { get; init; } = 8060;

    /// <summary>Window files open at once, for reading or writing; at least 2, default 8.</summary>
    public int OpenFilesMax { get; init; } = 8;

    /// <summary>Of these, how many may have been written since they were opened; default 4.</summary>
    public int OpenWritersMax { get; init; } = 4;

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
        Require(CommitBytes > 0, nameof(CommitBytes), "must be positive");
        Require(JournalFileBytes is >= 64 * 1024 and <= 256 * 1024 * 1024, nameof(JournalFileBytes), "must lie within 64 KB and 256 MB");
        Require(JournalFiles is >= 2 and <= 1024, nameof(JournalFiles), "must lie within 2 and 1024");
        Require(MemoryBytesMax >= 64 * 1024, nameof(MemoryBytesMax), "must be at least 64 KB");
        Require(FlushBytes > 0, nameof(FlushBytes), "must be positive");
        Require(QuietAge > TimeSpan.Zero && FlushAge >= QuietAge, nameof(FlushAge), "must be at least QuietAge, and both positive");
        Require(BlockBytesMax is >= 512 and <= 65_100, nameof(BlockBytesMax), "must lie within 512 and 65100");
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

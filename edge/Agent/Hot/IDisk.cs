namespace Foretier.Agent.Hot;

/// <summary>
/// The folder the hot store lives in. Two forms: <see cref="FileDisk"/>, and the simulated disk of the tests, which loses what was not synced.
/// Names are relative, with forward slashes.
/// </summary>
internal interface IDisk : IDisposable
{
    /// <summary>What was written and synced so far; nothing where nobody counts.</summary>
    DiskUse Use => default;

    /// <summary>Size of the volume; 0 where it has none.</summary>
    long VolumeBytes => 0;

    IDiskFile Open(string name);

    /// <summary>Creates a file that must not exist. Reserves that many bytes on the device without changing the length.</summary>
    IDiskFile Create(string name, long reserveBytes = 0);
    bool Exists(string name);
    IReadOnlyList<string> List(string folder);

    /// <summary>Replaces a file of the new name. Durable only after <see cref="SyncFolder"/>, as are creations and deletions.</summary>
    void Rename(string from, string to);
    void Delete(string name);
    void CreateFolder(string folder);
    void SyncFolder(string folder);
}

/// <summary>A file. Writes are durable after <see cref="Sync"/> and not before. Not thread-safe except for reads.</summary>
internal interface IDiskFile : IDisposable
{
    long Length { get; }
    void SetLength(long length);

    /// <summary>Sets so many bytes of the device aside for the file, from its beginning on, without changing its length. Fewer than it has: nothing changes.</summary>
    /// <exception cref="IOException">There is no such room; what it has stays.</exception>
    void Reserve(long bytes);
    int Read(Span<byte> bytes, long position);
    void Write(ReadOnlySpan<byte> bytes, long position);
    void Sync();
}

/// <summary>What a device had to do since the start: the wear and the waiting.</summary>
/// <param name="BytesWritten">As written by this program; the device itself writes whole pages.</param>
/// <param name="Syncs">Each waits for the device.</param>
/// <param name="DeviceBytes">In pages of 4 KB, each once for every sync that follows: what reaches the flash, without the file system's own.</param>
/// <param name="JournalBytes">Of these, those of the journal.</param>
public readonly record struct DiskUse(long BytesWritten, long Syncs, long DeviceBytes, long JournalBytes);

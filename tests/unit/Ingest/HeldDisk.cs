using Foretier.Agent.Hot;

namespace Foretier.Tests.Unit.Ingest;

/// <summary>A real folder whose syncs can be held back, or made to fail, to see what is acknowledged meanwhile.</summary>
internal sealed class HeldDisk(string root) : IDisk
{
    private readonly FileDisk _disk = new(root);
    private readonly ManualResetEventSlim _open = new(initialState: true);
    private volatile bool _failing;

    public void Hold() => _open.Reset();

    public void LetGo() => _open.Set();

    public void Fail() => _failing = true;

    public IDiskFile Open(string name) => new HeldFile(this, _disk.Open(name));
    public IDiskFile Create(string name, long reserveBytes = 0) => new HeldFile(this, _disk.Create(name, reserveBytes));
    public bool Exists(string name) => _disk.Exists(name);
    public IReadOnlyList<string> List(string folder) => _disk.List(folder);
    public void Rename(string from, string to) => _disk.Rename(from, to);
    public void Delete(string name) => _disk.Delete(name);
    public void CreateFolder(string folder) => _disk.CreateFolder(folder);
    public void SyncFolder(string folder) => _disk.SyncFolder(folder);

    public void Dispose()
    {
        LetGo();
        _disk.Dispose();
    }

    private sealed class HeldFile(HeldDisk disk, IDiskFile file) : IDiskFile
    {
        public long Length => file.Length;
        public void SetLength(long length) => file.SetLength(length);
        public void Reserve(long bytes) => file.Reserve(bytes);
        public int Read(Span<byte> bytes, long position) => file.Read(bytes, position);
        public void Write(ReadOnlySpan<byte> bytes, long position) => file.Write(bytes, position);
        public void Dispose() => file.Dispose();

        public void Sync()
        {
            disk._open.Wait();
            if (disk._failing)
            {
                throw new IOException("No space left on device");
            }
            file.Sync();
        }
    }
}

namespace Foretier.Agent.Hot;

/// <summary>LiteDB's data file: written only at checkpoints, after the log it copies from is on the device.</summary>
internal sealed class DataStream(IDiskFile file, LogStream log) : PageStream
{
    private bool _dirty;

    public override long Length => file.Length;
    public override void SetLength(long value) => Guard(() => file.SetLength(value));

    public override int Read(byte[] buffer, int offset, int count)
    {
        ThrowIfFailed();
        var n = file.Read(buffer.AsSpan(offset, count), Position);
        Position += n;
        return n;
    }

    public override void Write(byte[] buffer, int offset, int count) => Guard(() =>
    {
        if (!_dirty)
        {
            log.Sync();
            _dirty = true;
        }
        file.Write(buffer.AsSpan(offset, count), Position);
        Position += count;
    });

    public override void Flush() => Guard(() =>
    {
        if (_dirty && !log.IsScratch)
        {
            file.Sync();
            _dirty = false;
        }
    });

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            file.Dispose();
        }
        base.Dispose(disposing);
    }
}

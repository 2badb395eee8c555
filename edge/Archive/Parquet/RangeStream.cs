using Foretier.Archive.Stores;

namespace Foretier.Archive.Parquet;

/// <summary>
/// An object as the seekable, synchronous stream that the Parquet reader needs, fetched block by block where it is read.
/// Blocks are kept in the cache, so that footers and neighbouring columns are fetched once.
/// </summary>
internal sealed class RangeStream(ObjectStore store, ByteCache cache, string key, long length, CancellationToken cancel) : Stream
{
    private const int BlockBytes = 512 << 10;

    /// <summary>What went wrong in the store. The Parquet reader calls through native code and would report it as a bad file.</summary>
    public Exception? Fault { get; private set; }

    public override bool CanRead => true;
    public override bool CanSeek => true;
    public override bool CanWrite => false;
    public override long Length => length;
    public override long Position { get; set; }

    public override int Read(Span<byte> buffer)
    {
        if (Position >= length || buffer.IsEmpty)
        {
            return 0;
        }
        var block = Position / BlockBytes;
        var bytes = cache.Get<byte[]>(key, block + 1) ?? Fetch(block);
        var at = (int)(Position - block * BlockBytes);
        var count = Math.Min(buffer.Length, bytes.Length - at);
        bytes.AsSpan(at, count).CopyTo(buffer);
        Position += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => Position + offset,
        _ => length + offset,
    };

    public override void Flush() => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private byte[] Fetch(long block)
    {
        try
        {
            var wanted = (int)Math.Min(BlockBytes, length - block * BlockBytes);
            var bytes = store.GetRangeAsync(key, block * BlockBytes, wanted, cancel).GetAwaiter().GetResult();
            if (bytes.Length < wanted)
            {
                throw new ArchiveException(ArchiveFault.Damaged, "read", key, $"the object is shorter than the {length} bytes that were published");
            }
            cache.Put(key, bytes, bytes.Length, block + 1);
            return bytes;
        }
        catch (Exception e)
        {
            Fault ??= e;
            throw;
        }
    }
}

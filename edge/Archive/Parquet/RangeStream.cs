using Foretier.Archive.Stores;

namespace Foretier.Archive.Parquet;

/// <summary>
/// An object as the seekable, synchronous stream that the Parquet reader needs. What will be read is best fetched before, in parallel
/// (<see cref="PrefetchAsync"/>); what was not is fetched block by block where it is read, one round after the other.
/// Blocks are kept in the cache too, so that footers and neighbouring columns are fetched once.
/// </summary>
internal sealed class RangeStream(ObjectStore store, ByteCache cache, string key, long length, CancellationToken cancel) : Stream
{
    private const int BlockBytes = 64 << 10;

    /// <summary>Bytes of one request: several in parallel are faster than one, and none has to be large.</summary>
    private const int RequestBytesMax = 1 << 20;

    /// <summary>Held until the end of the read: the cache may have let go of them by then.</summary>
    private readonly Dictionary<long, byte[]> _blocks = [];

    /// <summary>What went wrong in the store. The Parquet reader calls through native code and would report it as a bad file.</summary>
    public Exception? Fault { get; private set; }

    public override bool CanRead => true;
    public override bool CanSeek => true;
    public override bool CanWrite => false;
    public override long Length => length;
    public override long Position { get; set; }

    /// <summary>Fetches the blocks of these ranges that are not at hand, neighbours in one request, all requests at the same time.</summary>
    /// <param name="ranges">Offsets [From, To); what lies outside of the object is left out.</param>
    public async Task PrefetchAsync(IEnumerable<(long From, long To)> ranges)
    {
        var missing = ranges.Select(r => (From: Math.Max(0, r.From), To: Math.Min(length, r.To))).Where(r => r.From < r.To)
            .SelectMany(r => Blocks(r.From / BlockBytes, (r.To - 1) / BlockBytes)).Distinct().Order().Where(block => !IsAtHand(block)).ToList();
        var requests = new List<Task>();
        for (var at = 0; at < missing.Count;)
        {
            var count = 1;
            while (at + count < missing.Count && missing[at + count] == missing[at] + count && (count + 1) * BlockBytes <= RequestBytesMax)
            {
                count++;
            }
            requests.Add(FetchAsync(missing[at], count));
            at += count;
        }
        await Task.WhenAll(requests).ConfigureAwait(false);
    }

    public override int Read(Span<byte> buffer)
    {
        if (Position >= length || buffer.IsEmpty)
        {
            return 0;
        }
        var block = Position / BlockBytes;
        var bytes = IsAtHand(block) ? _blocks[block] : Fetch(block);
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

    private static IEnumerable<long> Blocks(long first, long last)
    {
        for (var block = first; block <= last; block++)
        {
            yield return block;
        }
    }

    private bool IsAtHand(long block)
    {
        lock (_blocks)
        {
            if (!_blocks.ContainsKey(block) && cache.Get<byte[]>(key, block + 1) is { } kept)
            {
                _blocks[block] = kept;
            }
            return _blocks.ContainsKey(block);
        }
    }

    private byte[] Fetch(long block)
    {
        try
        {
            FetchAsync(block, 1).GetAwaiter().GetResult();
            return _blocks[block];
        }
        catch (Exception e)
        {
            Fault ??= e;
            throw;
        }
    }

    private async Task FetchAsync(long first, int count)
    {
        var wanted = (int)Math.Min((long)count * BlockBytes, length - first * BlockBytes);
        var bytes = await store.GetRangeAsync(key, first * BlockBytes, wanted, cancel).ConfigureAwait(false);
        if (bytes.Length < wanted)
        {
            throw new ArchiveException(ArchiveFault.Damaged, "read", key, $"the object is shorter than the {length} bytes that were published");
        }
        for (var block = 0; block < count; block++)
        {
            var own = bytes.AsSpan(block * BlockBytes, Math.Min(BlockBytes, wanted - block * BlockBytes)).ToArray();
            lock (_blocks)
            {
                _blocks[first + block] = own;
            }
            cache.Put(key, own, own.Length, first + block + 1);
        }
    }
}

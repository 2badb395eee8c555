namespace Foretier.Archive;

/// <summary>The most recently used contents of the archive, up to a number of bytes. Thread-safe.</summary>
internal sealed class ByteCache(long bytesMax)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Key, long Part), LinkedListNode<Item>> _items = [];
    private readonly LinkedList<Item> _recent = [];
    private long _bytes;

    public T? Get<T>(string key, long part = 0) where T : class
    {
        lock (_lock)
        {
            if (!_items.TryGetValue((key, part), out var node))
            {
                return null;
            }
            _recent.Remove(node);
            _recent.AddFirst(node);
            return node.Value.Content as T;
        }
    }

    /// <summary>What is larger than the cache is not kept.</summary>
    public void Put(string key, object content, long bytes, long part = 0)
    {
        lock (_lock)
        {
            Remove(key, part);
            if (bytes > bytesMax)
            {
                return;
            }
            _items[(key, part)] = _recent.AddFirst(new Item(key, part, content, bytes));
            _bytes += bytes;
            while (_bytes > bytesMax)
            {
                var last = _recent.Last!.Value;
                Remove(last.Key, last.Part);
            }
        }
    }

    public void Remove(string key, long part = 0)
    {
        lock (_lock)
        {
            if (_items.Remove((key, part), out var node))
            {
                _recent.Remove(node);
                _bytes -= node.Value.Bytes;
            }
        }
    }

    private sealed record Item(string Key, long Part, object Content, long Bytes);
}

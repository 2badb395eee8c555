using System.Runtime.InteropServices;

namespace Foretier.Agent.Hot;

/// <summary>
/// What blocks a window file has, by series and in order of time, without their samples: a flush decides by it which of them it needs to read,
/// for a question to LiteDB costs more than most blocks. Forty bytes a block; kept only while the file is written.
/// </summary>
internal sealed class BlockIndex
{
    private readonly Dictionary<int, List<BlockHead>> _series = [];

    /// <param name="heads">In order of their keys.</param>
    public BlockIndex(IEnumerable<BlockHead> heads)
    {
        foreach (var head in heads)
        {
            Put(head);
        }
    }

    public ReadOnlySpan<BlockHead> Of(int series) => CollectionsMarshal.AsSpan(_series.GetValueOrDefault(series));

    public bool Has(long key)
    {
        var head = new BlockHead(key, 0, 0, 0, 0);
        var heads = Of(head.Series);
        return CountBefore(heads, head.StartOffset) is var at && at < heads.Length && heads[at].Key == key;
    }

    /// <summary>How many blocks begin before <paramref name="offset"/>.</summary>
    public static int CountBefore(ReadOnlySpan<BlockHead> heads, long offset)
    {
        int low = 0, high = heads.Length;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (heads[middle].StartOffset < offset)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }
        return low;
    }

    /// <summary>What a commit has done.</summary>
    public void Change(IEnumerable<long> deleted, IEnumerable<StoredBlock> written)
    {
        foreach (var key in deleted)
        {
            var head = new BlockHead(key, 0, 0, 0, 0);
            if (Has(key))
            {
                _series[head.Series].RemoveAt(CountBefore(Of(head.Series), head.StartOffset));
            }
        }
        foreach (var block in written)
        {
            Put(block.Head);
        }
    }

    private void Put(in BlockHead head)
    {
        if (!_series.TryGetValue(head.Series, out var heads))
        {
            _series[head.Series] = heads = new(1);
        }
        var at = CountBefore(CollectionsMarshal.AsSpan(heads), head.StartOffset);
        if (at < heads.Count && heads[at].Key == head.Key)
        {
            heads[at] = head;
        }
        else
        {
            heads.Insert(at, head);
        }
    }
}

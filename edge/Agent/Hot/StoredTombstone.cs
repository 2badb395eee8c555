using System.Buffers;
using Foretier.Core.Samples;

namespace Foretier.Agent.Hot;

/// <summary>A deletion that is in a window's file: samples of the series in the range that flushes before <paramref name="Version"/> wrote have ended.</summary>
internal readonly record struct StoredTombstone(int Series, TimeRange Range, long Version)
{
    /// <summary>The key of the block that has all tombstones of a window: no series has negative ones.</summary>
    public const long Key = -1;

    /// <summary>Those of another flush added. A later one stands for all of its series that lie within its range.</summary>
    public static IReadOnlyList<StoredTombstone> With(IReadOnlyList<StoredTombstone> old, IEnumerable<(int Series, TimeRange Range)> erased, long version)
    {
        var all = old.ToList();
        foreach (var (series, range) in erased)
        {
            all.RemoveAll(earlier => earlier.Series == series && range.Contains(earlier.Range));
            all.Add(new(series, range, version));
        }
        return all;
    }

    /// <summary>As a block without samples: for each, as varints, series · from · to · version.</summary>
    public static StoredBlock ToBlock(IReadOnlyList<StoredTombstone> tombstones)
    {
        var into = new ArrayBufferWriter<byte>();
        foreach (var (series, range, version) in tombstones)
        {
            foreach (var field in (ReadOnlySpan<long>)[series, range.From, range.To, version])
            {
                RecordWriter.WriteSigned(into, field);
            }
        }
        return new(Key, 0, 0, tombstones.Max(tombstone => tombstone.Version), into.WrittenSpan.ToArray(), null);
    }

    public static IReadOnlyList<StoredTombstone> FromBlock(StoredBlock block)
    {
        var tombstones = new List<StoredTombstone>();
        for (var from = new RecordReader(block.Segment); !from.AtEnd;)
        {
            tombstones.Add(new((int)from.Signed(), new(from.Signed(), from.Signed()), from.Signed()));
        }
        return tombstones;
    }
}

using Foretier.Core.Query;
using Foretier.Core.Segments;
using Microsoft.Win32.SafeHandles;

namespace Foretier.Gateway.Warm;

/// <summary>
/// Reads segments from data files in the order in which they lie there. A segment and its rollups are neighbours and are read at once; so are
/// segments that follow each other, as those of one batch do, as long as what lies between and is not needed stays under a tenth.
/// </summary>
internal sealed class SegmentReader : IDisposable
{
    /// <summary>One read: large enough that a disk at 150 MB/s spends more time reading than seeking (8 ms), small enough to hold.</summary>
    private const int ReadBytesMax = 4 << 20;

    private readonly Dictionary<long, SafeFileHandle> _files = [];

    public long Reads { get; private set; }
    public long BytesRead { get; private set; }
    public long BytesNeeded { get; private set; }

    /// <summary>Opens a file under the id that rows name it by. It stays readable even when it is deleted meanwhile.</summary>
    /// <returns>False where it is gone.</returns>
    public bool TryOpen(long id, string path)
    {
        if (_files.ContainsKey(id))
        {
            return true;
        }
        try
        {
            _files[id] = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return true;
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;
        }
    }

    /// <summary>The rows as layers, in the order of the rows.</summary>
    /// <exception cref="SegmentFormatException">What lies there is damaged.</exception>
    public Layer[] Read(IReadOnlyList<SegmentRow> rows, bool withRollups)
    {
        var layers = new Layer[rows.Count];
        var order = Enumerable.Range(0, rows.Count).OrderBy(i => rows[i].File).ThenBy(i => rows[i].Offset).ToArray();
        for (var i = 0; i < order.Length;)
        {
            var first = rows[order[i]];
            long end = first.Offset, needed = 0;
            var next = i;
            do
            {
                var row = rows[order[next]];
                var rowEnd = EndOf(row, withRollups);
                var more = row.Length + (HasRollups(row, withRollups) ? row.RollupLength : 0);
                var length = Math.Max(end, rowEnd) - first.Offset;
                if (next > i && (row.File != first.File || length > ReadBytesMax || length > (needed + more) * 11 / 10))
                {
                    break;
                }
                (end, needed) = (first.Offset + length, needed + more);
                next++;
            }
            while (next < order.Length);

            ReadOnlyMemory<byte> bytes = Read(first.File, first.Offset, checked((int)(end - first.Offset)));
            BytesNeeded += needed;
            for (; i < next; i++)
            {
                var row = rows[order[i]];
                var rollups = HasRollups(row, withRollups) ? bytes.Slice((int)(row.RollupOffset - first.Offset), row.RollupLength) : default;
                layers[order[i]] = row.Length == 0 ? Layer.OfRollups(row.Version, rollups, row.First, row.Last)
                    : Layer.Of(row.Version, Segment.Open(bytes.Slice((int)(row.Offset - first.Offset), row.Length)), rollups);
            }
        }
        return layers;
    }

    public void Dispose()
    {
        foreach (var file in _files.Values)
        {
            file.Dispose();
        }
    }

    private static long EndOf(SegmentRow row, bool withRollups) =>
        HasRollups(row, withRollups) ? row.RollupOffset + row.RollupLength : row.Offset + row.Length;

    /// <summary>What has no samples of its own is nothing without its rollups.</summary>
    private static bool HasRollups(SegmentRow row, bool withRollups) => row.RollupLength > 0 && (withRollups || row.Length == 0);

    private byte[] Read(long file, long offset, int length)
    {
        var bytes = new byte[length];
        if (!WarmFrame.TryFill(_files[file], bytes, offset))
        {
            throw new SegmentFormatException($"file ends before byte {offset + length}");
        }
        Reads++;
        BytesRead += length;
        return bytes;
    }
}

using System.Runtime.InteropServices;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Core.Partitions;

namespace Foretier.Agent.Hot;

/// <summary>
/// Works out which blocks of one series a flush rewrites. A block is rewritten where new samples fall inside it; a small neighbour is
/// taken along, so that blocks grow towards their best size while each sample is rewritten only a few times.
/// </summary>
internal sealed class BlockMerge(WindowFile file, Window window, long version, int bytesMax)
{
    private const int FirstGuess = 4096;

    // Of the run at hand: lent to one after the other, for large columns are costly to make.
    private readonly SampleColumns _stored = new();

    public List<long> Deleted { get; } = [];
    public List<StoredBlock> Written { get; } = [];

    /// <summary>Samples that were replaced, by another in memory or by one in memory of one in the file.</summary>
    public long Superseded { get; private set; }

    /// <summary>Samples that were deleted, of the file and of memory.</summary>
    public long Erased { get; private set; }

    /// <summary>By how much the file's number of samples grows.</summary>
    public long Added { get; private set; }
    public TimeRange Extent { get; private set; } = TimeRange.Nothing;

    public void Add(int series, SeriesSnapshot taken)
    {
        if (taken.Erasures.Count > 0)
        {
            Erase(series, taken);
            return;
        }
        var columns = taken.Last!.Value;
        var fresh = columns.Sorted(out var superseded);
        Superseded += superseded;
        Extent = Extent.Hull(new(fresh.FirstTime, fresh.LastTime + 1));
        foreach (var run in Runs(series, fresh))
        {
            Rewrite(series, run);
        }
    }

    /// <summary>What was deleted and what came around it, in order, over all blocks from the first to the last that it touches.</summary>
    private void Erase(int series, SeriesSnapshot taken)
    {
        var touched = TimeRange.Nothing;
        var parts = taken.Erasures.Select(erasure => erasure.Before).Append(taken.Last).Select(part => part?.Sorted(out var n) is { } sorted ? (Samples: sorted, Superseded: n) : default).ToList();
        foreach (var (samples, superseded) in parts.Where(part => part.Samples is not null))
        {
            touched = touched.Hull(new(samples.FirstTime, samples.LastTime + 1));
            Superseded += superseded;
        }
        foreach (var (_, range) in taken.Erasures)
        {
            touched = touched.Hull(range);
        }
        var blocks = file.ReadToMerge(series, touched).Where(block => block.EndTime >= touched.From).ToList();
        var stored = new SampleColumns();
        foreach (var block in blocks)
        {
            Segment.Open(block.Segment).Decode(stored);
        }
        var (merged, erased, isNew) = (stored, 0L, false);
        for (var i = 0; i < parts.Count; i++)
        {
            if (parts[i].Samples is { } samples)
            {
                merged = SampleColumns.MergeLastWins([merged, samples], out var superseded);
                Superseded += superseded;
                isNew = true;
            }
            if (i < taken.Erasures.Count)
            {
                var rest = merged.Without(taken.Erasures[i].Range);
                erased += merged.Count - rest.Count;
                merged = rest;
            }
        }
        if (!isNew && erased == 0)
        {
            return;
        }
        Erased += erased;
        Added += merged.Count - stored.Count;
        Extent = merged.Count == 0 ? Extent : Extent.Hull(new(merged.FirstTime, merged.LastTime + 1));
        Deleted.AddRange(blocks.Select(block => block.Key));
        foreach (var block in Encode(series, merged, window, version, bytesMax))
        {
            Deleted.Remove(block.Key); // written over instead
            Written.Add(block);
        }
    }

    /// <summary>Cuts the new samples and the blocks around them into runs that are rewritten together, in time order.</summary>
    private List<Run> Runs(int series, SampleColumns fresh)
    {
        var heads = file.Index.Of(series);
        var runs = new List<Run>(1);
        Run? open = null;
        var at = 0;
        var next = Math.Max(0, BlockIndex.CountBefore(heads, fresh.FirstTime - window.Start) - 1);
        for (; next < heads.Length && heads[next].StartOffset <= fresh.LastTime - window.Start; next++)
        {
            ref readonly var block = ref heads[next];
            long first = window.Start + block.StartOffset;
            int inside = fresh.LowerBound(first), behind = fresh.LowerBound(block.EndTime + 1);
            if (inside > at)
            {
                open ??= new();
                open.Take(fresh, at, inside);
            }
            var isSmall = open is not null && IsSmallBeside(block, open.Count);
            if (behind > inside || isSmall)
            {
                open ??= new();
                open.Blocks.Add(block);
                open.Take(fresh, inside, behind);
            }
            else if (open is not null)
            {
                runs.Add(open);
                open = null;
            }
            at = behind;
        }
        if (at < fresh.Count)
        {
            open ??= new();
            open.Take(fresh, at, fresh.Count);
        }
        if (open is not null)
        {
            runs.Add(open);
        }
        for (var i = 0; i < runs.Count; i++)
        {
            var floor = i > 0 ? runs[i - 1].LastTime : long.MinValue;
            var before = BlockIndex.CountBefore(heads, runs[i].FirstTime(window) - window.Start) - 1;
            for (; before >= 0 && heads[before].EndTime > floor && IsSmallBeside(heads[before], runs[i].Count); before--)
            {
                runs[i].Blocks.Insert(0, heads[before]);
            }
        }
        return runs;
    }

    /// <summary>
    /// As in a binary counter: a neighbour of up to twice the size is merged, a larger one is left until as much has gathered beside it.
    /// </summary>
    private bool IsSmallBeside(in BlockHead block, int count) => block.Bytes < bytesMax * 3 / 4 && block.Count <= 2 * count;

    private void Rewrite(int series, Run run)
    {
        _stored.Clear();
        long storedBytes = 0;
        if (run.Blocks.Count > 0)
        {
            foreach (var block in file.Read(run.Blocks.ConvertAll(block => block.Key)))
            {
                Segment.Open(block.Segment).Decode(_stored);
                Deleted.Add(block.Key);
                storedBytes += block.Bytes;
            }
        }
        var stored = _stored.Count;
        var merged = Merge(run.Fresh, out var superseded);
        Superseded += superseded;
        Added += merged.Count - stored;
        foreach (var block in Encode(series, merged, window, version, bytesMax, stored == 0 ? 0 : (double)storedBytes / stored))
        {
            Deleted.Remove(block.Key); // written over instead
            Written.Add(block);
        }
    }

    /// <summary>What is stored and what is new; where that comes after it, as nearly always, no column is made anew.</summary>
    private SampleColumns Merge(SampleColumns fresh, out int superseded)
    {
        if (_stored.Count == 0 || fresh.Count == 0 || _stored.LastTime >= fresh.FirstTime)
        {
            return SampleColumns.MergeLastWins([_stored, fresh], out superseded);
        }
        superseded = 0;
        _stored.Append(fresh, 0, fresh.Count);
        return _stored;
    }

    /// <summary>Cuts samples into blocks as large as they may be.</summary>
    /// <param name="bytesEach">What a sample took so far; 0 where that is not known.</param>
    public static IEnumerable<StoredBlock> Encode(
        int series, SampleColumns samples, Window window, long version, int bytesMax, double bytesEach = 0)
    {
        for (var from = 0; from < samples.Count;)
        {
            var block = LargestFrom(series, samples, from, bytesEach, window, version, bytesMax);
            yield return block;
            from += block.Count;
            bytesEach = (double)block.Bytes / block.Count;
        }
    }

    /// <summary>
    /// A block as long as fits the size, or nearly. What samples took before tells how many that is, so that mostly one is made, and no more
    /// than two but where they suddenly take more.
    /// </summary>
    private static StoredBlock LargestFrom(
        int series, SampleColumns samples, int from, double bytesEach, Window window, long version, int bytesMax)
    {
        var rest = samples.Count - from;
        var count = bytesEach > 0 ? CountFor(bytesEach, rest, bytesMax) : Math.Min(rest, FirstGuess);
        StoredBlock? fits = null;
        for (var attempt = 0; ; attempt++)
        {
            var block = Encode(series, Part(samples, from, count), window, version);
            if (block.Bytes <= bytesMax && (fits is null || block.Count > fits.Count))
            {
                fits = block;
            }
            var isGood = fits is not null && (fits.Count == rest || fits.Bytes >= bytesMax * 7 / 8 || attempt > 0);
            if (count == 1 || isGood)
            {
                return fits ?? block;
            }
            var next = CountFor((double)block.Bytes / block.Count, rest, bytesMax);
            count = block.Bytes > bytesMax ? Math.Clamp(next, 1, count - 1) : next;
            if (fits is not null && count <= fits.Count)
            {
                return fits;
            }
        }
    }

    // A little less than in proportion, so that the block rarely is too large; but no rest of a few samples is left for it.
    private static int CountFor(double bytesEach, int rest, int bytesMax) =>
        rest * bytesEach * 65 / 64 <= bytesMax ? rest : (int)Math.Clamp(bytesMax / bytesEach * 31 / 32, 1, rest);

    private static StoredBlock Encode(int series, SampleColumns samples, Window window, long version)
    {
        var bytes = Segment.Encode(samples).Bytes;
        var segment = MemoryMarshal.TryGetArray(bytes, out var array) && array.Offset == 0 && array.Array!.Length == array.Count ? array.Array : bytes.ToArray();
        var rollups = RollupBlock.CompanionOf(samples, segment.Length);
        return new(StoredBlock.KeyOf(series, samples.FirstTime - window.Start), samples.LastTime, samples.Count, version, segment,
            rollups.Length > 0 ? rollups : null);
    }

    private static SampleColumns Part(SampleColumns samples, int from, int count)
    {
        if (from == 0 && count == samples.Count)
        {
            return samples;
        }
        var part = new SampleColumns(count);
        part.Append(samples, from, count);
        return part;
    }

    private sealed class Run
    {
        public List<BlockHead> Blocks { get; } = [];
        public SampleColumns Fresh { get; private set; } = new();
        public int Count => Fresh.Count + Blocks.Sum(block => block.Count);
        public long LastTime => Math.Max(Fresh.Count > 0 ? Fresh.LastTime : long.MinValue, Blocks.Count > 0 ? Blocks[^1].EndTime : long.MinValue);

        public long FirstTime(Window window) => Math.Min(
            Fresh.Count > 0 ? Fresh.FirstTime : long.MaxValue, Blocks.Count > 0 ? window.Start + Blocks[0].StartOffset : long.MaxValue);

        public void Take(SampleColumns from, int first, int end)
        {
            if (first == 0 && end == from.Count)
            {
                Fresh = from;
            }
            else if (end > first)
            {
                Fresh.Append(from, first, end - first);
            }
        }
    }
}

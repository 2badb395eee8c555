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
        var runs = new List<Run>();
        Run? open = null;
        var at = 0;
        foreach (var block in file.ReadToMerge(series, new(fresh.FirstTime, fresh.LastTime + 1)))
        {
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
            while (file.ReadBefore(series, runs[i].FirstTime(window) - window.Start) is { } before && before.EndTime > floor
                && IsSmallBeside(before, runs[i].Count))
            {
                runs[i].Blocks.Insert(0, before);
            }
        }
        return runs;
    }

    /// <summary>
    /// As in a binary counter: a neighbour of up to twice the size is merged, a larger one is left until as much has gathered beside it.
    /// </summary>
    private bool IsSmallBeside(StoredBlock block, int count) => block.Bytes < bytesMax * 3 / 4 && block.Count <= 2 * count;

    private void Rewrite(int series, Run run)
    {
        var stored = new SampleColumns();
        foreach (var block in run.Blocks)
        {
            Segment.Open(block.Segment).Decode(stored);
            Deleted.Add(block.Key);
        }
        var merged = SampleColumns.MergeLastWins([stored, run.Fresh], out var superseded);
        Superseded += superseded;
        Added += merged.Count - stored.Count;
        foreach (var block in Encode(series, merged, window, version, bytesMax))
        {
            Deleted.Remove(block.Key); // written over instead
            Written.Add(block);
        }
    }

    /// <summary>Cuts samples into blocks as large as they may be.</summary>
    public static IEnumerable<StoredBlock> Encode(int series, SampleColumns samples, Window window, long version, int bytesMax)
    {
        var guess = FirstGuess;
        for (var from = 0; from < samples.Count;)
        {
            var block = LargestFrom(series, samples, from, guess, window, version, bytesMax);
            yield return block;
            from += block.Count;
            guess = block.Count;
        }
    }

    /// <summary>A block as long as fits the size, or nearly: each attempt is made from what the one before came to.</summary>
    private static StoredBlock LargestFrom(
        int series, SampleColumns samples, int from, int guess, Window window, long version, int bytesMax)
    {
        var rest = samples.Count - from;
        var count = Math.Min(rest, guess);
        StoredBlock? fits = null;
        for (var attempt = 0; ; attempt++)
        {
            var block = Encode(series, Part(samples, from, count), window, version);
            if (block.Bytes <= bytesMax && (fits is null || block.Count > fits.Count))
            {
                fits = block;
            }
            var isGood = fits is not null && (fits.Count == rest || fits.Bytes >= bytesMax * 7 / 8);
            if (count == 1 || isGood || (fits is not null && attempt >= 4))
            {
                return fits ?? block;
            }
            // A little less than in proportion, so that the next attempt rarely is too large again.
            var next = (long)count * bytesMax / block.Bytes * 31 / 32;
            count = (int)Math.Clamp(block.Bytes > bytesMax ? Math.Min(next, count - 1) : next, 1, rest);
            if (fits is not null && count <= fits.Count)
            {
                return fits;
            }
        }
    }

    private static StoredBlock Encode(int series, SampleColumns samples, Window window, long version)
    {
        var segment = Segment.Encode(samples).Bytes.ToArray();
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
        for (var i = from; i < from + count; i++)
        {
            part.Add(samples.Times[i], samples.Values[i], samples.StateAt(i));
        }
        return part;
    }

    private sealed class Run
    {
        public List<StoredBlock> Blocks { get; } = [];
        public SampleColumns Fresh { get; } = new();
        public int Count => Fresh.Count + Blocks.Sum(block => block.Count);
        public long LastTime => Math.Max(Fresh.Count > 0 ? Fresh.LastTime : long.MinValue, Blocks.Count > 0 ? Blocks[^1].EndTime : long.MinValue);

        public long FirstTime(Window window) => Math.Min(
            Fresh.Count > 0 ? Fresh.FirstTime : long.MaxValue, Blocks.Count > 0 ? window.Start + Blocks[0].StartOffset : long.MaxValue);

        public void Take(SampleColumns from, int first, int end)
        {
            for (var i = first; i < end; i++)
            {
                Fresh.Add(from.Times[i], from.Values[i], from.StateAt(i));
            }
        }
    }
}

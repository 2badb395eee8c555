using System.Globalization;
using Foretier.Archive.Parquet;
using Foretier.Archive.Stores;
using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;

namespace Foretier.Archive;

/// <summary>
/// Rollups in place of samples, where the answer is the same: steps that are whole and lie each in one bucket, with all that is asked for. Whatever is wrong
/// with a file of them, the samples answer.
/// </summary>
/// <param name="catalog">Remembers what is lost.</param>
internal sealed class RollupReads(ArchiveFiles files, ByteCache cache, ArchiveCatalog catalog)
{
    /// <summary>About what metadata there is: that of 18 columns for each row group of 6,000 rows.</summary>
    private const int TailBytes = 64 << 10, RowsPerTailByte = 2;

    /// <summary>What a decoded row takes, its detail, and an interval of its sketch or a state.</summary>
    private const long RowBytes = 136, DetailBytes = 200, ItemBytes = 24;

    /// <summary>True where the rollups of a file are to be tried for a part of a question.</summary>
    public bool CanAnswer(ArchivedFile file, FetchRequest request, FetchPart part) =>
        file.Rollups is { } rollups && !request.Raw && request.GridOf(part.Range).IsMadeOf(rollups.Step) && !catalog.IsLost(rollups.Key);

    /// <summary>True where those of a series have what is asked for, and no step of it is cut by the range.</summary>
    /// <param name="index">Of the series in its file.</param>
    public static bool Answers(ArchivedFile file, int index, RollupParts needs, TimeRange range)
    {
        var (series, step) = (file.Series[index], file.Rollups!.Step);
        return file.Rollups.Rows[index] > 0 && (file.Rollups.Parts[index] & needs) == needs
            && (range.From <= series.MinTime || range.From % step == 0) && (range.To > series.MaxTime || range.To % step == 0);
    }

    /// <summary>All rows of each run; of a file that is read whole they are remembered as they were decoded.</summary>
    /// <returns>Null where the file is gone, damaged or not to be read by this node, and its samples are to be read.</returns>
    /// <exception cref="ArchiveException">The store failed.</exception>
    public async Task<IReadOnlyList<BucketRow[]>?> TryReadAsync(ArchivedRollups file, IReadOnlyList<RollupRun> runs, string samplesSha256, RollupParts needs, CancellationToken cancel)
    {
        // The file itself is remembered as part 0.
        long PartOf(RollupRun run) => 1 + run.Start * ((long)RollupParts.All + 1) + (long)needs;
        var isWhole = files.IsReadWhole(file.Bytes);
        var known = runs.Select(run => isWhole ? cache.Get<BucketRow[]>(file.Key, PartOf(run)) : null).ToArray();
        var unknown = runs.Where((_, i) => known[i] is null).ToList();
        if (unknown.Count == 0)
        {
            return known!;
        }
        try
        {
            var read = await files.ReadAsync(new(file.Key, file.Bytes, file.Sha256, TailBytes + file.Rows.Sum(rows => (long)rows) / RowsPerTailByte), async (content, ranges) =>
            {
                using var reader = new RollupFileReader(content);
                if (reader.Rows != file.Rows.Sum(rows => (long)rows) || reader.Metadata.GetValueOrDefault(RollupSchema.SamplesKey) != samplesSha256
                    || reader.Metadata.GetValueOrDefault(RollupSchema.StepKey) != file.Step.ToString(CultureInfo.InvariantCulture))
                {
                    throw new InvalidDataException("it is another file than the one published");
                }
                if (ranges is not null)
                {
                    await ranges.PrefetchAsync(reader.ColumnsOf(unknown, needs)).ConfigureAwait(false);
                }
                return reader.Read(unknown, needs);
            }, cancel).ConfigureAwait(false);
            for (int i = 0, next = 0; i < known.Length; i++)
            {
                if (known[i] is not null)
                {
                    continue;
                }
                known[i] = read[next++];
                if (isWhole)
                {
                    cache.Put(file.Key, known[i]!, known[i]!.Sum(BytesOf), PartOf(runs[i]));
                }
            }
            return known!;
        }
        catch (ArchiveException e) when (e.Kind is ArchiveFault.NotFound or ArchiveFault.Damaged or ArchiveFault.Denied)
        {
            catalog.NoteLost(file.Key);
            return null;
        }
    }

    private static long BytesOf(BucketRow row) =>
        RowBytes + (row.Rollup.Detail is { } detail ? DetailBytes + ItemBytes * (detail.Sketch.Length + detail.Durations.Count) : 0);
}

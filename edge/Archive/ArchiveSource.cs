using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using System.Text.Json;
using Foretier.Archive.Parquet;
using Foretier.Archive.Stores;
using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using ParquetSharp;

namespace Foretier.Archive;

public sealed record ArchiveSourceOptions
{
    /// <summary>Memory for files that were read.</summary>
    public long CacheBytes { get; init; } = 64 << 20;

    /// <summary>Files up to this are read whole and their digest is checked; of larger ones only the pages that are needed, each with its CRC.</summary>
    public int WholeFileBytesMax { get; init; } = 1 << 20;

    /// <summary>How long one question may wait for the store: whoever asks is better served by an answer that says what it lacks.</summary>
    public TimeSpan WaitMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Parts of one question whose manifests and files are fetched at the same time: a month, so that it takes as many rounds to the store as a day.
    /// </summary>
    public int PartsAtOnce { get; init; } = 32;
}

/// <summary>
/// The archive as a tier to ask: answers exactly for the layers that a manifest published, and says Gone for any others.
/// </summary>
/// <param name="clock">Only times the answers.</param>
public sealed class ArchiveSource(ObjectStore store, ArchiveCatalog catalog, ArchiveSourceOptions options, TimeProvider clock) : IDataSource
{
    /// <summary>About what follows the columns in a file: its page index and its metadata, in which every series has a line.</summary>
    private const int TailBytes = 64 << 10, TailBytesOfSeries = 150;

    /// <summary>A decoded sample, with a little for what keeps it: a number, and one that may be a state, with the state's text.</summary>
    private const long NumberBytes = 20, StateBytes = 80;

    private readonly ByteCache _cache = new(options.CacheBytes);

    public string Node => ArchiveManifest.Node;

    public async Task<FetchResult> FetchAsync(FetchRequest request, CancellationToken cancel)
    {
        var answers = new ConcurrentDictionary<int, PartAnswer?>();
        using var late = new CancellationTokenSource(options.WaitMax);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, late.Token);
        try
        {
            await Parallel.ForEachAsync(Enumerable.Range(0, request.Parts.Count),
                new ParallelOptions { MaxDegreeOfParallelism = options.PartsAtOnce, CancellationToken = both.Token },
                async (part, stop) => answers[part] = await ReadAsync(request, part, stop).ConfigureAwait(false)).ConfigureAwait(false);
        }
        catch (ArchiveException e)
        {
            throw new DataSourceUnavailableException(Node, e.Message, e);
        }
        catch (OperationCanceledException e) when (late.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            throw new DataSourceUnavailableException(Node, $"the archive did not answer within {options.WaitMax.TotalSeconds:0} s", e);
        }
        var parts = answers.OrderBy(a => a.Key).ToList();
        return new(
            [.. parts.SelectMany(p => p.Value?.Slices ?? [])],
            [.. parts.Where(p => p.Value is null).Select(p => p.Key)],
            [.. parts.Where(p => p.Value is { Slices.Count: > 0 }).Select(p =>
                new TierUse(Tier.Archive, Node, request.Parts[p.Key].Range, "raw", p.Value!.Milliseconds))]);
    }

    /// <summary>Null where the part is not, or no longer, in the archive.</summary>
    private async Task<PartAnswer?> ReadAsync(FetchRequest request, int index, CancellationToken cancel)
    {
        var began = clock.GetTimestamp();
        var part = request.Parts[index];
        if (await catalog.FindAsync(part.Edge, part.Window, part.After, part.Through, cancel).ConfigureAwait(false) is not { } key)
        {
            return null;
        }
        try
        {
            var manifest = await catalog.ManifestAsync(key, cancel).ConfigureAwait(false);
            var names = request.Series.ToHashSet(StringComparer.Ordinal);
            var files = manifest.Files.Where(f => f.MinTime < part.Range.To && f.MaxTime >= part.Range.From)
                .Select(file => (File: file, Wanted: Wanted(file, names, part.Range))).Where(f => f.Wanted.Count > 0);
            var read = await Task.WhenAll(files.Select(f => SamplesAsync(f.File, f.Wanted, part.Range, cancel))).ConfigureAwait(false);
            List<Slice> slices = [.. read.SelectMany(samples => Cut(request, index, samples))];
            if (request.Raw)
            {
                Erase(slices, index, part, manifest, names);
            }
            return new(slices, clock.GetElapsedTime(began).TotalMilliseconds);
        }
        catch (ArchiveException e) when (e.Kind == ArchiveFault.NotFound)
        {
            // The layers were published anew or removed since. What is remembered of them must not be used again.
            catalog.Doubt(key);
            return null;
        }
    }

    /// <summary>Adds what these layers say was deleted of the ones before.</summary>
    private static void Erase(List<Slice> slices, int index, FetchPart part, ArchiveManifest manifest, HashSet<string> names)
    {
        var erased = (manifest.Erased ?? []).Where(e => names.Contains(e.Series)).Select(e => (e.Series, Range: new TimeRange(e.From, e.To).Clip(part.Range)));
        foreach (var series in erased.Where(e => !e.Range.IsEmpty).GroupBy(e => e.Series, e => e.Range))
        {
            var at = slices.FindIndex(slice => slice.Series == series.Key);
            if (at < 0)
            {
                slices.Add(new(index, series.Key, new(), null) { Erased = [.. series] });
            }
            else
            {
                slices[at] = slices[at] with { Erased = [.. series] };
            }
        }
    }

    private static IEnumerable<Slice> Cut(FetchRequest request, int index, IEnumerable<(string Name, SampleColumns Samples)> read)
    {
        var grid = request.GridOf(request.Parts[index].Range);
        foreach (var (name, samples) in read)
        {
            if (request.Raw)
            {
                if (samples.Slice(grid.Range) is { Count: > 0 } within)
                {
                    yield return new(index, name, within, null);
                }
                continue;
            }
            var rows = request.NewRows();
            rows.Add(samples, grid);
            if (rows.Count > 0)
            {
                yield return new(index, name, null, rows);
            }
        }
    }

    /// <summary>The series to read, each with the row where it begins.</summary>
    private static List<(ArchivedSeries Series, long Start)> Wanted(ArchivedFile file, HashSet<string> names, TimeRange range)
    {
        var wanted = new List<(ArchivedSeries, long)>();
        var start = 0L;
        foreach (var series in file.Series)
        {
            if (names.Contains(series.Name) && series.MinTime < range.To && series.MaxTime >= range.From)
            {
                wanted.Add((series, start));
            }
            start += series.Count;
        }
        return wanted;
    }

    /// <summary>
    /// At least the samples of the range. Of files that are read whole, what was decoded is remembered: for a month of days that takes longer than
    /// all else a question does.
    /// </summary>
    private async Task<IEnumerable<(string Name, SampleColumns Samples)>> SamplesAsync(
        ArchivedFile file, List<(ArchivedSeries Series, long Start)> wanted, TimeRange range, CancellationToken cancel)
    {
        if (file.Bytes > options.WholeFileBytesMax)
        {
            return await DecodeAsync(file, wanted, range, cancel).ConfigureAwait(false);
        }
        List<(string, SampleColumns)> all = [];
        List<(ArchivedSeries Series, long Start)> unknown = [];
        foreach (var one in wanted)
        {
            // The file itself is remembered as part 0.
            if (_cache.Get<SampleColumns>(file.Key, one.Start + 1) is { } known)
            {
                all.Add((one.Series.Name, known));
            }
            else
            {
                unknown.Add(one);
            }
        }
        if (unknown.Count > 0)
        {
            var decoded = await DecodeAsync(file, unknown, TimeRange.Everything, cancel).ConfigureAwait(false);
            foreach (var ((_, start), (_, samples)) in unknown.Zip(decoded))
            {
                _cache.Put(file.Key, samples, samples.Count * (samples.States.IsEmpty ? NumberBytes : StateBytes), start + 1);
            }
            all.AddRange(decoded);
        }
        return all;
    }

    private async Task<List<(string Name, SampleColumns Samples)>> DecodeAsync(
        ArchivedFile file, List<(ArchivedSeries Series, long Start)> wanted, TimeRange range, CancellationToken cancel)
    {
        var whole = file.Bytes <= options.WholeFileBytesMax;
        var ranges = whole ? null : new RangeStream(store, _cache, file.Key, file.Bytes, cancel);
        using Stream content = ranges is null ? new MemoryStream(await WholeAsync(file, cancel).ConfigureAwait(false), writable: false) : ranges;
        if (ranges is not null)
        {
            await ranges.PrefetchAsync([(file.Bytes - TailBytes - file.Series.Count * TailBytesOfSeries, file.Bytes)]).ConfigureAwait(false);
        }
        try
        {
            using var reader = new RawFileReader(content);
            if (reader.Rows != file.Rows || (!whole && !IsOf(reader, file)))
            {
                throw new InvalidDataException("it is another file than the one published");
            }
            if (ranges is not null)
            {
                await ranges.PrefetchAsync(reader.ColumnsOf(wanted)).ConfigureAwait(false);
            }
            return [.. wanted.Zip(reader.Read(wanted, range), (w, samples) => (w.Series.Name, samples))];
        }
        catch (Exception e)
        {
            cancel.ThrowIfCancellationRequested();
            if (content is RangeStream { Fault: { } fault })
            {
                ExceptionDispatchInfo.Throw(fault);
            }
            if (e is not (ParquetException or InvalidDataException or JsonException))
            {
                throw;
            }
            throw new ArchiveException(ArchiveFault.Damaged, "read", file.Key, $"damaged: {e.Message}", e);
        }
    }

    private async Task<byte[]> WholeAsync(ArchivedFile file, CancellationToken cancel)
    {
        if (_cache.Get<byte[]>(file.Key) is { } kept)
        {
            return kept;
        }
        var bytes = await store.GetAsync(file.Key, cancel).ConfigureAwait(false);
        if (Convert.ToHexStringLower(SHA256.HashData(bytes)) != file.Sha256)
        {
            throw new ArchiveException(ArchiveFault.Damaged, "read", file.Key,
                $"damaged: {bytes.Length} bytes that are not those published ({file.Bytes} bytes, SHA-256 {file.Sha256[..16]}…); restore it from a copy");
        }
        _cache.Put(file.Key, bytes, bytes.Length);
        return bytes;
    }

    private static bool IsOf(RawFileReader reader, ArchivedFile file) =>
        reader.Metadata.TryGetValue(RawSchema.SeriesKey, out var text)
        && JsonSerializer.Deserialize(text, ArchiveJson.Default.IReadOnlyListArchivedSeries) is { } series
        && series.SequenceEqual(file.Series);

    private sealed record PartAnswer(IReadOnlyList<Slice> Slices, double Milliseconds);
}

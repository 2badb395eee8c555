using System.Collections.Concurrent;
using System.Text.Json;
using Foretier.Archive.Parquet;
using Foretier.Archive.Stores;
using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

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
public sealed class ArchiveSource : IDataSource
{
    /// <summary>About what follows the columns in a file: its page index and its metadata, in which every series has a line.</summary>
    private const int TailBytes = 64 << 10, TailBytesOfSeries = 150;

    /// <summary>A decoded sample, with a little for what keeps it: a number, and one that may be a state, with the state's text.</summary>
    private const long NumberBytes = 20, StateBytes = 80;

    private readonly ByteCache _cache;
    private readonly ArchiveFiles _files;
    private readonly RollupReads _rollups;
    private readonly ArchiveCatalog _catalog;
    private readonly ArchiveSourceOptions _options;
    private readonly TimeProvider _clock;

    /// <param name="store">Read alone.</param>
    /// <param name="catalog">Of the same store.</param>
    /// <param name="options">Bounds.</param>
    /// <param name="clock">Only times the answers.</param>
    public ArchiveSource(ObjectStore store, ArchiveCatalog catalog, ArchiveSourceOptions options, TimeProvider clock)
    {
        (_catalog, _options, _clock) = (catalog, options, clock);
        _cache = new(options.CacheBytes);
        _files = new(store, _cache, options.WholeFileBytesMax);
        _rollups = new(_files, _cache, catalog);
    }

    public string Node => ArchiveManifest.Node;

    public async Task<FetchResult> FetchAsync(FetchRequest request, CancellationToken cancel)
    {
        var answers = new ConcurrentDictionary<int, PartAnswer?>();
        using var late = new CancellationTokenSource(_options.WaitMax);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, late.Token);
        try
        {
            await Parallel.ForEachAsync(Enumerable.Range(0, request.Parts.Count),
                new ParallelOptions { MaxDegreeOfParallelism = _options.PartsAtOnce, CancellationToken = both.Token },
                async (part, stop) => answers[part] = await ReadAsync(request, part, stop).ConfigureAwait(false)).ConfigureAwait(false);
        }
        catch (ArchiveException e)
        {
            throw new DataSourceUnavailableException(Node, e.Message, e);
        }
        catch (OperationCanceledException e) when (late.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            throw new DataSourceUnavailableException(Node, $"the archive did not answer within {_options.WaitMax.TotalSeconds:0} s", e);
        }
        var parts = answers.OrderBy(a => a.Key).ToList();
        return new(
            [.. parts.SelectMany(p => p.Value?.Slices ?? [])],
            [.. parts.Where(p => p.Value is null).Select(p => p.Key)],
            [.. parts.Where(p => p.Value is { Slices.Count: > 0 }).Select(p =>
                new TierUse(Tier.Archive, Node, request.Parts[p.Key].Range, FetchScan.NameOf(p.Value!.Resolution), p.Value.Milliseconds))])
        {
            Lost = [.. parts.Where(p => p.Value is { IsLost: true }).Select(p => p.Key)],
        };
    }

    /// <summary>Null where the part is not, or no longer, in the archive.</summary>
    private async Task<PartAnswer?> ReadAsync(FetchRequest request, int index, CancellationToken cancel)
    {
        var began = _clock.GetTimestamp();
        var part = request.Parts[index];
        if (await _catalog.FindAsync(part.Edge, part.Window, part.After, part.Through, cancel).ConfigureAwait(false) is not { } key)
        {
            return null;
        }
        try
        {
            var manifest = await _catalog.ManifestAsync(key, cancel).ConfigureAwait(false);
            var names = request.Series.ToHashSet(StringComparer.Ordinal);
            var wanted = manifest.Files.Where(f => f.MinTime < part.Range.To && f.MaxTime >= part.Range.From)
                .Select(file => Wanted(file, names, request, part, _rollups.CanAnswer(file, request, part))).Where(f => f.Samples.Count + f.Rollups.Count > 0).ToList();
            if (wanted.Exists(f => f.Samples.Count > 0 && _catalog.IsLost(f.File.Key)))
            {
                return PartAnswer.Lost;
            }
            var read = await Task.WhenAll(wanted.Select(f => ReadAsync(request, index, f, cancel))).ConfigureAwait(false);
            List<Slice> slices = [.. read.SelectMany(file => file.Slices)];
            if (request.Raw)
            {
                Erase(slices, index, part, manifest, names);
            }
            return new(slices, read.Length == 0 ? 0 : read.Min(file => file.Resolution), _clock.GetElapsedTime(began).TotalMilliseconds);
        }
        catch (ArchiveException e) when (e.Kind == ArchiveFault.NotFound)
        {
            // The layers were published anew or removed since. What is remembered of them must not be used again.
            _catalog.Doubt(key);
            return await IsStillNamedAsync(key, e.Key, cancel).ConfigureAwait(false) ? PartAnswer.Lost : null;
        }
    }

    /// <summary>A file is gone that its manifest names: nobody has to look for it again soon.</summary>
    private async Task<bool> IsStillNamedAsync(ManifestKey key, string fileKey, CancellationToken cancel)
    {
        try
        {
            if (!(await _catalog.ManifestAsync(key, cancel).ConfigureAwait(false)).Files.Any(file => file.Key == fileKey))
            {
                return false;
            }
            _catalog.NoteLost(fileKey);
            return true;
        }
        catch (ArchiveException e) when (e.Kind == ArchiveFault.NotFound)
        {
            return false;
        }
    }

    private async Task<(List<Slice> Slices, long Resolution)> ReadAsync(FetchRequest request, int index, FileShare file, CancellationToken cancel)
    {
        var part = request.Parts[index];
        if (file.Rollups.Count == 0)
        {
            return ([.. Cut(request, index, await SamplesAsync(file.File, file.Samples, part.Range, cancel).ConfigureAwait(false))], 0);
        }
        var samples = file.Samples.Count == 0 ? Task.FromResult<IEnumerable<(string, SampleColumns)>>([]) : SamplesAsync(file.File, file.Samples, part.Range, cancel);
        var rollups = _rollups.TryReadAsync(file.File.Rollups!, file.Rollups, file.File.Sha256, request.Needs, cancel);
        await Task.WhenAll(samples, rollups).ConfigureAwait(false);
        if (await rollups.ConfigureAwait(false) is not { } rows)
        {
            return await ReadAsync(request, index, Wanted(file.File, request.Series.ToHashSet(StringComparer.Ordinal), request, part, withRollups: false), cancel).ConfigureAwait(false);
        }
        return ([.. Cut(request, index, await samples.ConfigureAwait(false)), .. Cut(request, index, file.Rollups, rows)], file.Samples.Count == 0 ? file.File.Rollups!.Step : 0);
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

    private static IEnumerable<Slice> Cut(FetchRequest request, int index, IReadOnlyList<RollupRun> runs, IReadOnlyList<BucketRow[]> read)
    {
        var grid = request.GridOf(request.Parts[index].Range);
        foreach (var (run, stored) in runs.Zip(read))
        {
            var rows = request.NewRows();
            foreach (ref readonly var row in stored.AsSpan())
            {
                if (grid.Range.Contains(row.Rollup.FirstTime))
                {
                    rows.Merge(grid.StartOf(row.Rollup.FirstTime), row.Rollup);
                }
            }
            if (rows.Count > 0)
            {
                yield return new(index, run.Series.Name, null, rows);
            }
        }
    }

    /// <summary>The series to read, each with the row where it begins, from the file itself or from its rollups.</summary>
    private FileShare Wanted(ArchivedFile file, HashSet<string> names, FetchRequest request, FetchPart part, bool withRollups)
    {
        var (samples, rollups) = (new List<(ArchivedSeries, long)>(), new List<RollupRun>());
        var (start, rollupStart) = (0L, 0L);
        for (var i = 0; i < file.Series.Count; i++)
        {
            var series = file.Series[i];
            var rollupRows = file.Rollups?.Rows[i] ?? 0;
            if (names.Contains(series.Name) && series.MinTime < part.Range.To && series.MaxTime >= part.Range.From)
            {
                if (withRollups && RollupReads.Answers(file, i, request.Needs, part.Range))
                {
                    rollups.Add(new(series, rollupStart, rollupRows));
                }
                else
                {
                    samples.Add((series, start));
                }
            }
            (start, rollupStart) = (start + series.Count, rollupStart + rollupRows);
        }
        // What is fetched whole for some is there for all.
        return samples.Count > 0 && rollups.Count > 0 && _files.IsReadWhole(file.Bytes) ? Wanted(file, names, request, part, withRollups: false) : new(file, samples, rollups);
    }

    /// <summary>
    /// At least the samples of the range. Of files that are read whole, what was decoded is remembered: for a month of days that takes longer than
    /// all else a question does.
    /// </summary>
    private async Task<IEnumerable<(string Name, SampleColumns Samples)>> SamplesAsync(
        ArchivedFile file, List<(ArchivedSeries Series, long Start)> wanted, TimeRange range, CancellationToken cancel)
    {
        if (!_files.IsReadWhole(file.Bytes))
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

    private Task<List<(string Name, SampleColumns Samples)>> DecodeAsync(
        ArchivedFile file, List<(ArchivedSeries Series, long Start)> wanted, TimeRange range, CancellationToken cancel) =>
        _files.ReadAsync<List<(string, SampleColumns)>>(new(file.Key, file.Bytes, file.Sha256, TailBytes + file.Series.Count * TailBytesOfSeries), async (content, ranges) =>
        {
            using var reader = new RawFileReader(content);
            if (reader.Rows != file.Rows || (ranges is not null && !IsOf(reader, file)))
            {
                throw new InvalidDataException("it is another file than the one published");
            }
            if (ranges is not null)
            {
                await ranges.PrefetchAsync(reader.ColumnsOf(wanted)).ConfigureAwait(false);
            }
            return [.. wanted.Zip(reader.Read(wanted, range), (w, samples) => (w.Series.Name, samples))];
        }, cancel);

    private static bool IsOf(RawFileReader reader, ArchivedFile file) =>
        reader.Metadata.TryGetValue(RawSchema.SeriesKey, out var text)
        && JsonSerializer.Deserialize(text, ArchiveJson.Default.IReadOnlyListArchivedSeries) is { } series
        && series.SequenceEqual(file.Series);

    /// <summary>What of a file is read for a part: of each series its samples or its rollups.</summary>
    private sealed record FileShare(ArchivedFile File, List<(ArchivedSeries Series, long Start)> Samples, List<RollupRun> Rollups);

    /// <param name="Resolution">0 where samples were read, else the step of the rollups, µs.</param>
    private sealed record PartAnswer(IReadOnlyList<Slice> Slices, long Resolution, double Milliseconds)
    {
        /// <summary>It was published, and is not there.</summary>
        public static PartAnswer Lost { get; } = new([], 0, 0) { IsLost = true };

        public bool IsLost { get; private init; }
    }
}

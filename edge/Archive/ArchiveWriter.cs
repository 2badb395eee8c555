using System.Globalization;
using System.Security.Cryptography;
using Foretier.Archive.Parquet;
using Foretier.Archive.Stores;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Archive;

/// <summary>The layers (After, Through] of one window of one edge, merged, to be archived.</summary>
/// <param name="Window">Lies within one UTC day, which names the partition of its files.</param>
/// <param name="Through">The last flush that is in it; a whole number of flushes, never <see cref="Holding.Latest"/>.</param>
/// <param name="Series">In any order; each name once.</param>
/// <param name="Read">Gives the samples of a series, strictly ascending in time and within the window; called once for each, in order of names.</param>
public sealed record ArchivePack(
    string Edge, Window Window, long After, long Through, IReadOnlyCollection<SeriesInfo> Series, Func<SeriesInfo, SampleColumns> Read)
{
    /// <summary>Where what older layers of the window have was deleted.</summary>
    public IReadOnlyList<ArchiveErasure> Erased { get; init; } = [];
}

/// <summary>A series and a range of it that was deleted.</summary>
public sealed record ArchiveErasure(string Series, TimeRange Range);

public sealed record ArchiveWriterOptions
{
    /// <summary>The name of this gateway's place, the first part of every key.</summary>
    public required string Site { get; init; }

    /// <summary>A directory on a local disk for the file being packed.</summary>
    public required string ScratchPath { get; init; }

    /// <summary>A file ends with the series that reaches this; 16 million rows are about 64 MB.</summary>
    public int RowsPerFile { get; init; } = 16_000_000;
}

/// <summary>
/// Puts windows into the archive: (1) packs the samples into Parquet files, and their hourly rollups into one beside each, (2) uploads each, (3) stats and reads it
/// back and compares its SHA-256, (4) publishes all of them with one manifest. Until (4) nothing of it can be seen; a crash before leaves at most files that
/// no manifest names, and packing again gives the same keys.
/// </summary>
public sealed class ArchiveWriter(ObjectStore store, ArchiveWriterOptions options)
{
    private const string RollupSuffix = ".rollup";
    internal const long RollupStep = Instant.Hour;

    /// <summary>
    /// Rollups are kept where they take no more than a third of their samples. (Readings a minute apart: a quarter, 10 s apart: a tenth.)
    /// </summary>
    internal const int RollupShare = 3;

    private readonly int _rowsPerFile = options.RowsPerFile > 0
        ? options.RowsPerFile
        : throw new ArgumentOutOfRangeException(nameof(options), options.RowsPerFile, "RowsPerFile is at least 1");

    /// <summary>Returns what the archive holds now, durable and verified.</summary>
    /// <exception cref="ArchiveException">The store failed; nothing is published.</exception>
    /// <exception cref="ArgumentException">The pack is not as it says.</exception>
    public async Task<Holding> PublishAsync(ArchivePack pack, CancellationToken cancel)
    {
        Check(pack);
        var files = new List<ArchivedFile>();
        Directory.CreateDirectory(options.ScratchPath);
        var scratch = Path.Combine(options.ScratchPath, string.Create(CultureInfo.InvariantCulture,
            $"{ArchiveKeys.Bucket(pack.Edge)}-{pack.Window}-{pack.After}-{pack.Through}.parquet"));
        try
        {
            var pending = new Queue<SeriesInfo>(pack.Series.OrderBy(s => s.Name, StringComparer.Ordinal));
            while (pending.Count > 0)
            {
                using var samples = new FileStream(scratch, FileMode.Create, FileAccess.ReadWrite);
                using var rollups = new FileStream(scratch + RollupSuffix, FileMode.Create, FileAccess.ReadWrite);
                if (await FillAsync(samples, rollups, pack, pending, cancel).ConfigureAwait(false) is { } file)
                {
                    await UploadAsync(samples, file.Key, file.Sha256, cancel).ConfigureAwait(false);
                    if (file.Rollups is { } kept)
                    {
                        await UploadAsync(rollups, kept.Key, kept.Sha256, cancel).ConfigureAwait(false);
                    }
                    files.Add(file);
                }
            }
        }
        finally
        {
            File.Delete(scratch);
            File.Delete(scratch + RollupSuffix);
        }
        var manifest = new ArchiveManifest(
            pack.Erased.Count > 0 ? ArchiveManifest.CurrentFormat : 1, options.Site, pack.Edge, pack.Window.ToString(), pack.After, pack.Through, files)
        {
            Erased = pack.Erased.Count > 0 ? [.. pack.Erased.Select(e => new ArchivedErasure(e.Series, e.Range.From, e.Range.To))] : null,
        };
        var key = new ManifestKey(options.Site, pack.Edge, pack.Window, pack.After, pack.Through).ToString();
        var bytes = manifest.ToBytes();
        await store.PutAsync(key, bytes, cancel).ConfigureAwait(false);
        await VerifyAsync(key, bytes.Length, Convert.ToHexStringLower(SHA256.HashData(bytes)), cancel).ConfigureAwait(false);
        return manifest.ToHolding();
    }

    private static void Check(ArchivePack pack)
    {
        if (pack.After < 0 || pack.Through <= pack.After || pack.Through == Holding.Latest)
        {
            throw new ArgumentException($"({pack.After}, {pack.Through}] is no run of flushes", nameof(pack));
        }
        if (Window.DayOf(pack.Window.Start) != Window.DayOf(pack.Window.End - 1))
        {
            throw new ArgumentException($"window {pack.Window} spans two days", nameof(pack));
        }
    }

    /// <returns>What will be published, keys and digests included; null where there is not a sample.</returns>
    private async Task<ArchivedFile?> FillAsync(FileStream content, FileStream rollupContent, ArchivePack pack, Queue<SeriesInfo> pending, CancellationToken cancel)
    {
        var metadata = new Dictionary<string, string>
        {
            [RawSchema.SiteKey] = options.Site,
            [RawSchema.EdgeKey] = pack.Edge,
            [RawSchema.WindowKey] = pack.Window.ToString(),
            [RawSchema.AfterKey] = pack.After.ToString(CultureInfo.InvariantCulture),
            [RawSchema.ThroughKey] = pack.Through.ToString(CultureInfo.InvariantCulture),
        };
        using var file = new RawFileWriter(content, metadata);
        using var rollups = new RollupFileWriter(rollupContent, RollupStep, metadata);
        while (file.Rows < _rowsPerFile && pending.TryDequeue(out var series))
        {
            cancel.ThrowIfCancellationRequested();
            var samples = pack.Read(series);
            if (samples.Count == 0)
            {
                continue;
            }
            if (!pack.Window.Range.Contains(samples.FirstTime) || !pack.Window.Range.Contains(samples.LastTime))
            {
                throw new ArgumentException($"{series.Name} has samples outside of window {pack.Window}", nameof(pack));
            }
            file.Add(series, samples);
            rollups.Add(series, samples);
        }
        file.Close();
        if (file.Series.Count == 0)
        {
            return null;
        }
        var sha256 = await DigestAsync(content, cancel).ConfigureAwait(false);
        long minTime = file.Series.Min(s => s.MinTime), maxTime = file.Series.Max(s => s.MaxTime);
        var archived = new ArchivedFile(ArchiveKeys.Raw(options.Site, pack.Edge, pack.Window, minTime, maxTime, sha256), content.Length, sha256,
            file.Series.Sum(s => s.Count), minTime, maxTime, file.Series);
        rollups.Close(sha256);
        if (rollups.Rows.All(rows => rows == 0) || rollupContent.Length * RollupShare > content.Length)
        {
            return archived;
        }
        var rollupSha256 = await DigestAsync(rollupContent, cancel).ConfigureAwait(false);
        return archived with
        {
            Rollups = new(ArchiveKeys.Rollup(options.Site, pack.Edge, pack.Window, minTime, maxTime, rollupSha256), rollupContent.Length, rollupSha256,
                RollupStep, rollups.Rows, rollups.Parts),
        };
    }

    private async Task UploadAsync(FileStream content, string key, string sha256, CancellationToken cancel)
    {
        // An earlier attempt may have brought it there; the digest below tells whether it did so whole.
        var present = await store.StatAsync(key, cancel).ConfigureAwait(false);
        if (present?.Bytes != content.Length || await store.DigestAsync(key, cancel).ConfigureAwait(false) != sha256)
        {
            content.Position = 0;
            await store.PutAsync(key, content, cancel).ConfigureAwait(false);
            await VerifyAsync(key, content.Length, sha256, cancel).ConfigureAwait(false);
        }
    }

    private static async Task<string> DigestAsync(FileStream content, CancellationToken cancel)
    {
        content.Position = 0;
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(content, cancel).ConfigureAwait(false));
    }

    private async Task VerifyAsync(string key, long bytes, string sha256, CancellationToken cancel)
    {
        var there = await store.StatAsync(key, cancel).ConfigureAwait(false);
        if (there?.Bytes != bytes)
        {
            throw new ArchiveException(ArchiveFault.Damaged, "verify", key, $"the store has {there?.Bytes ?? 0} of {bytes} bytes after the upload");
        }
        if (await store.DigestAsync(key, cancel).ConfigureAwait(false) != sha256)
        {
            throw new ArchiveException(ArchiveFault.Damaged, "verify", key, "the store gives back other bytes than were uploaded");
        }
    }
}

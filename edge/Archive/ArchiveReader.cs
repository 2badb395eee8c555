using System.Security.Cryptography;
using Foretier.Archive.Parquet;
using Foretier.Archive.Stores;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using ParquetSharp;

namespace Foretier.Archive;

/// <summary>
/// Reads published layers whole, to be kept nearer: every file is fetched whole, and its digest is the published one or nothing of it is given out.
/// </summary>
public sealed class ArchiveReader(ObjectStore store, ArchiveCatalog catalog)
{
    /// <summary>Samples decoded at once, some 16 MB: a column is skipped through once for each such run of series.</summary>
    private const long SamplesAtOnce = 1_000_000;

    /// <summary>What a manifest published; null where it is not, or no longer, in the archive.</summary>
    /// <exception cref="ArchiveException">The store failed, or the manifest is damaged.</exception>
    public async Task<ArchiveManifest?> FindAsync(string edge, Window window, long after, long through, CancellationToken cancel)
    {
        try
        {
            return await catalog.FindAsync(edge, window, after, through, cancel).ConfigureAwait(false) is { } key
                ? await catalog.ManifestAsync(key, cancel).ConfigureAwait(false) : null;
        }
        catch (ArchiveException e) when (e.Kind == ArchiveFault.NotFound)
        {
            return null;
        }
    }

    /// <summary>A file whole, as it was published.</summary>
    /// <exception cref="ArchiveException">The file is damaged or gone.</exception>
    public async Task<byte[]> GetAsync(ArchivedFile file, CancellationToken cancel)
    {
        var bytes = await store.GetAsync(file.Key, cancel).ConfigureAwait(false);
        return Convert.ToHexStringLower(SHA256.HashData(bytes)) == file.Sha256 ? bytes
            : throw new ArchiveException(ArchiveFault.Damaged, "read", file.Key, $"damaged: {bytes.Length} bytes that are not those published; restore it from a copy");
    }

    /// <summary>Hands over every series of a file, in its order.</summary>
    /// <param name="bytes">As <see cref="GetAsync"/> gave them.</param>
    /// <exception cref="ArchiveException">It is not as its manifest says.</exception>
    public static void Read(ArchivedFile file, byte[] bytes, Action<ArchivedSeries, SampleColumns> take, CancellationToken cancel)
    {
        try
        {
            using var reader = new RawFileReader(new MemoryStream(bytes, writable: false));
            var start = 0L;
            for (var from = 0; from < file.Series.Count;)
            {
                cancel.ThrowIfCancellationRequested();
                var (run, samples) = (new List<(ArchivedSeries Series, long Start)>(), 0L);
                for (; from < file.Series.Count && (run.Count == 0 || samples + file.Series[from].Count <= SamplesAtOnce); from++)
                {
                    run.Add((file.Series[from], start));
                    start += file.Series[from].Count;
                    samples += file.Series[from].Count;
                }
                foreach (var (series, columns) in run.Zip(reader.Read(run, TimeRange.Everything), (one, columns) => (one.Series, columns)))
                {
                    take(series, columns);
                }
            }
        }
        catch (Exception e) when (e is ParquetException or InvalidDataException)
        {
            throw new ArchiveException(ArchiveFault.Damaged, "read", file.Key, $"damaged: {e.Message}", e);
        }
    }
}

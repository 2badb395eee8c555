using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using System.Text.Json;
using Foretier.Archive.Parquet;
using Foretier.Archive.Stores;
using ParquetSharp;

namespace Foretier.Archive;

/// <summary>A file as it was published.</summary>
/// <param name="Sha256">Of the whole object, lower-case hex.</param>
/// <param name="TailBytes">About what follows its columns: its metadata.</param>
internal readonly record struct FileAddress(string Key, long Bytes, string Sha256, long TailBytes);

/// <summary>Opens files of the archive: small ones whole, with their digest; of larger ones only the pages that are needed, each with its CRC.</summary>
/// <param name="cache">Keeps what was fetched.</param>
/// <param name="wholeFileBytesMax">What is small.</param>
internal sealed class ArchiveFiles(ObjectStore store, ByteCache cache, int wholeFileBytesMax)
{
    public bool IsReadWhole(long fileBytes) => fileBytes <= wholeFileBytesMax;

    /// <param name="file">Which one.</param>
    /// <param name="read">Gets the content, and of a file that is not read whole what fetches parts of it ahead.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="ArchiveException">Damaged: it is not as it was published. NotFound, or the store failed.</exception>
    public async Task<T> ReadAsync<T>(FileAddress file, Func<Stream, RangeStream?, Task<T>> read, CancellationToken cancel)
    {
        var ranges = IsReadWhole(file.Bytes) ? null : new RangeStream(store, cache, file.Key, file.Bytes, cancel);
        using Stream content = ranges is null ? new MemoryStream(await WholeAsync(file, cancel).ConfigureAwait(false), writable: false) : ranges;
        if (ranges is not null)
        {
            await ranges.PrefetchAsync([(file.Bytes - file.TailBytes, file.Bytes)]).ConfigureAwait(false);
        }
        try
        {
            return await read(content, ranges).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            cancel.ThrowIfCancellationRequested();
            if (ranges?.Fault is { } fault)
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

    private async Task<byte[]> WholeAsync(FileAddress file, CancellationToken cancel)
    {
        if (cache.Get<byte[]>(file.Key) is { } kept)
        {
            return kept;
        }
        var bytes = await store.GetAsync(file.Key, cancel).ConfigureAwait(false);
        if (Convert.ToHexStringLower(SHA256.HashData(bytes)) != file.Sha256)
        {
            throw new ArchiveException(ArchiveFault.Damaged, "read", file.Key,
                $"damaged: {bytes.Length} bytes that are not those published ({file.Bytes} bytes, SHA-256 {file.Sha256[..16]}…); restore it from a copy");
        }
        cache.Put(file.Key, bytes, bytes.Length);
        return bytes;
    }
}

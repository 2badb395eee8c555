using System.Security.Cryptography;

namespace Foretier.Archive.Stores;

/// <param name="Bytes">Its length.</param>
/// <param name="Tag">Changes when the object is written again with other bytes; compare for equality only.</param>
public sealed record ObjectInfo(string Key, long Bytes, string Tag);

/// <summary>
/// Where the archive's objects live: a directory, or a bucket of an S3 service. An object appears whole or not at all, and replaces
/// what had its key. Keys are parts separated by <c>/</c>. Every failure is an <see cref="ArchiveException"/>.
/// </summary>
public abstract class ObjectStore : IDisposable
{
    private const int DigestReadBytes = 4 << 20;

    /// <summary>
    /// Opens <c>s3://bucket[/prefix][?endpoint=https://host:port][&amp;region=eu-west-1][&amp;ca=/path/ca.pem]</c>, <c>file:///path</c> or a plain path.
    /// Without an endpoint an s3 location means Amazon's.
    /// </summary>
    /// <param name="credentials">For s3; taken from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN where null.</param>
    /// <exception cref="ArchiveException">Invalid: the location cannot be understood, or credentials are missing.</exception>
    public static ObjectStore Open(string location, S3Credentials? credentials = null)
    {
        if (location.StartsWith("s3://", StringComparison.OrdinalIgnoreCase))
        {
            return new S3Store(S3Options.Parse(location, credentials ?? S3Credentials.FromEnvironment()));
        }
        if (location.StartsWith("file://", StringComparison.OrdinalIgnoreCase))
        {
            return Uri.TryCreate(location, UriKind.Absolute, out var uri) && uri.IsFile && uri.Host.Length == 0
                ? new DirectoryStore(uri.LocalPath)
                : throw new ArchiveException(ArchiveFault.Invalid, "open", location, "a file location is written file:///path");
        }
        return location.Length == 0 || location.Contains("://", StringComparison.Ordinal)
            ? throw new ArchiveException(ArchiveFault.Invalid, "open", location, "use a directory, file:///path or s3://bucket?endpoint=…")
            : new DirectoryStore(location);
    }

    /// <summary>Writes an object; durable when the task completes. The content must be seekable, so that it can be sent again.</summary>
    public abstract Task PutAsync(string key, Stream content, CancellationToken cancel);

    /// <exception cref="ArchiveException">NotFound where there is no such object.</exception>
    public abstract Task<byte[]> GetAsync(string key, CancellationToken cancel);

    /// <summary>Reads [offset, offset + length), less where the object ends before.</summary>
    /// <exception cref="ArchiveException">NotFound where there is no such object.</exception>
    public abstract Task<byte[]> GetRangeAsync(string key, long offset, int length, CancellationToken cancel);

    /// <summary>Null where there is no such object.</summary>
    public abstract Task<ObjectInfo?> StatAsync(string key, CancellationToken cancel);

    /// <summary>All objects whose key begins with <paramref name="prefix"/>, in the order of their keys.</summary>
    public abstract IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancel);

    /// <summary>Removes an object; one that is not there is no error.</summary>
    public abstract Task DeleteAsync(string key, CancellationToken cancel);

    public async Task PutAsync(string key, ReadOnlyMemory<byte> content, CancellationToken cancel)
    {
        using var stream = new MemoryStream(content.ToArray(), writable: false);
        await PutAsync(key, stream, cancel).ConfigureAwait(false);
    }

    /// <summary>Reads an object back, a piece at a time, and returns its SHA-256 in lower-case hex.</summary>
    public async Task<string> DigestAsync(string key, CancellationToken cancel)
    {
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (var offset = 0L; ;)
        {
            var piece = await GetRangeAsync(key, offset, DigestReadBytes, cancel).ConfigureAwait(false);
            digest.AppendData(piece);
            offset += piece.Length;
            if (piece.Length < DigestReadBytes)
            {
                return Convert.ToHexStringLower(digest.GetHashAndReset());
            }
        }
    }

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
    }

    /// <summary>Refuses keys that would mean different things to different stores, or would leave a directory.</summary>
    protected static void Check(string operation, string key)
    {
        foreach (var part in key.Split('/'))
        {
            if (part.Length is 0 or > 255 || part is "." or ".." || part.AsSpan().IndexOfAny('\\', '\0') >= 0)
            {
                throw new ArchiveException(ArchiveFault.Invalid, operation, key, "not an object key: its parts must be names");
            }
        }
    }
}

using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Minio;
using Minio.DataModel.Args;
using Minio.Exceptions;

namespace Foretier.Archive.Stores;

/// <summary>Objects in a bucket of MinIO, Ceph, Amazon or another S3 service; the bucket must be there.</summary>
/// <remarks>
/// Minio's client lists, deletes and signs; contents go over signed addresses with our own <see cref="HttpClient"/>, because its
/// range reads throw (minio-dotnet #1342), its reads ask for the head first, and its larger writes are multipart and left behind when
/// they fail. Its <c>Build</c> raises the client's time-out to 30 minutes, so every attempt carries its own.
/// </remarks>
public sealed class S3Store : ObjectStore
{
    private const int SignatureSeconds = 900;
    private const int ListPageObjects = 1000;
    private readonly S3Options _options;
    private readonly HttpClient _http;
    private readonly IMinioClient _minio;
    private readonly string _prefix;

    public S3Store(S3Options options)
    {
        _options = options;
        _prefix = options.Prefix.Length > 0 ? options.Prefix + "/" : "";
        var secure = options.Endpoint.Scheme == Uri.UriSchemeHttps;
        var network = new SocketsHttpHandler
        {
            ConnectTimeout = TimeSpan.FromSeconds(10),
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            AllowAutoRedirect = false,
        };
        if (options.AuthorityPath is { } authority)
        {
            network.SslOptions.CertificateChainPolicy = OnlyTrusting(authority, options);
        }
        _http = new(network);
        var client = new MinioClient()
            .WithEndpoint(options.Endpoint.Authority)
            .WithRegion(options.Region)
            .WithCredentials(options.Credentials.AccessKey, options.Credentials.SecretKey)
            .WithSSL(secure)
            .WithHttpClient(_http);
        if (options.Credentials.SessionToken is { } token)
        {
            client = client.WithSessionToken(token);
        }
        _minio = client.Build();
        _http.Timeout = Timeout.InfiniteTimeSpan;
    }

    public override string ToString() => _options.ToString();

    public override Task PutAsync(string key, Stream content, CancellationToken cancel)
    {
        Check("put", key);
        var start = content.Position;
        var length = content.Length - start;
        return RunAsync("put", key, async (timed, expect) =>
        {
            expect(length);
            content.Position = start;
            var address = await _minio.PresignedPutObjectAsync(new PresignedPutObjectArgs()
                .WithBucket(_options.Bucket).WithObject(_prefix + key).WithExpiry(SignatureSeconds)).ConfigureAwait(false);
            using var request = new HttpRequestMessage(HttpMethod.Put, address) { Content = new StreamContent(new Unowned(content)) };
            request.Content.Headers.ContentLength = length;
            using var response = await _http.SendAsync(request, timed).ConfigureAwait(false);
            await ThrowUnlessAsync(response, response.IsSuccessStatusCode, "put", key, timed).ConfigureAwait(false);
            return true;
        }, cancel);
    }

    public override Task<byte[]> GetAsync(string key, CancellationToken cancel) => ReadAsync(key, null, cancel);

    public override Task<byte[]> GetRangeAsync(string key, long offset, int length, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        return length == 0 ? Task.FromResult(Array.Empty<byte>()) : ReadAsync(key, new(offset, offset + length - 1), cancel);
    }

    /// <remarks>By reading the first byte: the answer to a HEAD has no body that could say why it is refused.</remarks>
    public override Task<ObjectInfo?> StatAsync(string key, CancellationToken cancel)
    {
        Check("stat", key);
        return RunAsync("stat", key, async (timed, _) =>
        {
            using var response = await SendAsync(key, new(0, 0), timed).ConfigureAwait(false);
            if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
            {
                // It is empty, and such an answer need not name its tag.
                var stat = await _minio.StatObjectAsync(new StatObjectArgs().WithBucket(_options.Bucket).WithObject(_prefix + key), timed).ConfigureAwait(false);
                return new ObjectInfo(key, stat.Size, stat.ETag ?? "");
            }
            try
            {
                await ThrowUnlessAsync(response, response.StatusCode == HttpStatusCode.PartialContent, "stat", key, timed).ConfigureAwait(false);
            }
            catch (ArchiveException e) when (e.Kind == ArchiveFault.NotFound)
            {
                return null;
            }
            return response.Content.Headers.ContentRange is { Length: { } length }
                ? new ObjectInfo(key, length, response.Headers.ETag?.Tag.Trim('"') ?? "")
                : throw new ArchiveException(ArchiveFault.Unreachable, "stat", key, $"{_options} does not say how long the object is");
        }, cancel);
    }

    /// <remarks>The listing is read whole, so that a failure in the middle is tried again and no caller sees half of it.</remarks>
    public override async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancel)
    {
        var found = await RunAsync("list", prefix, async (timed, expect) =>
        {
            var items = new List<ObjectInfo>();
            var args = new ListObjectsArgs().WithBucket(_options.Bucket).WithPrefix(_prefix + prefix).WithRecursive(true);
            await foreach (var item in _minio.ListObjectsEnumAsync(args, timed).ConfigureAwait(false))
            {
                if (!item.IsDir)
                {
                    if (items.Count % ListPageObjects == 0)
                    {
                        expect(0);
                    }
                    items.Add(new(item.Key[_prefix.Length..], (long)item.Size, item.ETag?.Trim('"') ?? ""));
                }
            }
            return items;
        }, cancel).ConfigureAwait(false);
        found.Sort((a, b) => string.CompareOrdinal(a.Key, b.Key));
        foreach (var info in found)
        {
            yield return info;
        }
    }

    public override Task DeleteAsync(string key, CancellationToken cancel)
    {
        Check("delete", key);
        return RunAsync("delete", key, async (timed, _) =>
        {
            try
            {
                await _minio.RemoveObjectAsync(
                    new RemoveObjectArgs().WithBucket(_options.Bucket).WithObject(_prefix + key), timed).ConfigureAwait(false);
            }
            catch (ObjectNotFoundException)
            {
                // Not there, as wanted.
            }
            return true;
        }, cancel);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _minio.Dispose();
            _http.Dispose();
        }
        base.Dispose(disposing);
    }

    private Task<byte[]> ReadAsync(string key, RangeHeaderValue? range, CancellationToken cancel)
    {
        Check("get", key);
        return RunAsync("get", key, async (timed, expect) =>
        {
            using var response = await SendAsync(key, range, timed).ConfigureAwait(false);
            if (range is not null && response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
            {
                return [];
            }
            var wanted = range is null ? HttpStatusCode.OK : HttpStatusCode.PartialContent;
            await ThrowUnlessAsync(response, response.StatusCode == wanted, "get", key, timed).ConfigureAwait(false);
            expect(response.Content.Headers.ContentLength ?? 0);
            var bytes = await response.Content.ReadAsByteArrayAsync(timed).ConfigureAwait(false);
            return response.Content.Headers.ContentLength is { } length && length != bytes.Length
                ? throw new ArchiveException(ArchiveFault.Unreachable, "get", key, $"the answer ended after {bytes.Length} of {length} bytes")
                : bytes;
        }, cancel);
    }

    private async Task<HttpResponseMessage> SendAsync(string key, RangeHeaderValue? range, CancellationToken timed)
    {
        var address = await _minio.PresignedGetObjectAsync(new PresignedGetObjectArgs()
            .WithBucket(_options.Bucket).WithObject(_prefix + key).WithExpiry(SignatureSeconds)).ConfigureAwait(false);
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        request.Headers.Range = range;
        return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, timed).ConfigureAwait(false);
    }

    private static X509ChainPolicy OnlyTrusting(string authorityPath, S3Options options)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        try
        {
            policy.CustomTrustStore.ImportFromPemFile(authorityPath);
            return policy;
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new ArchiveException(ArchiveFault.Invalid, "open", options.ToString(), $"{authorityPath} (ca) cannot be read as PEM certificates: {e.Message}", e);
        }
    }

    /// <summary>Tries until it works, fails for good, or has failed often enough. An attempt may say that it now waits for so many bytes more.</summary>
    private async Task<T> RunAsync<T>(
        string operation, string key, Func<CancellationToken, Action<long>, Task<T>> action, CancellationToken cancel)
    {
        for (var attempt = 1; ; attempt++)
        {
            using var timeout = new CancellationTokenSource(_options.CallTimeout, _options.Clock);
            using var timed = CancellationTokenSource.CreateLinkedTokenSource(cancel, timeout.Token);
            ArchiveException failure;
            try
            {
                return await action(timed.Token,
                    bytes => timeout.CancelAfter(_options.CallTimeout + TimeSpan.FromSeconds(bytes / (double)_options.BytesPerSecondMin))).ConfigureAwait(false);
            }
            catch (Exception e) when (!cancel.IsCancellationRequested)
            {
                failure = S3Faults.Translate(e, operation, key, _options);
                if (e is ArgumentNullException or UnexpectedMinioException)
                {
                    failure = await ReasonAsync(operation, key, failure, cancel).ConfigureAwait(false);
                }
            }
            if (failure.Kind != ArchiveFault.Unreachable || attempt >= _options.Attempts)
            {
                throw failure;
            }
            await Task.Delay(_options.RetryDelay * (1 << (attempt - 1)), _options.Clock, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Minio's client fails over refusals that have a code and no message, as Ceph's have: then a request of our own is refused for the same reason.</summary>
    private async Task<ArchiveException> ReasonAsync(string operation, string key, ArchiveException otherwise, CancellationToken cancel)
    {
        try
        {
            using var response = await SendAsync(key.Length > 0 ? key : "probe", new(0, 0), cancel).ConfigureAwait(false);
            await ThrowUnlessAsync(response, response.IsSuccessStatusCode, operation, key, cancel).ConfigureAwait(false);
            return otherwise;
        }
        catch (Exception e) when (e is ArchiveException or HttpRequestException or IOException)
        {
            return e is ArchiveException { Kind: not ArchiveFault.NotFound } reason ? reason : otherwise;
        }
    }

    private async Task ThrowUnlessAsync(HttpResponseMessage response, bool good, string operation, string key, CancellationToken cancel)
    {
        if (!good)
        {
            var body = await response.Content.ReadAsStringAsync(cancel).ConfigureAwait(false);
            throw S3Faults.Of(response.StatusCode, S3Faults.CodeIn(body), operation, key, _options, null);
        }
    }

    /// <summary>Keeps the request from closing the caller's stream, which a further attempt sends again.</summary>
    private sealed class Unowned(Stream inner) : Stream
    {
        public override bool CanRead => true;
        public override bool CanSeek => true;
        public override bool CanWrite => false;
        public override long Length => inner.Length;
        public override long Position { get => inner.Position; set => inner.Position = value; }
        public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, count);
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            inner.ReadAsync(buffer, cancellationToken);
        public override long Seek(long offset, SeekOrigin origin) => inner.Seek(offset, origin);
        public override void Flush() => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}

using System.Runtime.CompilerServices;
using Etcdserverpb;
using Google.Protobuf;
using Grpc.Core;

namespace Foretier.Router.Etcd;

/// <summary>
/// The etcd that routers share: asks one member at a time, every call with a deadline, and goes on to the next member where one fails.
/// Thread-safe. The calls themselves are those of etcd's own v3 interface.
/// </summary>
internal sealed class EtcdCluster : IDisposable
{
    /// <summary>Keys of a page when a range is read.</summary>
    private const int PageKeys = 2_000;

    private readonly EtcdMember[] _members;
    private readonly EtcdOptions _options;
    private readonly TimeSpan _deadline;
    private int _at;
    private volatile string? _token;

    private EtcdCluster(EtcdMember[] members, EtcdOptions options)
    {
        (_members, _options, _deadline) = (members, options, TimeSpan.FromSeconds(options.DeadlineSeconds));
        Prefix = options.Prefix;
    }

    /// <summary>What stands before all keys of this installation.</summary>
    public string Prefix { get; }

    /// <exception cref="Node.Hosting.ConfigurationException">A setting is impossible.</exception>
    public static EtcdCluster Open(EtcdOptions options) => new([.. options.Addresses().Select(address => EtcdMember.Of(address, options))], options);

    /// <summary>One key; null where it is not there.</summary>
    /// <exception cref="EtcdException">No member could be reached, or it was refused.</exception>
    public async Task<Mvccpb.KeyValue?> GetAsync(string key, CancellationToken cancel) =>
        (await AskAsync((member, call) => member.Keys.RangeAsync(new() { Key = ByteString.CopyFromUtf8(key) }, call), cancel).ConfigureAwait(false)).Kvs.FirstOrDefault();

    /// <summary>The revision that a majority of the members is at: one member by itself may lag behind it.</summary>
    /// <exception cref="EtcdException">As for <see cref="GetAsync"/>.</exception>
    public async Task<long> RevisionAsync(CancellationToken cancel) =>
        (await AskAsync((member, call) => member.Keys.RangeAsync(new() { Key = ByteString.CopyFromUtf8(Prefix), CountOnly = true }, call), cancel).ConfigureAwait(false)).Header.Revision;

    /// <summary>Gives every key below a prefix, all as of one revision, page by page: the whole of it is never in memory.</summary>
    /// <returns>That revision.</returns>
    /// <exception cref="EtcdException">As for <see cref="GetAsync"/>; some may have been given.</exception>
    public async Task<long> ReadAsync(string prefix, Action<Mvccpb.KeyValue> take, CancellationToken cancel)
    {
        var (end, next, revision) = (EndOf(prefix), ByteString.CopyFromUtf8(prefix), 0L);
        while (true)
        {
            var request = new RangeRequest { Key = next, RangeEnd = end, Limit = PageKeys, Revision = revision };
            var page = await AskAsync((member, call) => member.Keys.RangeAsync(request, call), cancel).ConfigureAwait(false);
            foreach (var key in page.Kvs)
            {
                take(key);
            }
            revision = revision == 0 ? page.Header.Revision : revision;
            if (!page.More)
            {
                return revision;
            }
            next = ByteString.CopyFrom([.. page.Kvs[^1].Key.Span, 0]);
        }
    }

    /// <summary>Does all of a transaction, or none of it where its comparison does not hold.</summary>
    /// <remarks>
    /// Where a member fails in the middle the next one is asked the same, which may have happened already: comparisons have to be such that
    /// the second time they fail.
    /// </remarks>
    /// <exception cref="EtcdException">As for <see cref="GetAsync"/>.</exception>
    public Task<TxnResponse> TryAsync(Compare condition, IEnumerable<RequestOp> then, CancellationToken cancel)
    {
        var request = new TxnRequest();
        request.Compare.Add(condition);
        request.Success.AddRange(then);
        return AskAsync((member, call) => member.Keys.TxnAsync(request, call), cancel);
    }

    /// <summary>
    /// What happens to the keys below a prefix from a revision on. The first answer says that the watch stands. One with a compact revision is
    /// the last: what came before that revision is not told any more.
    /// </summary>
    /// <exception cref="EtcdException">The watch broke; begin another, which another member will answer.</exception>
    public async IAsyncEnumerable<WatchResponse> WatchAsync(string prefix, long from, [EnumeratorCancellation] CancellationToken cancel)
    {
        var at = Volatile.Read(ref _at);
        var member = _members[at];
        using var life = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        life.CancelAfter(_deadline);
        // A member that has lost its cluster would stay silent for ever: with this it ends the watch.
        var headers = new Metadata { { "hasleader", "true" } };
        try
        {
            if (await TokenAsync(member, cancel).ConfigureAwait(false) is { } token)
            {
                headers.Add("token", token);
            }
        }
        catch (RpcException error)
        {
            cancel.ThrowIfCancellationRequested();
            GoOnFrom(at);
            throw IsOfMember(error) ? Unreachable(ReasonOf(error), error) : Refused(error);
        }
        using var call = member.Watch.Watch(new CallOptions(headers, cancellationToken: life.Token));
        for (var isFirst = true; ; isFirst = false)
        {
            WatchResponse? response = null;
            try
            {
                if (isFirst)
                {
                    await call.RequestStream.WriteAsync(new() { CreateRequest = new() { Key = ByteString.CopyFromUtf8(prefix), RangeEnd = EndOf(prefix), StartRevision = from } }, life.Token).ConfigureAwait(false);
                }
                response = await call.ResponseStream.MoveNext(life.Token).ConfigureAwait(false) ? call.ResponseStream.Current : null;
                life.CancelAfter(Timeout.InfiniteTimeSpan);
            }
            catch (Exception error) when (error is RpcException or OperationCanceledException or InvalidOperationException)
            {
                cancel.ThrowIfCancellationRequested();
                GoOnFrom(at);
                _token = null;
                throw Unreachable(error is OperationCanceledException ? "no answer in time" : ReasonOf(error), error);
            }
            if (response is null || (response.Canceled && response.CompactRevision == 0))
            {
                GoOnFrom(at);
                _token = null;
                throw Unreachable(response is { CancelReason: { Length: > 0 } why } ? why : "the watch ended", null);
            }
            yield return response;
            if (response.Canceled)
            {
                yield break;
            }
        }
    }

    public void Dispose() => Array.ForEach(_members, member => member.Dispose());

    /// <summary>The first key after all that begin with a prefix.</summary>
    public static ByteString EndOf(string prefix)
    {
        var end = ByteString.CopyFromUtf8(prefix).ToByteArray();
        end[^1]++;
        return ByteString.CopyFrom(end);
    }

    private async Task<T> AskAsync<T>(Func<EtcdMember, CallOptions, AsyncUnaryCall<T>> ask, CancellationToken cancel)
    {
        RpcException? last = null;
        // Each member once, and the first once more: what it had was perhaps an old connection.
        for (var tries = 0; tries <= _members.Length; tries++)
        {
            var at = Volatile.Read(ref _at);
            try
            {
                var token = await TokenAsync(_members[at], cancel).ConfigureAwait(false);
                using var call = ask(_members[at], Options(token is null ? null : new() { { "token", token } }, cancel));
                return await call.ResponseAsync.ConfigureAwait(false);
            }
            catch (RpcException error)
            {
                cancel.ThrowIfCancellationRequested();
                last = error;
                if (error.StatusCode == StatusCode.Unauthenticated && _token is not null)
                {
                    _token = null;
                    continue;
                }
                if (!IsOfMember(error))
                {
                    throw Refused(error);
                }
                GoOnFrom(at);
            }
        }
        throw Unreachable(ReasonOf(last!), last);
    }

    private async Task<string?> TokenAsync(EtcdMember member, CancellationToken cancel)
    {
        if (_options.User is not { Length: > 0 } user || _token is { } known)
        {
            return _token;
        }
        using var call = member.Auth.AuthenticateAsync(new() { Name = user, Password = _options.Password }, Options(null, cancel));
        return _token = (await call.ResponseAsync.ConfigureAwait(false)).Token;
    }

    // A deadline is of the real clock whatever clock the node lives by: it is about a socket.
    private CallOptions Options(Metadata? headers, CancellationToken cancel) => new(headers, DateTime.UtcNow + _deadline, cancel);

    private void GoOnFrom(int at) => Interlocked.CompareExchange(ref _at, (at + 1) % _members.Length, at);

    /// <summary>Another member may do what this one could not.</summary>
    private static bool IsOfMember(RpcException error) =>
        error.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.Internal or StatusCode.Cancelled or StatusCode.Unknown;

    private EtcdException Unreachable(string reason, Exception? inner) =>
        new($"etcd cannot be reached at {string.Join(", ", _members.Select(member => member.Address.Authority))}: {reason}", inner);

    private static EtcdException Refused(RpcException error) => new(error.Status.Detail switch
    {
        var detail when detail.Contains("space exceeded", StringComparison.Ordinal) => "etcd is full: compact and defragment it, disarm the alarm, or raise its --quota-backend-bytes",
        var detail when error.StatusCode is StatusCode.Unauthenticated or StatusCode.PermissionDenied || detail.Contains("authentication", StringComparison.Ordinal) || detail.Contains("user name", StringComparison.Ordinal)
            => $"etcd refuses this router ({detail}): check FORETIER__ETCD__USER and __PASSWORD, and that the user's role covers the prefix",
        var detail => $"etcd refused: {detail}",
    }, error);

    private static string ReasonOf(Exception error)
    {
        if (error is not RpcException rpc)
        {
            return error.Message;
        }
        var inner = rpc.Status.DebugException;
        while (inner?.InnerException is not null)
        {
            inner = inner.InnerException;
        }
        return rpc.StatusCode == StatusCode.DeadlineExceeded ? "no answer in time" : inner?.Message ?? rpc.Status.Detail;
    }
}

using System.Text.Json;
using Etcdserverpb;
using Foretier.Node.Hosting;
using Foretier.Node.Keys;
using Foretier.Protocol;
using Google.Protobuf;

namespace Foretier.Router.Etcd;

/// <summary>
/// The API keys that many routers share (hashes, never the keys): one document in etcd, changed by whichever router is asked and followed by all.
/// Each keeps the last it knew in its own file too, and goes on with it while etcd is away.
/// </summary>
internal sealed class EtcdKeys : IAsyncDisposable
{
    private const int TriesMax = 20;

    private readonly EtcdCluster _etcd;
    private readonly KeyRing _ring;
    private readonly EtcdFollower _follower;
    private readonly ByteString _key;

    public EtcdKeys(EtcdCluster etcd, KeyRing ring, TimeProvider clock, ILogger<EtcdKeys> log)
    {
        (_etcd, _ring) = (etcd, ring);
        _key = ByteString.CopyFromUtf8(etcd.Prefix + "keys");
        _follower = new(etcd, etcd.Prefix + "keys", () => new(key => Take([key]), _ => { }), (events, _) => Take([.. events.Where(told => told.Type == Mvccpb.Event.Types.EventType.Put).Select(told => told.Kv)]), clock, log);
        _follower.Start();
    }

    /// <summary>Applies a change to the keys of all routers, and returns when it stands.</summary>
    /// <param name="change">From the set as it is to the next one; called again where another router was faster. The same set: nothing is to change.</param>
    /// <param name="cancel">Ends the attempt.</param>
    /// <exception cref="EtcdException">It could not be done, and is not.</exception>
    public async Task ChangeAsync(Func<KeySet, KeySet> change, CancellationToken cancel)
    {
        for (var tries = 0; tries < TriesMax; tries++)
        {
            var found = await _etcd.GetAsync(_key.ToStringUtf8(), cancel).ConfigureAwait(false);
            // The first change of a new etcd: from what this router knew before there was one.
            var before = found is null ? _ring.Current : Read(found);
            var after = change(before);
            if (ReferenceEquals(before, after))
            {
                return;
            }
            var put = new RequestOp { RequestPut = new() { Key = _key, Value = ByteString.CopyFrom(JsonSerializer.SerializeToUtf8Bytes(after, NodeJson.Options)) } };
            var isUnchanged = new Compare { Key = _key, Target = Compare.Types.CompareTarget.Mod, Result = Compare.Types.CompareResult.Equal, ModRevision = found?.ModRevision ?? 0 };
            if ((await _etcd.TryAsync(isUnchanged, [put], cancel).ConfigureAwait(false)).Succeeded)
            {
                _ring.Apply(after, onlyNewer: true);
                return;
            }
        }
        throw new EtcdException("the API keys are changed by others all the time; try again");
    }

    public ValueTask DisposeAsync() => _follower.DisposeAsync();

    private void Take(IReadOnlyList<Mvccpb.KeyValue> keys)
    {
        if (keys.LastOrDefault(key => key.Key == _key) is { } last)
        {
            _ring.Apply(Read(last), onlyNewer: true);
        }
    }

    /// <exception cref="EtcdException">What lies there is not a set of keys.</exception>
    private static KeySet Read(Mvccpb.KeyValue key)
    {
        try
        {
            return JsonSerializer.Deserialize<KeySet>(key.Value.Span, NodeJson.Strict) ?? throw new JsonException("null");
        }
        catch (JsonException error)
        {
            throw new EtcdException($"what lies in etcd at {key.Key.ToStringUtf8()} are no API keys: {error.Message} Delete it there; a router writes its own at the next change", error);
        }
    }
}

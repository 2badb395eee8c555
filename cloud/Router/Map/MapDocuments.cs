using System.Text.Json;
using Etcdserverpb;
using Foretier.Core.Partitions;
using Foretier.Node.Hosting;
using Foretier.Node.Map;
using Google.Protobuf;

namespace Foretier.Router.Map;

/// <summary>What is known of an edge's map in etcd.</summary>
/// <param name="Revision">Of the edge's own map.</param>
/// <param name="IsBeingWritten">A router is in the middle of a change too large for one transaction: what lies there is partly old, partly new.</param>
internal sealed record MapHead(long Revision, bool IsBeingWritten);

/// <summary>
/// How the maps lie in etcd: below <c>PREFIXmap/EDGE/</c> a key <c>head</c>, <c>e/PARTITION</c> for each entry (JSON), and <c>g/ACCOUNT/GROUP@VERSION</c>
/// for each membership (<see cref="PackedJson"/>).
/// </summary>
/// <param name="shared">Keeps one copy of what the read ones repeat; null where they are not kept.</param>
internal sealed class MapDocuments(string prefix, SharedNames? shared)
{
    /// <summary>Before all maps.</summary>
    public string Prefix { get; } = prefix + "map/";

    public string PrefixOf(string edge) => $"{Prefix}{edge}/";
    public string HeadOf(string edge) => PrefixOf(edge) + "head";

    public RequestOp Put(string edge, MapHead head) => Put(HeadOf(edge), JsonSerializer.SerializeToUtf8Bytes(head, NodeJson.Options));

    public RequestOp Put(PartitionEntry entry) => Put(KeyOf(entry.Edge, entry.Id), JsonSerializer.SerializeToUtf8Bytes(entry, NodeJson.Options));

    public RequestOp Put(GroupMembers group) => Put(KeyOf(group), PackedJson.Pack(group));

    public RequestOp Delete(string edge, PartitionId id) => Delete(KeyOf(edge, id));

    public RequestOp Delete(GroupMembers group) => Delete(KeyOf(group));

    /// <summary>What makes of one map of an edge another.</summary>
    public IEnumerable<RequestOp> Between(string edge, PartitionMap older, PartitionMap newer)
    {
        var groups = older.GroupsOf(edge).ToDictionary(KeyOf, StringComparer.Ordinal);
        // Memberships first: an entry never stands in etcd without its series.
        foreach (var group in newer.GroupsOf(edge))
        {
            if (!groups.Remove(KeyOf(group), out var before) || before.Revision != group.Revision
                || (!ReferenceEquals(before.Series, group.Series) && !before.Series.SequenceEqual(group.Series, StringComparer.Ordinal)))
            {
                yield return Put(group);
            }
        }
        foreach (var entry in newer.EntriesOf(edge))
        {
            if (older.Find(edge, entry.Id) is not { } before || before.Revision != entry.Revision || !before.SaysSameAs(entry))
            {
                yield return Put(entry);
            }
        }
        foreach (var gone in older.EntriesOf(edge).Where(entry => newer.Find(edge, entry.Id) is null))
        {
            yield return Delete(edge, gone.Id);
        }
        foreach (var gone in groups.Values)
        {
            yield return Delete(gone);
        }
    }

    /// <summary>
    /// What a key is: edge, and one of head, entry, membership, or for a deleted one the partition. False for keys that are none of ours or whose
    /// value cannot be read: whatever lies in etcd, a router goes on.
    /// </summary>
    public bool TryRead(Mvccpb.KeyValue key, bool isDeleted, out MapKey read)
    {
        read = default;
        var text = key.Key.ToStringUtf8();
        if (!text.StartsWith(Prefix, StringComparison.Ordinal) || text.IndexOf('/', Prefix.Length) is not (> 0 and var slash))
        {
            return false;
        }
        var (edge, rest) = (text[Prefix.Length..slash], text[(slash + 1)..]);
        shared?.Begin(edge);
        try
        {
            switch (rest)
            {
                case "head":
                    read = new(edge, isDeleted ? null : Json<MapHead>(key.Value.Span), null, null, null);
                    return true;
                case ['g', '/', ..] when isDeleted:
                    // Members that no entry names are forgotten with the entry.
                    return false;
                case ['g', '/', ..]:
                    read = new(edge, null, null, In(PackedJson.Unpack<GroupMembers>(key.Value.Span, Options)), null);
                    return read.Group!.Edge == edge && !read.Group.Series.Contains(null!);
                case ['e', '/', ..] when PartitionId.TryParse(rest[2..], out var id):
                    read = new(edge, null, isDeleted ? null : In(Json<PartitionEntry>(key.Value.Span)), null, id);
                    return isDeleted || (read.Entry!.Edge == edge && read.Entry.Id == id);
                default:
                    return false;
            }
        }
        catch (Exception error) when (error is JsonException or InvalidDataException or InvalidOperationException)
        {
            return false;
        }
    }

    private JsonSerializerOptions Options => shared?.Options ?? NodeJson.Strict;

    private PartitionEntry In(PartitionEntry entry) => shared?.In(entry) ?? entry;
    private GroupMembers In(GroupMembers group) => shared?.In(group) ?? group;

    private string KeyOf(string edge, PartitionId id) => $"{PrefixOf(edge)}e/{id}";
    private string KeyOf(GroupMembers group) => FormattableString.Invariant($"{PrefixOf(group.Edge)}g/{group.Account}/{group.Group}@{group.Version}");

    private static RequestOp Put(string key, byte[] value) =>
        new() { RequestPut = new() { Key = ByteString.CopyFromUtf8(key), Value = UnsafeByteOperations.UnsafeWrap(value) } };

    private static RequestOp Delete(string key) => new() { RequestDeleteRange = new() { Key = ByteString.CopyFromUtf8(key) } };

    private T Json<T>(ReadOnlySpan<byte> value) => JsonSerializer.Deserialize<T>(value, Options) ?? throw new JsonException("null");
}

/// <summary>A key of a map, read.</summary>
/// <param name="Edge">Whose map.</param>
/// <param name="Head">Where it is the head; null too where the head was deleted, and all the others are null then.</param>
/// <param name="Entry">Null where it was deleted, and <paramref name="Id"/> says which.</param>
internal readonly record struct MapKey(string Edge, MapHead? Head, PartitionEntry? Entry, GroupMembers? Group, PartitionId? Id);

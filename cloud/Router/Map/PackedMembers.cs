using System.Collections;
using System.IO.Compression;
using System.Text.Json;
using Foretier.Core.Partitions;
using Foretier.Node.Hosting;

namespace Foretier.Router.Map;

/// <summary>
/// The names of a group's members as the packed document that they travel in (JSON, Brotli: a list of a thousand names is mostly repetition). A router keeps those
/// of thousands of groups, in every version that an entry still names, and is asked for few of them: whoever reads the names unpacks them, each time anew.
/// </summary>
internal sealed class PackedMembers : IReadOnlyList<string>
{
    private readonly byte[] _document;

    private PackedMembers(byte[] document, int count) => (_document, Count) = (document, count);

    public int Count { get; }

    public string this[int index] => Unpack<GroupMembers>(_document).Series[index];

    public static byte[] Pack(GroupMembers group)
    {
        using var to = new MemoryStream();
        using (var brotli = new BrotliStream(to, CompressionLevel.Optimal, leaveOpen: true))
        {
            JsonSerializer.Serialize(brotli, group, NodeJson.Options);
        }
        return to.ToArray();
    }

    /// <summary>The group that a document is of, its names left packed.</summary>
    /// <exception cref="JsonException">It is no membership.</exception>
    /// <exception cref="InvalidOperationException">It is not packed.</exception>
    public static GroupMembers Open(byte[] document)
    {
        var around = Unpack<Around>(document);
        return around.Series.ValueKind == JsonValueKind.Array && around.Series.EnumerateArray().All(name => name.ValueKind == JsonValueKind.String)
            ? new(around.Edge, around.Account, around.Group, around.Version, new PackedMembers(document, around.Series.GetArrayLength()), around.Revision)
            : throw new JsonException("a membership without names");
    }

    /// <summary>The same group, to be kept.</summary>
    public static GroupMembers Kept(GroupMembers group) => group.Series is PackedMembers ? group : group with { Series = new PackedMembers(Pack(group), group.Series.Count) };

    public IEnumerator<string> GetEnumerator() => Unpack<GroupMembers>(_document).Series.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private static T Unpack<T>(byte[] document)
    {
        using var brotli = new BrotliStream(new MemoryStream(document), CompressionMode.Decompress);
        return JsonSerializer.Deserialize<T>(brotli, NodeJson.Strict) ?? throw new JsonException("null");
    }

    /// <summary>A membership as far as it is read when it comes: of a fleet's names there are millions.</summary>
    private sealed record Around(string Edge, string Account, string Group, int Version, JsonElement Series, long Revision);
}

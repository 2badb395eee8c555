using System.Text.Json;
using System.Text.Json.Serialization;
using Foretier.Core.Partitions;
using Foretier.Node.Hosting;

namespace Foretier.Router.Map;

/// <summary>
/// One copy of each name that documents repeat: of 200,000 entries read from documents, half of the memory would be the same few names again, and an edge's
/// memberships name the same series in version after version. Not thread-safe.
/// </summary>
internal sealed class SharedNames
{
    private readonly Dictionary<string, string> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<string, IReadOnlyList<string>> _rollups = new(StringComparer.Ordinal);
    private readonly HashSet<string> _ofEdge = new(StringComparer.Ordinal);
    private string _edge = "";

    public SharedNames() => Options = new(NodeJson.Strict) { Converters = { new Converter(_ofEdge) } };

    /// <summary>For reading documents of one edge after those of another.</summary>
    public JsonSerializerOptions Options { get; }

    /// <summary>Documents of this edge come next.</summary>
    public void Begin(string edge)
    {
        if (edge != _edge)
        {
            // Members are kept packed; what is remembered here is for reading one edge's memberships.
            _ofEdge.Clear();
            _edge = edge;
        }
    }

    public PartitionEntry In(PartitionEntry entry)
    {
        var rollups = string.Join(',', entry.Rollups);
        if (!_rollups.TryGetValue(rollups, out var shared))
        {
            _rollups[rollups] = shared = [.. entry.Rollups];
        }
        return entry with { Id = entry.Id with { Account = In(entry.Id.Account), Group = In(entry.Id.Group) }, Edge = In(entry.Edge), Rollups = shared };
    }

    public GroupMembers In(GroupMembers group) => group with { Edge = In(group.Edge), Account = In(group.Account), Group = In(group.Group) };

    private string In(string name)
    {
        if (!_names.TryGetValue(name, out var shared))
        {
            _names[name] = shared = name;
        }
        return shared;
    }

    /// <summary>Reads a name that was there before without making it anew.</summary>
    private sealed class Converter(HashSet<string> names) : JsonConverter<string>
    {
        /// <summary>Longer ones are none of series.</summary>
        private const int CharactersMax = 512;

        private readonly HashSet<string>.AlternateLookup<ReadOnlySpan<char>> _found = names.GetAlternateLookup<ReadOnlySpan<char>>();

        public override string Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.ValueSpan.Length > CharactersMax)
            {
                return reader.GetString()!;
            }
            Span<char> text = stackalloc char[CharactersMax];
            text = text[..reader.CopyString(text)];
            if (!_found.TryGetValue(text, out var name))
            {
                names.Add(name = text.ToString());
            }
            return name;
        }

        public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(value);
    }
}

using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Foretier.Core.Samples;

namespace Foretier.Core.Partitions;

/// <summary>
/// A group of an account's series over one window, the unit in which room is reserved and placement is predicted.
/// Written <c>acme/g0@1/20170309T000000Z-24h</c>: account, group and version of its membership, window.
/// </summary>
[JsonConverter(typeof(PartitionIdJson))]
public readonly record struct PartitionId(string Account, string Group, int Version, Window Window) : IComparable<PartitionId>
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Account}/{Group}@{Version}/{Window}");

    public static bool TryParse(string text, out PartitionId id)
    {
        id = default;
        var parts = text.Split('/');
        if (parts.Length != 3 || !SeriesKey.IsValidPart(parts[0]) || !Window.TryParse(parts[2], out var window))
        {
            return false;
        }
        var at = parts[1].LastIndexOf('@');
        if (at < 1 || !SeriesKey.IsValidPart(parts[1].AsSpan(0, at))
            || !int.TryParse(parts[1].AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var version) || version < 1)
        {
            return false;
        }
        id = new(parts[0], parts[1][..at], version, window);
        return true;
    }

    /// <summary>By window, then by name: the order in which a map is read.</summary>
    public int CompareTo(PartitionId other)
    {
        var order = Window.CompareTo(other.Window);
        order = order != 0 ? order : string.CompareOrdinal(Account, other.Account);
        order = order != 0 ? order : GroupOrder.Compare(Group, other.Group);
        return order != 0 ? order : Version.CompareTo(other.Version);
    }

    public static bool operator <(PartitionId left, PartitionId right) => left.CompareTo(right) < 0;
    public static bool operator >(PartitionId left, PartitionId right) => left.CompareTo(right) > 0;
    public static bool operator <=(PartitionId left, PartitionId right) => left.CompareTo(right) <= 0;
    public static bool operator >=(PartitionId left, PartitionId right) => left.CompareTo(right) >= 0;
}

/// <summary>Shorter names first, so that g2 stands before g10.</summary>
internal static class GroupOrder
{
    public static int Compare(string left, string right) =>
        left.Length != right.Length ? left.Length.CompareTo(right.Length) : string.CompareOrdinal(left, right);
}

/// <summary>A partition travels as its written name.</summary>
internal sealed class PartitionIdJson : JsonConverter<PartitionId>
{
    public override PartitionId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var text = reader.GetString();
        return text is not null && PartitionId.TryParse(text, out var id)
            ? id
            : throw new JsonException($"'{text}' is not a partition, such as acme/g0@1/20170309T000000Z-24h");
    }

    public override void Write(Utf8JsonWriter writer, PartitionId value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}

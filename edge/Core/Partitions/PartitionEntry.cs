using System.Text.Json.Serialization;
using Foretier.Core.Tiers;

namespace Foretier.Core.Partitions;

/// <summary>How often the data of a partition is expected to be read.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<AccessPattern>))]
public enum AccessPattern
{
    [JsonStringEnumMemberName("rare")]
    Rare,

    [JsonStringEnumMemberName("occasional")]
    Occasional,

    [JsonStringEnumMemberName("frequent")]
    Frequent,
}

/// <summary>Bytes set aside, or expected, on each tier.</summary>
public readonly record struct TierBytes(long Memory, long Ssd, long Hdd, long Archive)
{
    public long On(Tier tier) => tier switch
    {
        Tier.Memory => Memory,
        Tier.Ssd => Ssd,
        Tier.Hdd => Hdd,
        _ => Archive,
    };
}

/// <summary>
/// What is predicted of one partition. A hint: what a tier really holds is in the catalog, and a wrong entry costs time, never data.
/// </summary>
/// <param name="Id">The partition.</param>
/// <param name="Edge">The edge whose samples it will hold, and the only writer of this entry.</param>
/// <param name="Series">How many series share it.</param>
/// <param name="SamplesP50">Samples expected in the whole window: as likely more as less.</param>
/// <param name="SamplesP90">Samples that nine windows out of ten stay within.</param>
/// <param name="Reserved">Bytes to set aside on each tier, for <paramref name="SamplesP90"/>.</param>
/// <param name="Access">How often it is expected to be read.</param>
/// <param name="Prefer">The tier its raw samples should be read from.</param>
/// <param name="Rollups">Steps of the rollups to have ready before they are asked for, finest first: "1m", "5m", "1h", "1d".</param>
/// <param name="Revision">The revision of its writer's map that last changed it.</param>
public sealed record PartitionEntry(
    PartitionId Id, string Edge, int Series, long SamplesP50, long SamplesP90, TierBytes Reserved,
    AccessPattern Access, Tier Prefer, IReadOnlyList<string> Rollups, long Revision)
{
    /// <summary>True where both predict the same, whichever revision said it.</summary>
    public bool SaysSameAs(PartitionEntry other) =>
        this with { Revision = 0, Rollups = [] } == other with { Revision = 0, Rollups = [] } && Rollups.SequenceEqual(other.Rollups);
}

/// <summary>
/// Which series share a group, as of one version of it: entries name group and version, and a version never changes once published.
/// </summary>
/// <param name="Edge">The edge that groups them.</param>
/// <param name="Account">The account whose series they are.</param>
/// <param name="Group">The group's name, unique within edge and account: g0, g1, …</param>
/// <param name="Version">1, 2, 3, …</param>
/// <param name="Series">Full names, in ordinal order.</param>
/// <param name="Revision">The revision of its writer's map that brought it.</param>
public sealed record GroupMembers(string Edge, string Account, string Group, int Version, IReadOnlyList<string> Series, long Revision);

using System.Text.Json.Serialization;

namespace Foretier.Core.Tiers;

/// <summary>
/// The conservation account of one hop, in samples:
/// received = accepted + rejected; accepted = unique + superseded; unique = held + released + expired + deleted + shed + lost.
/// </summary>
public sealed record Ledger
{
    public required string Node { get; init; }

    /// <summary>Samples offered. A payload that could not be parsed counts as one.</summary>
    public long Received { get; init; }
    public long Accepted { get; init; }
    public long Rejected { get; init; }

    /// <summary>Rejected samples by reason code.</summary>
    public IReadOnlyDictionary<string, long> RejectedBy { get; init; } = new Dictionary<string, long>();

    /// <summary>Distinct (series, time).</summary>
    public long Unique { get; init; }

    /// <summary>Replaced by a later sample of the same series and time.</summary>
    public long Superseded { get; init; }

    /// <summary>Counted in this node's files and memory, and durable nowhere further down.</summary>
    public long Held { get; init; }

    /// <summary>Durably acknowledged by the next tier, whether or not a copy is still here.</summary>
    public long Released { get; init; }
    public long Expired { get; init; }
    public long Deleted { get; init; }
    public long Shed { get; init; }

    /// <summary>Acknowledged, and damaged on the device before anyone else had it: each loss is named in log and health.</summary>
    public long Lost { get; init; }

    [JsonInclude]
    public bool Balanced =>
        Received == Accepted + Rejected && Accepted == Unique + Superseded && Unique == Held + Released + Expired + Deleted + Shed + Lost;
}

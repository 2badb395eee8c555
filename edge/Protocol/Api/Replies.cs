using System.Text.Json;
using System.Text.Json.Serialization;
using Foretier.Core.Tiers;

namespace Foretier.Protocol.Api;

/// <summary>A document of the API; fields that this version does not know are kept and written out again.</summary>
public abstract record ApiDocument
{
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? More { get; init; }
}

/// <summary><c>GET /api/v1/series</c></summary>
public sealed record SeriesReply(IReadOnlyList<SeriesEntry> Series) : ApiDocument;

/// <param name="Edge">The edge that takes it in.</param>
/// <param name="Kind">gauge, counter, state or event.</param>
public sealed record SeriesEntry(string Name, string? Unit, string? Kind, string? Edge) : ApiDocument;

/// <summary>Body of <c>PATCH /api/v1/series</c>: what an operator knows of a series better than its payloads tell. What is left out stays.</summary>
/// <param name="Series">account/device/measurement.</param>
/// <param name="Kind">gauge, counter, state or event.</param>
/// <param name="Unit">SenML unit; empty = none.</param>
/// <param name="ExpectSeconds">How often its device is to be heard; 0 = learn it.</param>
public sealed record SeriesChange(string Series, string? Kind, string? Unit, double? ExpectSeconds);

/// <summary><c>DELETE /api/v1/series/{account}/{device}/{measurement}?from=&amp;to=</c>: what was accepted before is deleted for good.</summary>
/// <param name="Deleted">How many samples at which node; what the archive has is not counted, its next layer ends it.</param>
/// <param name="Edges">The edges that have written it down.</param>
/// <param name="Pending">Nodes that are away and get it when they are back, by themselves; none: all have it (200, else 202).</param>
public sealed record DeletionReply(
    string Series, ApiTime From, ApiTime To, IReadOnlyList<DeletedShare> Deleted, IReadOnlyList<string> Edges, IReadOnlyList<string> Pending) : ApiDocument;

/// <param name="Node">The edge, or "gateway of" it.</param>
/// <param name="Tier">ssd (memory too) or hdd.</param>
public sealed record DeletedShare(string Node, string Tier, long Samples) : ApiDocument;

/// <summary><c>GET /api/v1/ledger</c>: the account of every hop.</summary>
/// <param name="Balanced">True where every hop's account adds up.</param>
public sealed record LedgerReply(IReadOnlyList<Ledger> Nodes, bool Balanced) : ApiDocument;

/// <summary><c>GET /api/v1/tier</c>: what each tier of each node holds.</summary>
public sealed record TierReply(IReadOnlyList<TierEntry> Tiers) : ApiDocument
{
    /// <summary>What <c>foretier tier</c> adds from <see cref="FlashReply"/>.</summary>
    public IReadOnlyList<FlashEntry>? Flash { get; init; }
}

/// <summary><c>GET /api/v1/flash</c>: how the edges wear their flash.</summary>
public sealed record FlashReply(IReadOnlyList<FlashEntry> Nodes) : ApiDocument;

/// <summary>Bytes. Written: what the device was made to write, in whole pages.</summary>
/// <param name="UsedMax">What journal and window files may take.</param>
/// <param name="WrittenDay">In the last 24 hours; of them <paramref name="WrittenDayMax"/> may be, null: as many as it takes.</param>
/// <param name="Written">Since the store was made.</param>
/// <param name="Endurance">What the device takes in its life, as configured.</param>
/// <param name="LifeYears">What is left of that, at the rate of the last 24 hours; null while nothing was written in them.</param>
public sealed record FlashEntry(
    string Node, long Used, long UsedMax, long WrittenDay, long? WrittenDayMax, long Written, long Endurance, double? LifeYears) : ApiDocument;

/// <param name="From">First sample there; null where there is none.</param>
/// <param name="To">Just after the last.</param>
public sealed record TierEntry(string Tier, string Node, long Windows, long Samples, long Bytes, ApiTime? From, ApiTime? To) : ApiDocument;

/// <summary><c>POST /api/v1/tier/move</c></summary>
/// <param name="To">hdd or archive.</param>
/// <param name="Before">Every window that begins before this time moves; none = all there is.</param>
/// <param name="Wait">Answer when all is there; else when the work has begun.</param>
public sealed record TierMoveRequest(string To, ApiTime? Before, bool Wait);

public sealed record TierMoveReply(long Windows, long Samples) : ApiDocument;

using System.Text.Json;
using System.Text.Json.Serialization;

namespace Foretier.Protocol.Api;

/// <summary>The answer of <c>/api/v1/query</c>: one result for each series and function, and where it came from.</summary>
public sealed record QueryReply(IReadOnlyList<SeriesResult> Results, ReplyMeta Meta);

/// <param name="Series">Its name; of a group <c>acme/boiler-1/*</c>.</param>
/// <param name="State">Of a duration: the state that held for so many seconds.</param>
public sealed record SeriesResult(string Series, string? Unit, string Fn, IReadOnlyList<ApiPoint> Points, string? State = null);

/// <param name="Exact">False where a function was answered within an error bound.</param>
/// <param name="Partial">True where a source that may hold samples of the range could not be asked; see <paramref name="Missing"/>.</param>
/// <param name="Next">The cursor of the next page; null where there is none.</param>
/// <param name="Watermark">Everything acknowledged before this time is in the answer, missing ranges apart.</param>
public sealed record ReplyMeta(
    IReadOnlyList<TierShare> Tiers, bool Exact, bool Partial, IReadOnlyList<ApiRange>? Missing, ApiTime? Watermark, long? PlanRevision,
    string? Next = null)
{
    /// <summary>What a newer server says besides.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? More { get; init; }
}

/// <summary>One tier's share of an answer.</summary>
/// <param name="Resolution">"raw", "1m", … or "summary" where the headers of segments were enough.</param>
/// <param name="Ms">Time spent there.</param>
public sealed record TierShare(string Tier, string Node, ApiTime? From, ApiTime? To, string? Resolution, double? Ms);

public sealed record ApiRange(ApiTime From, ApiTime To);

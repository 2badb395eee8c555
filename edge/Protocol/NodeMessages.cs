using Foretier.Core.Tiers;

namespace Foretier.Protocol;

/// <summary>What a node tells the one above: what changed in its catalog, and which nodes it can reach.</summary>
/// <param name="WaitedMilliseconds">How long it waited for news before it answered; null: a node that does not say so.</param>
public sealed record CatalogMessage(CatalogUpdate Update, IReadOnlyList<NodeStatus> Nodes, double? WaitedMilliseconds = null);

/// <param name="Connected">Whether questions to it get through.</param>
/// <param name="SilentMilliseconds">Time since it was last heard; null if never.</param>
public sealed record NodeStatus(string Node, bool Connected, double? SilentMilliseconds);

/// <param name="To">"hdd": from the edges to their gateway. "archive": from there to the object store.</param>
/// <param name="Before">Windows that begin before this time move, µs since 1970.</param>
public sealed record MoveRequest(string To, long Before);

/// <summary>What has moved and is durable there.</summary>
public sealed record MoveResult(long Windows, long Samples);

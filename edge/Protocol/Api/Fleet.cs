namespace Foretier.Protocol.Api;

/// <summary><c>GET /api/v1/fleet</c>: every box that this node was ever heard of since it started.</summary>
public sealed record FleetReply(IReadOnlyList<FleetEntry> Boxes) : ApiDocument;

/// <param name="Role">edge, gateway or router.</param>
/// <param name="Connected">Whether it can be asked now; what else is said of it is as of when it was.</param>
/// <param name="Seen">When it was last heard; null: never since this node started.</param>
public sealed record FleetEntry(string Node, string Role, bool Connected, ApiTime? Seen) : ApiDocument
{
    /// <summary>Of its program.</summary>
    public string? Version { get; init; }

    /// <summary>The release of its image; null where it is none.</summary>
    public string? Image { get; init; }

    /// <summary>The release that is rolled out to it; null: none.</summary>
    public string? Wanted { get; init; }

    /// <summary>How it stands with that; null where none is wanted.</summary>
    public UpdateStanding? Update { get; init; }

    /// <summary>And why, in words; null: nothing to say.</summary>
    public string? UpdateDetail { get; init; }

    /// <summary>The model that forecasts on it; null: seasonal baselines alone, or it does not forecast.</summary>
    public string? Model { get; init; }

    /// <summary>What its health page says; empty where all is well.</summary>
    public IReadOnlyList<string> Problems { get; init; } = [];

    /// <summary>Years that its flash lasts at the rate of the last 24 hours; null where that is not known.</summary>
    public double? FlashYears { get; init; }
}

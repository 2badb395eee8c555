using Foretier.Predict.Place;
using Foretier.Predict.Plan;

namespace Foretier.Agent.Allocate;

/// <summary>Settings of the map and of what is made ready by it.</summary>
public sealed record AllocateOptions
{
    /// <summary>Where the map, the volume history and the access log are kept.</summary>
    public required string Directory { get; init; }

    /// <summary>The edge's name in the map.</summary>
    public string Node { get; init; } = "edge-1";

    /// <summary>How long after a series was first seen the map is drawn up again, so that many newcomers cost one. Default 10 s.</summary>
    public TimeSpan NewcomerDelay { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long before a window opens its file is made, with its room. 1 h to 24 h, default 2 h; 0: it is made with the first samples that are brought
    /// to it, if there is room then.
    /// </summary>
    public TimeSpan ReserveAhead { get; init; } = TimeSpan.FromHours(2);

    /// <summary>The time zone whose clock the habits of the site follow, such as Europe/Berlin, where an account has none of its own. Default UTC.</summary>
    public string TimeZone { get; init; } = "UTC";

    public PlannerOptions Planner { get; init; } = new();

    /// <summary>How reads are weighed against room on this edge.</summary>
    public PlaceOptions Place { get; init; } = new();

    /// <exception cref="ArgumentException">A value is impossible; the message names it.</exception>
    public AllocateOptions Validated()
    {
        Require(Directory.Length > 0, nameof(Directory), "must name a folder");
        Require(Node.Length > 0, nameof(Node), "must not be empty");
        Require(NewcomerDelay >= TimeSpan.Zero && NewcomerDelay <= TimeSpan.FromMinutes(10), nameof(NewcomerDelay), "must lie within 0 and 10 min");
        Require(ReserveAhead == TimeSpan.Zero || (ReserveAhead >= TimeSpan.FromHours(1) && ReserveAhead <= TimeSpan.FromHours(24)), nameof(ReserveAhead),
            "must be 0, or lie within 1 h and 24 h");
        Require(TimeZoneInfo.TryFindSystemTimeZoneById(TimeZone, out _), nameof(TimeZone), $"is '{TimeZone}', no time zone this machine knows; use a name such as Europe/Berlin");
        Planner.Validate();
        _ = Place.Validated();
        return this;
    }

    internal TimeZoneInfo Zone => TimeZoneInfo.FindSystemTimeZoneById(TimeZone);

    private static void Require(bool condition, string name, string rule)
    {
        if (!condition)
        {
            throw new ArgumentException($"Allocate:{name} {rule}");
        }
    }
}

namespace Foretier.Predict.Place;

/// <summary>What is to be done with a candidate.</summary>
public enum PlaceAction
{
    /// <summary>It stays where it is: on the tier, or not.</summary>
    Leave,

    /// <summary>Bring it from the tier below.</summary>
    Stage,

    /// <summary>Build it.</summary>
    Build,

    /// <summary>Remove it from this tier. The tier below has it: removing before that is known is the caller's mistake.</summary>
    Drop,
}

/// <summary>What a candidate would have needed more of.</summary>
public enum Shortage
{
    None,

    /// <summary>Room on the tier.</summary>
    Bytes,

    /// <summary>Room of its account on the tier.</summary>
    AccountBytes,

    /// <summary>Time to build it.</summary>
    Cpu,

    /// <summary>Writes to flash.</summary>
    Writes,

    /// <summary>The uplink.</summary>
    Fetch,
}

/// <param name="Index">Which candidate, by its place in the list that was planned.</param>
/// <param name="SecondsPerDay">What it is worth: seconds a day that readers wait less, weighed by priority, less what its bytes cost more here.</param>
/// <param name="Density">The same per byte, with the bonus of what is there already: the order in which to act.</param>
/// <param name="Missing">Why it is left out although it is worth having.</param>
public readonly record struct Placement(int Index, PlaceAction Action, double SecondsPerDay, double Density, Shortage Missing);

/// <summary>What one cycle of a tier is to do. Drops first, then brings, each in the order given, keeps every budget at every moment.</summary>
/// <param name="Keeps">By candidate, whether it is on the tier once this is done.</param>
/// <param name="Drops">To remove, what is worth least per byte first: stop when there is room enough.</param>
/// <param name="Brings">To stage and build, what is worth most per byte first.</param>
/// <param name="Unaffordable">Worth having, and left out for want of something: what is worth most first.</param>
/// <param name="Bytes">What is on the tier once this is done; above the budget only where held candidates alone are.</param>
public sealed record PlacePlan(
    IReadOnlyList<bool> Keeps, IReadOnlyList<Placement> Drops, IReadOnlyList<Placement> Brings, IReadOnlyList<Placement> Unaffordable, double Bytes);

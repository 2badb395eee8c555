namespace Foretier.Predict.Place;

/// <summary>Where a candidate is now, as seen from the tier that is being planned.</summary>
public enum CandidateState
{
    /// <summary>On this tier.</summary>
    Here,

    /// <summary>On a slower tier, from which it can be brought.</summary>
    Below,

    /// <summary>A rollup that nobody has built yet.</summary>
    Unbuilt,
}

/// <summary>
/// Something that can be on a tier or not: a window's raw samples, a rollup of a series over a window, a rolling stretch of one. The caller
/// cuts them as it stores them.
/// </summary>
/// <param name="Name">What it is called where it cannot be afforded, such as <c>acme/boiler-1/temperature 1h 20170309T000000Z-24h</c>.</param>
/// <param name="Account">Whose it is.</param>
/// <param name="State">Where it is now.</param>
/// <param name="Bytes">What it takes on this tier; above 0. Of what is to grow, its P90.</param>
/// <param name="Demand">What is expected to be read of it.</param>
/// <param name="SavedSeconds">What a read is quicker by with it on this tier.</param>
public readonly record struct Candidate(string Name, string Account, CandidateState State, double Bytes, Demand Demand, double SavedSeconds)
{
    /// <summary>CPU seconds to build it, where it is <see cref="CandidateState.Unbuilt"/>.</summary>
    public double BuildSeconds { get; init; }

    /// <summary>What has to be fetched from a slower tier to build it, where it is <see cref="CandidateState.Unbuilt"/> and its samples are not here.</summary>
    public double FetchBytes { get; init; }

    /// <summary>It may not leave: the tier below has not acknowledged it yet, or an operator pinned it. It counts against the budgets first.</summary>
    public bool IsHeld { get; init; }

    /// <summary>The end of its time range, µs, which retention counts from; <see cref="long.MaxValue"/>: it never ends.</summary>
    public long End { get; init; } = long.MaxValue;
}

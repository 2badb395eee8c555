namespace Foretier.Agent.Hot;

/// <summary>One decoded sample on its way in.</summary>
/// <param name="Series">Handle from <see cref="HotStore.Resolve"/>; stable across restarts.</param>
/// <param name="Time">µs since 1970 UTC.</param>
/// <param name="Value">The number; 0 where there is a state.</param>
/// <param name="State">The state, or null for a number.</param>
public readonly record struct IncomingSample(int Series, long Time, double Value, string? State);

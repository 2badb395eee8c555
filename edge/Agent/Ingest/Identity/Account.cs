namespace Foretier.Agent.Ingest.Identity;

/// <summary>An account as the agent knows it: what its devices may do where they have no rules of their own.</summary>
/// <param name="CreatedAt">µs.</param>
public sealed record Account(string Name, long CreatedAt, TopicRules? Rules);

/// <summary>Who was let in.</summary>
/// <param name="Rights">What it may publish and hear, for as long as the connection lasts.</param>
/// <param name="Epoch">See <see cref="DeviceRegistry.IsCurrent"/>.</param>
public sealed record Admission(DeviceName Name, TopicRights Rights, int Epoch, bool IsAnonymous = false);

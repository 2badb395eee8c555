using Foretier.Protocol.Api;

namespace Foretier.Protocol.Releases;

/// <summary>What a router wants a box to do about one model.</summary>
/// <param name="Revision">Rises with every change of the rollout; a box follows no older one than it has followed.</param>
/// <param name="Stage">What is wanted of the release.</param>
/// <param name="Release">Which one.</param>
/// <param name="Now">Let it serve without waiting for the comparison; probation follows as ever.</param>
public sealed record ModelOrder(long Revision, RolloutStage Stage, SignedRelease Release, bool Now);

/// <summary>All of a router's orders for one box.</summary>
public sealed record ModelOrders(IReadOnlyList<ModelOrder> Orders);

/// <summary>A box's answer to orders and to parts of files.</summary>
/// <param name="Labels">By which rollouts choose it.</param>
/// <param name="Models">How it stands with each.</param>
/// <param name="Need">The next part of a file that it asks for; null where it needs none.</param>
public sealed record ModelReport(IReadOnlyList<string> Labels, IReadOnlyList<BoxModel> Models, ModelNeed? Need);

/// <param name="Offset">So many bytes it has.</param>
/// <param name="Bytes">How many it wants next.</param>
public sealed record ModelNeed(string Id, int Version, string File, long Offset, int Bytes);

using Foretier.Protocol.Api;

namespace Foretier.Protocol.Releases;

/// <summary>What a router wants a box to do about its own image.</summary>
/// <param name="Revision">Rises with every change of the rollout; a box follows no older one than it has followed.</param>
/// <param name="Started">The revision with which it was begun: what failed since is not tried again.</param>
/// <param name="Stage">What is wanted of the release.</param>
public sealed record ImageOrder(long Revision, long Started, RolloutStage Stage, SignedRelease Release);

/// <summary>A router's order for one box.</summary>
/// <param name="Order">Null: it is not its turn, or not meant.</param>
public sealed record ImageOrders(ImageOrder? Order);

/// <summary>A box's answer to an order and to parts of files.</summary>
/// <param name="Labels">By which rollouts choose it.</param>
/// <param name="Need">The next part of a file that it asks for; null where it needs none.</param>
public sealed record ImageReport(IReadOnlyList<string> Labels, BoxImage Image, ImageNeed? Need);

/// <param name="Offset">So many bytes it has.</param>
/// <param name="Bytes">How many it wants next.</param>
public sealed record ImageNeed(string Version, string File, long Offset, int Bytes);

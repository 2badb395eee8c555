using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;

namespace Foretier.Agent.Updates;

/// <summary>What a box remembers of images that came from afar; swapped whole, and written down with every change.</summary>
/// <param name="Candidate">What is fetched, installed or gone back from.</param>
/// <param name="Last">What came of the last one.</param>
/// <param name="Highest">The latest version that was ever installed here: none before it is taken.</param>
/// <param name="Revision">Of the order that was followed last.</param>
/// <param name="IsPaused">It said to change nothing.</param>
/// <param name="ProblemsBefore">How many problems there were before the image that runs was installed.</param>
internal sealed record ImageState(int Format, ImageCandidate? Candidate, ImageResult? Last, string? Highest, long Revision, bool IsPaused, int? ProblemsBefore)
{
    private const int FormatVersion = 1;

    public static readonly ImageState Empty = new(FormatVersion, null, null, null, 0, false, null);

    /// <inheritdoc cref="KeptState.Load"/>
    public static ImageState Load(string path, out string? problem) => KeptState.Load(path, Empty, state => state.Format, "images are taken as if none had come before; the box's installer knows better", out problem);

    /// <inheritdoc cref="KeptState.Save"/>
    public void Save(string path) => KeptState.Save(path, this);
}

/// <param name="Since">When the phase began, µs.</param>
/// <param name="Revision">Of the order that asked for it.</param>
internal sealed record ImageCandidate(SignedRelease Release, ImagePhase Phase, long Since, long Revision)
{
    /// <summary>Of its bytes, those that were here before.</summary>
    public long BytesKept { get; init; }
}

using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;

namespace Foretier.Agent.Updates;

/// <summary>What a box remembers of models that came from afar; swapped whole, and written down with every change.</summary>
/// <param name="Serving">Null: the one that came with the program.</param>
/// <param name="Before">What it goes back to; null: the one that came with the program.</param>
/// <param name="Candidate">What is fetched, tested or compared.</param>
/// <param name="Refusals">Newest first.</param>
/// <param name="Highest">The latest version that ever served here: an older one is taken only where it is signed to step back.</param>
/// <param name="Revision">Of the orders that were followed last.</param>
/// <param name="IsPaused">They said to change nothing.</param>
internal sealed record UpdateState(int Format, KeptModel? Serving, KeptModel? Before, CandidateModel? Candidate, IReadOnlyList<Refusal> Refusals, int Highest, long Revision, bool IsPaused)
{
    private const int FormatVersion = 1;
    private const int RefusalsMax = 8;

    public static readonly UpdateState Empty = new(FormatVersion, null, null, null, [], 0, 0, false);

    public UpdateState With(Refusal refusal) => this with { Refusals = [refusal, .. Refusals.Where(known => known.Digest != refusal.Digest).Take(RefusalsMax - 1)] };

    /// <inheritdoc cref="KeptState.Load"/>
    public static UpdateState Load(string path, out string? problem) => KeptState.Load(path, Empty, state => state.Format, "the model that came with the program serves again", out problem);

    /// <inheritdoc cref="KeptState.Save"/>
    public void Save(string path) => KeptState.Save(path, this);
}

/// <summary>A model from afar that serves, or served before.</summary>
/// <param name="Folder">Beside the state.</param>
/// <param name="Since">When it began to serve, µs.</param>
/// <param name="ProbationUntil">µs; 0: it is past that.</param>
/// <param name="LossBefore">wQL of the one before, as a share of the best baseline's, as they were compared; null: they were not.</param>
internal sealed record KeptModel(int Version, string Digest, string Folder, long Since, long ProbationUntil, double? LossBefore);

/// <param name="Since">When the phase began, µs.</param>
internal sealed record CandidateModel(SignedRelease Release, TrialPhase Phase, long Since);

/// <param name="BlockedThrough">It is not tried again by orders up to this revision.</param>
internal sealed record Refusal(int Version, string Digest, string Reason, long At, long BlockedThrough);

namespace Foretier.Protocol.Api;

/// <summary><c>GET /api/v1/models</c>: the models in the archive, and how every box stands with them.</summary>
public sealed record ModelsReply(IReadOnlyList<ModelEntry> Models, IReadOnlyList<BoxModels> Boxes) : ApiDocument
{
    /// <summary>Why the archive was not looked at; null: it was.</summary>
    public string? Problem { get; init; }
}

/// <param name="Versions">Published, newest first.</param>
/// <param name="Rollout">What is wanted on the boxes; null before the first.</param>
public sealed record ModelEntry(string Id, IReadOnlyList<ModelVersion> Versions, ModelRollout? Rollout) : ApiDocument;

/// <param name="Digest">SHA-256 of what was signed.</param>
/// <param name="StepsBack">Signed to be taken by boxes that have had a later version.</param>
public sealed record ModelVersion(int Version, string Digest, long Bytes, ApiTime Expires, bool StepsBack) : ApiDocument;

/// <summary>Which boxes are to have which version.</summary>
/// <param name="Percent">Of all boxes (by their names: the same ones again as it grows), 0 to 100.</param>
/// <param name="Labels">Only boxes with one of these labels; none: all.</param>
/// <param name="Now">They let it serve without waiting for the comparison.</param>
/// <param name="Revision">Rises with every change.</param>
public sealed record ModelRollout(int Version, RolloutStage Stage, int Percent, IReadOnlyList<string> Labels, bool Now, long Revision) : ApiDocument, IRollout;

/// <summary>Body of <c>POST /api/v1/models</c>: a signed model, and on which boxes to begin.</summary>
/// <param name="Document">The release, as it was signed.</param>
/// <param name="Signature">Of it.</param>
/// <param name="Files">All that the release names.</param>
/// <param name="Percent">Of all boxes.</param>
/// <param name="Labels">Only boxes with one of these; none: all.</param>
public sealed record ModelUpload(byte[] Document, byte[] Signature, IReadOnlyList<ModelFile> Files, int Percent = 100, IReadOnlyList<string>? Labels = null);

public sealed record ModelFile(string Name, byte[] Content);

/// <summary>Body of <c>PUT /api/v1/models/{id}/rollout</c>; what is left out stays.</summary>
/// <param name="Version">Another one; null: the one that is being rolled out.</param>
public sealed record RolloutChange(RolloutStage Stage, int? Version = null, int? Percent = null, IReadOnlyList<string>? Labels = null, bool Now = false);

/// <param name="Heard">When it last said so; null: it never did since this router started.</param>
/// <param name="Labels">By which rollouts choose it.</param>
public sealed record BoxModels(string Node, bool Connected, ApiTime? Heard, IReadOnlyList<string> Labels, IReadOnlyList<BoxModel> Models) : ApiDocument;

/// <summary>How a box stands with one model.</summary>
/// <param name="Serving">What forecasts; null: seasonal baselines alone.</param>
/// <param name="Before">What it goes back to.</param>
/// <param name="Trial">What is fetched, tested or compared; null: nothing.</param>
/// <param name="Refused">What it did not take or sent back, and why; newest first.</param>
public sealed record BoxModel(string Id, ServingModel? Serving, ServingModel? Before, ModelTrialState? Trial, IReadOnlyList<RefusedModel> Refused) : ApiDocument;

/// <param name="Source">shipped (with the program) or release.</param>
/// <param name="ProbationUntil">Until then it goes back easily; null: it is past that.</param>
/// <param name="Scores">How it does since it serves; of releases.</param>
public sealed record ServingModel(int Version, string Source, ApiTime? Since, ApiTime? ProbationUntil = null, TrialScores? Scores = null) : ApiDocument;

/// <param name="Phase">fetching, testing or shadow.</param>
/// <param name="Bytes">Fetched so far.</param>
/// <param name="Until">When it is decided, in shadow.</param>
/// <param name="Problem">What holds it up; null: nothing.</param>
public sealed record ModelTrialState(int Version, TrialPhase Phase, long Bytes, long BytesAll, ApiTime? Since, ApiTime? Until, TrialScores? Scores, string? Problem) : ApiDocument;

public enum TrialPhase
{
    Fetching,
    Testing,
    Shadow,
}

/// <summary>Two models over the same hours. WQL: mean weighted quantile loss of P50 and P90, smaller is better; baseline: the best of SN24, SN168 and HoW4.</summary>
/// <param name="Hours">Hours of series compared.</param>
public sealed record TrialScores(long Hours, double? Wql, double? WqlServing, double? WqlBaseline, double? CoverageP90, double? CoverageP90Serving) : ApiDocument;

public sealed record RefusedModel(int Version, string Digest, string Reason, ApiTime At) : ApiDocument;

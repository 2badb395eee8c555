namespace Foretier.Protocol.Api;

/// <summary><c>GET /api/v1/images</c>: the agent's images in the archive, and how every box stands with the one that is rolled out.</summary>
/// <param name="Versions">Published, newest first.</param>
/// <param name="Rollout">What is wanted on the boxes; null before the first.</param>
public sealed record ImagesReply(IReadOnlyList<ImageVersion> Versions, ImageRollout? Rollout, IReadOnlyList<BoxUpdate> Boxes) : ApiDocument
{
    /// <summary>Why the archive was not looked at; null: it was.</summary>
    public string? Problem { get; init; }
}

/// <param name="Digest">SHA-256 of what was signed.</param>
public sealed record ImageVersion(string Version, string Digest, long Bytes, ApiTime Expires) : ApiDocument;

/// <summary>Which boxes are to run which image.</summary>
/// <param name="Percent">Of all boxes (by their names: the same ones again as it grows), 0 to 100.</param>
/// <param name="Labels">Only boxes with one of these labels; none: all.</param>
/// <param name="WatchSeconds">How long a box has to do well with it before it counts.</param>
/// <param name="Halt">Why it ended by itself; null: it did not.</param>
/// <param name="Started">The revision with which it was begun, or begun again.</param>
/// <param name="Revision">Rises with every change.</param>
public sealed record ImageRollout(string Version, RolloutStage Stage, int Percent, IReadOnlyList<string> Labels, long WatchSeconds, RolloutHalt? Halt, long Started, long Revision)
    : ApiDocument, IRollout;

/// <param name="Node">The box that did not do well.</param>
/// <param name="Reason">As it said it, or as it looked from above.</param>
public sealed record RolloutHalt(string Node, string Reason, ApiTime At) : ApiDocument;

/// <summary>Body of <c>POST /api/v1/images</c>: a signed release. It is published once all its files are there.</summary>
/// <param name="Document">As it was signed.</param>
/// <param name="Signature">Of it.</param>
public sealed record ImageUpload(byte[] Document, byte[] Signature);

/// <param name="Missing">Files to send with <c>PUT /api/v1/images/{version}/{file}</c> before it is asked again; none: it is published.</param>
public sealed record ImageUploadReply(ImageVersion Image, IReadOnlyList<string> Missing) : ApiDocument;

/// <summary>Body of <c>PUT /api/v1/images/rollout</c>; what is left out stays, of another version: all boxes, ten minutes.</summary>
/// <param name="Version">Null: the one that is being rolled out.</param>
public sealed record ImageChange(RolloutStage Stage, string? Version = null, int? Percent = null, IReadOnlyList<string>? Labels = null, long? WatchSeconds = null);

/// <summary>How a box stands with the image that is rolled out.</summary>
/// <param name="Heard">When it last said so; null: it never did since this router started.</param>
/// <param name="Detail">What it waits for or what went wrong, in words; null: nothing to say.</param>
/// <param name="Image">As it said it.</param>
public sealed record BoxUpdate(string Node, bool Connected, ApiTime? Heard, IReadOnlyList<string> Labels, UpdateStanding Standing, string? Detail, BoxImage Image) : ApiDocument;

public enum UpdateStanding
{
    /// <summary>The rollout does not mean it.</summary>
    NotMeant,

    /// <summary>It takes no images from afar; it says why.</summary>
    Unable,

    /// <summary>It runs a later one.</summary>
    Newer,

    /// <summary>It is its turn when boxes before it do well.</summary>
    Waiting,

    /// <summary>It is brought to it.</summary>
    Fetching,

    /// <summary>Its installer has it; it may be away for the time.</summary>
    Installing,

    /// <summary>It runs it, and is watched for a while.</summary>
    Watched,

    /// <summary>It runs it, and did well.</summary>
    Done,

    /// <summary>It refused it, went back by itself, or does not do well with it.</summary>
    Failed,

    /// <summary>It was told to go back to the one before, and did.</summary>
    WentBack,
}

/// <summary>How a box stands with images.</summary>
/// <param name="Running">The release that it is; null: of none.</param>
/// <param name="Unable">Why it takes none from afar; null: it does.</param>
/// <param name="Phase">What it is about.</param>
/// <param name="Version">Of what it is about; null: nothing.</param>
/// <param name="Bytes">Fetched so far.</param>
/// <param name="Trouble">What holds it up; null: nothing.</param>
/// <param name="Last">What came of the last one; null: there was none.</param>
/// <param name="Problems">What its health page says.</param>
/// <param name="ProblemsBefore">How many things it said before the image that it runs was installed from afar; null: it was not.</param>
public sealed record BoxImage(string? Running, string? Unable, ImagePhase Phase, string? Version, long Bytes, long BytesAll, string? Trouble, ImageResult? Last,
    IReadOnlyList<string> Problems, int? ProblemsBefore) : ApiDocument
{
    /// <summary>Of <see cref="Bytes"/>, those that need not be fetched: layers of an image before.</summary>
    public long BytesKept { get; init; }
}

public enum ImagePhase
{
    Idle,
    Fetching,
    Installing,
    GoingBack,
}

/// <param name="Outcome">What came of it.</param>
/// <param name="Reason">In words; of what was not installed.</param>
/// <param name="Revision">Of the order that asked for it.</param>
public sealed record ImageResult(string Version, string Digest, ImageOutcome Outcome, string? Reason, ApiTime At, long Revision) : ApiDocument
{
    /// <summary>Of the image's bytes, those that were not fetched, since the box had them from one before.</summary>
    public long BytesKept { get; init; }
}

public enum ImageOutcome
{
    Installed,

    /// <summary>Not begun: not what may be installed here.</summary>
    Refused,

    /// <summary>Begun; the image before is back.</summary>
    Failed,

    /// <summary>Ordered back from above, and gone back.</summary>
    WentBack,
}

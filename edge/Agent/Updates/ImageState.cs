using System.Text.Json;
using Foretier.Durable;
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

    /// <param name="problem">Damage that was put right, or why everything begins anew; null where all is well.</param>
    public static ImageState Load(string path, out string? problem)
    {
        try
        {
            if (TwoCopies.Read(path, out problem) is not { } text)
            {
                return Empty;
            }
            var state = JsonSerializer.Deserialize<ImageState>(text, ApiJson.Options) ?? throw new JsonException("it is empty");
            return state.Format == FormatVersion ? state : throw new JsonException($"it has format {state.Format}, this program reads {FormatVersion}");
        }
        catch (Exception e) when (e is JsonException or InvalidDataException)
        {
            problem = $"{path} cannot be read ({e.Message}): images are taken as if none had come before; the box's installer knows better";
            return Empty;
        }
    }

    /// <exception cref="IOException">It is not written, and the old one still there.</exception>
    public void Save(string path) => TwoCopies.Write(path, JsonSerializer.SerializeToUtf8Bytes(this, ApiJson.Options));
}

/// <param name="Since">When the phase began, µs.</param>
/// <param name="Revision">Of the order that asked for it.</param>
internal sealed record ImageCandidate(SignedRelease Release, ImagePhase Phase, long Since, long Revision);

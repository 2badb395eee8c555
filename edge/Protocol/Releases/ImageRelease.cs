using System.Text.Json;

namespace Foretier.Protocol.Releases;

/// <summary>What <c>scripts/release</c> signs of an agent's image: which version, until when, and the digest of each file of its folder <c>image</c>.</summary>
/// <param name="Format">Of this document: 1.</param>
/// <param name="Image">Of which program: <c>agent</c>.</param>
/// <param name="Version">Like 1.2.3; a box takes none that is not newer than all it has had.</param>
/// <param name="Expires">From then on no box begins with it; one that has it goes on.</param>
/// <param name="Files">All of the folder: the manifest, its signature by the key of images, configuration and layers.</param>
public sealed record ImageRelease(int Format, string Image, string Version, DateTimeOffset Expires, IReadOnlyList<ReleasedFile> Files)
{
    public const int FormatVersion = 1;

    /// <summary>The only program whose images are brought to boxes.</summary>
    public const string Agent = "agent";

    /// <summary>Beside the image, for the box's installer: the version, in a line.</summary>
    public const string VersionFile = "version";

    /// <summary>The image's own folder in a release.</summary>
    public const string ImageFolder = "image";

    /// <summary>Three times what an agent's image takes uncompressed.</summary>
    public const long BytesMax = 512 << 20;

    /// <summary>An image of this project has eight.</summary>
    private const int FilesMax = 64;

    private const string ManifestFile = "manifest.json";

    public long Bytes => Files.Sum(file => file.Bytes);

    public byte[] ToDocument() => JsonSerializer.SerializeToUtf8Bytes(this, ReleasedFile.Json);

    /// <summary>True where one version comes after another. What is no version comes before all.</summary>
    public static bool IsNewer(string version, string? than) =>
        System.Version.TryParse(version, out var one) && (!System.Version.TryParse(than, out var other) || one > other);

    /// <summary>Like 1.2.3, without leading zeros: two to four numbers.</summary>
    public static bool IsVersion(string version) => System.Version.TryParse(version, out var read) && read.ToString() == version;

    /// <exception cref="ReleaseRefusedException">It is no such document, or names what cannot be.</exception>
    public static ImageRelease Parse(ReadOnlySpan<byte> document)
    {
        var release = ReleasedFile.Read<ImageRelease>(document);
        if (release.Format != FormatVersion)
        {
            throw new ReleaseRefusedException($"the release has format {release.Format}; this program reads {FormatVersion}");
        }
        if (release.Image != Agent || !IsVersion(release.Version))
        {
            throw new ReleaseRefusedException($"the release names '{release.Image}' '{release.Version}'; only images of '{Agent}' with versions like 1.2.3 are brought to boxes");
        }
        ReleasedFile.Check(release.Files, FilesMax, BytesMax);
        return release.Files.Any(file => file.Name == ManifestFile) ? release : throw new ReleaseRefusedException($"the release has no {ManifestFile}, so it is no image");
    }
}

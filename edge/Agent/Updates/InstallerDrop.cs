using System.Text;
using Foretier.Durable;
using Foretier.Protocol.Releases;

namespace Foretier.Agent.Updates;

/// <summary>
/// The folder through which the agent, which may not install anything, and the box's installer (<c>foretier-install</c>, started by systemd when a request
/// lies there) talk. The installer believes none of it but the signatures.
/// </summary>
/// <remarks>
/// <c>release/</c>: what was fetched. <c>request</c>: <c>install 1.2.0</c> or <c>go-back 1.2.0</c>; the installer removes it when it has written <c>outcome</c>:
/// <c>installed|failed|refused|went-back 1.2.0</c>, and why in a second line. <c>confirmed</c>: the new version says that its router reaches it, without which
/// the installer goes back.
/// </remarks>
internal sealed class InstallerDrop(string folder)
{
    public const string Install = "install", GoBack = "go-back";

    /// <summary>Where a release is gathered.</summary>
    public string ReleaseFolder => PathOf("release");

    public string ImageFolder => Path.Combine(ReleaseFolder, ImageRelease.ImageFolder);

    /// <summary>Whether the installer has yet to finish with, or to begin, what it was asked for.</summary>
    public bool IsRequested => File.Exists(PathOf("request"));

    /// <summary>Whether it has begun.</summary>
    public bool IsTaken => File.Exists(PathOf("taken"));

    /// <exception cref="IOException">It cannot be written.</exception>
    public void Complete(SignedRelease release)
    {
        Write(Path.Combine(ReleaseFolder, SignedRelease.DocumentFile), release.Document);
        Write(Path.Combine(ReleaseFolder, SignedRelease.SignatureFile), release.Signature);
        Write(Path.Combine(ReleaseFolder, ImageRelease.VersionFile), Encoding.ASCII.GetBytes(release.AsImage().Version + "\n"));
    }

    /// <summary>Forgets what the installer said, before it is asked for something else.</summary>
    /// <exception cref="IOException">It cannot be removed.</exception>
    public void Clear()
    {
        foreach (var name in new[] { "outcome", "confirmed", "taken" })
        {
            File.Delete(PathOf(name));
        }
    }

    /// <exception cref="IOException">It cannot be written.</exception>
    public void Request(string what, string version) => Write(PathOf("request"), Encoding.ASCII.GetBytes($"{what} {version}\n"));

    /// <summary>The router reaches this version.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Confirm(string version)
    {
        var path = PathOf("confirmed");
        if (!File.Exists(path))
        {
            Write(path, Encoding.ASCII.GetBytes(version + "\n"));
        }
    }

    /// <summary>What the installer said of a version; null: nothing yet.</summary>
    public (string Word, string? Reason)? OutcomeOf(string version)
    {
        var path = PathOf("outcome");
        if (!File.Exists(path))
        {
            return null;
        }
        var lines = File.ReadAllLines(path);
        return lines is [var first, ..] && first.Split(' ') is [var word, var about] && about == version ? (word, lines is [_, { Length: > 0 } reason, ..] ? reason : null) : null;
    }

    /// <summary>Removes what was fetched.</summary>
    public void Sweep()
    {
        if (Directory.Exists(ReleaseFolder))
        {
            Directory.Delete(ReleaseFolder, recursive: true);
        }
    }

    private string PathOf(string name) => Path.Combine(folder, name);

    private static void Write(string path, byte[] content) => Disk.Replace(path, file => file.Write(content));
}

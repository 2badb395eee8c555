using System.Security.Cryptography;
using Foretier.Archive.Stores;
using Foretier.Core.Samples;
using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;
using Foretier.Router.Releases;

namespace Foretier.Router.Images;

/// <summary>The agent's images of an installation, in its archive below <c>v1/images/agent/</c>. Thread-safe.</summary>
/// <remarks>
/// An image is too large for one request: its files come one by one, and what is there already is not sent again. Files are held against the release's
/// digests before it counts as published; whether to believe the release is for the boxes to say.
/// </remarks>
internal sealed class ImageRegistry(ObjectStore archive, TimeProvider clock) : IDisposable
{
    public const long WatchSecondsDefault = 600;

    private readonly ReleaseShelf<ImageRollout> _shelf = new(archive, clock, "v1/images/", release => release.AsImage());

    private volatile Known _known = new([], null, []);

    /// <summary>What is rolled out, and its release; null: nothing, or the release is gone.</summary>
    public (ImageRollout Rollout, SignedRelease Release)? Current => Rollout is { } rollout && Find(rollout.Version) is { } release ? (rollout, release) : null;

    public ImageRollout? Rollout => Look().Rollout;

    /// <summary>Published, newest first.</summary>
    public IReadOnlyList<ImageVersion> Versions => [.. Look().Releases.Select(one => EntryOf(one.Signed)).OrderByDescending(version => System.Version.Parse(version.Version))];

    /// <inheritdoc cref="ReleaseShelf{TRollout}.Changed"/>
    public Task Changed => _shelf.Changed;

    /// <inheritdoc cref="ReleaseShelf{TRollout}.Wake"/>
    public void Wake() => _shelf.Wake();

    /// <inheritdoc cref="ReleaseShelf{TRollout}.RefreshAsync"/>
    public Task RefreshAsync(CancellationToken cancel) => _shelf.RefreshAsync(cancel);

    /// <summary>Reads a part of a file that was published; empty where it has ended, or is not there.</summary>
    public Task<byte[]> ReadAsync(ImageNeed need, CancellationToken cancel) => _shelf.ReadAsync(ImageRelease.Agent, need.Version, need.File, need.Offset, need.Bytes, cancel);

    /// <summary>Publishes a release whose files are all there; nothing is rolled out by that.</summary>
    /// <returns>The files that are not; null where that version is published already, by another document.</returns>
    /// <exception cref="ReleaseRefusedException">It is no release of an image.</exception>
    /// <exception cref="ArchiveException">The archive cannot be read or written.</exception>
    public async Task<ImageUploadReply?> PublishAsync(ImageUpload upload, CancellationToken cancel)
    {
        var signed = new SignedRelease(upload.Document, upload.Signature);
        var release = signed.AsImage();
        List<string> missing = [];
        foreach (var file in release.Files)
        {
            if (!await _shelf.HasAsync(ImageRelease.Agent, release.Version, file, cancel).ConfigureAwait(false))
            {
                missing.Add(file.Name);
            }
        }
        var isOther = false;
        await _shelf.AloneAsync(async () =>
        {
            isOther = Find(release.Version) is { } known && known.Digest != signed.Digest;
            if (isOther || missing.Count > 0)
            {
                return false;
            }
            await _shelf.PutReleaseAsync(ImageRelease.Agent, release.Version, signed, cancel).ConfigureAwait(false);
            return true;
        }, cancel).ConfigureAwait(false);
        return isOther ? null : new(EntryOf(signed), missing);
    }

    /// <summary>Takes in a file of a version that is to be published.</summary>
    /// <param name="content">What it says to be, from the beginning.</param>
    /// <exception cref="ReleaseRefusedException">It is something else, or of a version that is published with another.</exception>
    /// <exception cref="ArchiveException">It cannot be stored.</exception>
    public async Task PutFileAsync(string version, string file, string sha256, Stream content, CancellationToken cancel)
    {
        if (!ImageRelease.IsVersion(version) || !ReleasedFile.IsName(file) || file is SignedRelease.DocumentFile or SignedRelease.SignatureFile)
        {
            throw new ReleaseRefusedException($"'{version}/{file}' is no file of an image");
        }
        var actual = Convert.ToHexStringLower(await SHA256.HashDataAsync(content, cancel).ConfigureAwait(false));
        if (!actual.Equals(sha256, StringComparison.OrdinalIgnoreCase))
        {
            throw new ReleaseRefusedException($"{file} came with SHA-256 {actual}, not {sha256}: send it again");
        }
        if (Find(version) is { } published && !published.AsImage().Files.Any(one => one.Name == file && one.Sha256.Equals(sha256, StringComparison.OrdinalIgnoreCase)))
        {
            throw new ReleaseRefusedException($"{version} is published, and its {file} is another: give it the next version, and sign it anew");
        }
        content.Position = 0;
        await _shelf.PutFileAsync(ImageRelease.Agent, version, file, content, cancel).ConfigureAwait(false);
    }

    /// <summary>Changes which boxes are to run which version.</summary>
    /// <returns>False where there is no such version, or no rollout to change.</returns>
    /// <exception cref="ArchiveException">It cannot be stored, and is not changed.</exception>
    public Task<bool> ChangeAsync(ImageChange change, CancellationToken cancel) => _shelf.AloneAsync(async () =>
    {
        var before = Rollout;
        if ((change.Version ?? before?.Version) is not { } version || Find(version) is null)
        {
            return false;
        }
        var same = version == before?.Version ? before : null;
        await _shelf.PutRolloutAsync(ImageRelease.Agent, revision => new(version, change.Stage, change.Percent ?? same?.Percent ?? 100, change.Labels ?? same?.Labels ?? [],
            change.WatchSeconds ?? same?.WatchSeconds ?? WatchSecondsDefault, change.Stage == RolloutStage.Trial ? null : same?.Halt,
            change.Stage == RolloutStage.Trial && same?.Stage != RolloutStage.Trial ? revision : same?.Started ?? revision, revision), cancel).ConfigureAwait(false);
        return true;
    }, cancel);

    /// <summary>Ends a rollout over a box that does not do well; where it was changed meanwhile it is left.</summary>
    /// <exception cref="ArchiveException">It cannot be stored, and is not changed.</exception>
    public Task<bool> HaltAsync(ImageRollout rollout, RolloutHalt halt, CancellationToken cancel) => _shelf.AloneAsync(async () =>
    {
        if (Rollout?.Revision != rollout.Revision)
        {
            return false;
        }
        await _shelf.PutRolloutAsync(ImageRelease.Agent, revision => rollout with { Stage = RolloutStage.Stopped, Halt = halt, Revision = revision }, cancel).ConfigureAwait(false);
        return true;
    }, cancel);

    public void Dispose() => _shelf.Dispose();

    private SignedRelease? Find(string version) => Look().Releases.FirstOrDefault(one => one.Release.Version == version).Signed;

    /// <summary>What lies on the shelf, read once: it is asked for with each report of a box.</summary>
    private Known Look()
    {
        var all = _shelf.All;
        var known = _known;
        if (!ReferenceEquals(all, known.All))
        {
            var agent = all.FirstOrDefault(one => one.Id == ImageRelease.Agent);
            _known = known = new(all, agent?.Rollout, [.. (agent?.Releases ?? []).Select(signed => (signed, signed.AsImage()))]);
        }
        return known;
    }

    private static ImageVersion EntryOf(SignedRelease signed)
    {
        var release = signed.AsImage();
        return new(release.Version, signed.Digest, release.Bytes, new(Instant.From(release.Expires)));
    }

    private sealed record Known(IReadOnlyList<Shelved<ImageRollout>> All, ImageRollout? Rollout, IReadOnlyList<(SignedRelease Signed, ImageRelease Release)> Releases);
}

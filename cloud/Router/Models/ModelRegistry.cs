using System.Globalization;
using System.Security.Cryptography;
using Foretier.Archive.Stores;
using Foretier.Core.Samples;
using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;
using Foretier.Router.Releases;

namespace Foretier.Router.Models;

/// <summary>The models of an installation, in its archive below <c>v1/models/</c>. Thread-safe.</summary>
/// <remarks>It holds what is published against its own digests, so that nobody publishes by mistake what no box would take. Whether to believe it is for the boxes to say.</remarks>
internal sealed class ModelRegistry(ObjectStore archive, TimeProvider clock) : IDisposable
{
    private readonly ReleaseShelf<ModelRollout> _shelf = new(archive, clock, "v1/models/", release => release.AsModel());

    /// <summary>As of the last look; swapped whole.</summary>
    public IReadOnlyList<Shelved<ModelRollout>> Models => _shelf.All;

    /// <inheritdoc cref="ReleaseShelf{TRollout}.Changed"/>
    public Task Changed => _shelf.Changed;

    /// <inheritdoc cref="ReleaseShelf{TRollout}.RefreshAsync"/>
    public Task RefreshAsync(CancellationToken cancel) => _shelf.RefreshAsync(cancel);

    /// <summary>Reads a part of a file that was published; empty where it has ended, or is not there.</summary>
    public Task<byte[]> ReadAsync(ModelNeed need, CancellationToken cancel) => _shelf.ReadAsync(need.Id, Text(need.Version), need.File, need.Offset, need.Bytes, cancel);

    /// <summary>Takes in a model, and begins to roll it out.</summary>
    /// <returns>Null where that version is published already, by other bytes.</returns>
    /// <exception cref="ReleaseRefusedException">It is not what its release says.</exception>
    /// <exception cref="ArchiveException">It cannot be stored.</exception>
    public async Task<ModelEntry?> PublishAsync(ModelUpload upload, CancellationToken cancel)
    {
        var signed = new SignedRelease(upload.Document, upload.Signature);
        var release = signed.AsModel();
        foreach (var file in release.Files)
        {
            var content = upload.Files.FirstOrDefault(one => one.Name == file.Name)?.Content ?? throw new ReleaseRefusedException($"{file.Name} is missing");
            if (content.Length != file.Bytes || !Convert.ToHexString(SHA256.HashData(content)).Equals(file.Sha256, StringComparison.OrdinalIgnoreCase))
            {
                throw new ReleaseRefusedException($"{file.Name} is not what was signed");
            }
        }
        var isPublished = await _shelf.AloneAsync(async () =>
        {
            if (_shelf.Find(release.Id)?.Find(release.Version) is { } known && known.Digest != signed.Digest)
            {
                return false;
            }
            foreach (var file in release.Files)
            {
                using var content = new MemoryStream(upload.Files.First(one => one.Name == file.Name).Content, writable: false);
                await _shelf.PutFileAsync(release.Id, Text(release.Version), file.Name, content, cancel).ConfigureAwait(false);
            }
            await _shelf.PutReleaseAsync(release.Id, Text(release.Version), signed, cancel).ConfigureAwait(false);
            await _shelf.PutRolloutAsync(release.Id, revision => new(release.Version, RolloutStage.Trial, upload.Percent, upload.Labels ?? [], false, revision), cancel).ConfigureAwait(false);
            return true;
        }, cancel).ConfigureAwait(false);
        return isPublished ? _shelf.Find(release.Id)?.ToEntry() : null;
    }

    /// <summary>Changes which boxes are to have which version.</summary>
    /// <returns>Null where there is no such model or version.</returns>
    /// <exception cref="ArchiveException">It cannot be stored, and is not changed.</exception>
    public async Task<ModelEntry?> ChangeAsync(string id, RolloutChange change, CancellationToken cancel)
    {
        var isChanged = await _shelf.AloneAsync(async () =>
        {
            var before = _shelf.Find(id)?.Rollout;
            if (_shelf.Find(id)?.Find(change.Version ?? before?.Version ?? 0) is not { } release)
            {
                return false;
            }
            var version = release.AsModel().Version;
            var isOther = version != before?.Version;
            await _shelf.PutRolloutAsync(id, revision => new(version, change.Stage, change.Percent ?? (isOther ? 100 : before!.Percent), change.Labels ?? (isOther ? [] : before!.Labels),
                change.Now, revision), cancel).ConfigureAwait(false);
            return true;
        }, cancel).ConfigureAwait(false);
        return isChanged ? _shelf.Find(id)?.ToEntry() : null;
    }

    public void Dispose() => _shelf.Dispose();

    private static string Text(int version) => version.ToString(CultureInfo.InvariantCulture);
}

/// <summary>What the registry knows of one model.</summary>
internal static class ShelvedModel
{
    public static SignedRelease? Find(this Shelved<ModelRollout> model, int version) => model.Releases.FirstOrDefault(release => release.AsModel().Version == version);

    /// <summary>The order for a box; null where the rollout does not mean it.</summary>
    /// <param name="labels">Its own.</param>
    public static ModelOrder? OrderFor(this Shelved<ModelRollout> model, string node, IReadOnlyList<string> labels)
    {
        if (model.Rollout is not { } rollout || model.Find(rollout.Version) is not { } release)
        {
            return null;
        }
        // What ends a rollout is for all that may have begun it.
        var isMeant = rollout.Stage is RolloutStage.Stopped or RolloutStage.RolledBack
            || RolloutScope.Means(string.Create(CultureInfo.InvariantCulture, $"{model.Id}/{rollout.Version}"), rollout.Percent, rollout.Labels, node, labels);
        return isMeant ? new(rollout.Revision, rollout.Stage, release, rollout.Now) : null;
    }

    public static ModelEntry ToEntry(this Shelved<ModelRollout> model) =>
        new(model.Id, [.. model.Releases.Select(release => (release.Digest, Read: release.AsModel())).OrderByDescending(release => release.Read.Version)
            .Select(release => new ModelVersion(release.Read.Version, release.Digest, release.Read.Bytes, new(Instant.From(release.Read.Expires)), release.Read.StepsBack))], model.Rollout);
}

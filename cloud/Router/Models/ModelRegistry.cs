using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Foretier.Archive.Stores;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Protocol.Api;
using Foretier.Protocol.Models;

namespace Foretier.Router.Models;

/// <summary>
/// The models of an installation, in its archive: <c>v1/models/{id}/{version}/</c> has what was published, <c>v1/models/{id}/rollout.json</c> which boxes are
/// to have which version. Many routers share them; each looks again now and then. Thread-safe.
/// </summary>
/// <remarks>It holds what is published against its own digests, so that nobody publishes by mistake what no box would take. Whether to believe it is for the boxes to say.</remarks>
internal sealed class ModelRegistry(ObjectStore archive, TimeProvider clock) : IDisposable
{
    private const string Root = "v1/models/";
    private const string RolloutFile = "rollout.json";

    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly Dictionary<string, (string Tag, SignedRelease Release)> _releases = new(StringComparer.Ordinal);
    private volatile IReadOnlyList<RegisteredModel> _models = [];
    private readonly Signal _changed = new();

    /// <summary>As of the last look; swapped whole.</summary>
    public IReadOnlyList<RegisteredModel> Models => _models;

    /// <summary>Completes when there is something else to know than this.</summary>
    public Task WaitForChangeAsync(IReadOnlyList<RegisteredModel> known, CancellationToken cancel)
    {
        var changed = _changed.Next;
        return ReferenceEquals(known, _models) ? changed.WaitAsync(cancel) : Task.CompletedTask;
    }

    /// <summary>Looks at the archive.</summary>
    /// <exception cref="ArchiveException">It cannot be read; what was known stays.</exception>
    public Task RefreshAsync(CancellationToken cancel) => AloneAsync(() => LookAsync(cancel), cancel);

    /// <summary>Reads a part of a file that was published; empty where it has ended, or is not there.</summary>
    public async Task<byte[]> ReadAsync(ModelNeed need, CancellationToken cancel)
    {
        try
        {
            return await archive.GetRangeAsync(KeyOf(need.Id, need.Version, need.File), need.Offset, need.Bytes, cancel).ConfigureAwait(false);
        }
        catch (ArchiveException e) when (e.Kind == ArchiveFault.NotFound)
        {
            return [];
        }
    }

    /// <summary>Takes in a model, and begins to roll it out.</summary>
    /// <returns>Null where that version is published already, by other bytes.</returns>
    /// <exception cref="ModelRefusedException">It is not what its release says.</exception>
    /// <exception cref="ArchiveException">It cannot be stored.</exception>
    public async Task<ModelEntry?> PublishAsync(ModelUpload upload, CancellationToken cancel)
    {
        var signed = new SignedRelease(upload.Document, upload.Signature);
        var release = signed.Read();
        foreach (var file in release.Files)
        {
            var content = upload.Files.FirstOrDefault(one => one.Name == file.Name)?.Content ?? throw new ModelRefusedException($"{file.Name} is missing");
            if (content.Length != file.Bytes || !Convert.ToHexString(SHA256.HashData(content)).Equals(file.Sha256, StringComparison.OrdinalIgnoreCase))
            {
                throw new ModelRefusedException($"{file.Name} is not what was signed");
            }
        }
        ModelEntry? entry = null;
        await AloneAsync(async () =>
        {
            await LookAsync(cancel).ConfigureAwait(false);
            if (Find(release.Id)?.Find(release.Version) is { } known && known.Digest != signed.Digest)
            {
                return;
            }
            string Key(string file) => KeyOf(release.Id, release.Version, file);
            foreach (var file in release.Files)
            {
                await archive.PutAsync(Key(file.Name), upload.Files.First(one => one.Name == file.Name).Content, cancel).ConfigureAwait(false);
            }
            await archive.PutAsync(Key(SignedRelease.SignatureFile), upload.Signature, cancel).ConfigureAwait(false);
            // Last: with this it is published.
            await archive.PutAsync(Key(SignedRelease.DocumentFile), upload.Document, cancel).ConfigureAwait(false);
            await PutAsync(release.Id, new(release.Version, RolloutStage.Trial, upload.Percent, upload.Labels ?? [], false, NextRevision(release.Id)), cancel).ConfigureAwait(false);
            await LookAsync(cancel).ConfigureAwait(false);
            entry = Find(release.Id)?.ToEntry();
        }, cancel).ConfigureAwait(false);
        return entry;
    }

    /// <summary>Changes which boxes are to have which version.</summary>
    /// <returns>Null where there is no such model or version.</returns>
    /// <exception cref="ArchiveException">It cannot be stored, and is not changed.</exception>
    public async Task<ModelEntry?> ChangeAsync(string id, RolloutChange change, CancellationToken cancel)
    {
        ModelEntry? entry = null;
        await AloneAsync(async () =>
        {
            await LookAsync(cancel).ConfigureAwait(false);
            var before = Find(id)?.Rollout;
            if (Find(id) is not { } model || model.Find(change.Version ?? before?.Version ?? 0) is not { } release)
            {
                return;
            }
            var version = release.Read().Version;
            var isOther = version != before?.Version;
            await PutAsync(id, new(version, change.Stage, change.Percent ?? (isOther ? 100 : before!.Percent), change.Labels ?? (isOther ? [] : before!.Labels),
                change.Now, NextRevision(id)), cancel).ConfigureAwait(false);
            await LookAsync(cancel).ConfigureAwait(false);
            entry = Find(id)?.ToEntry();
        }, cancel).ConfigureAwait(false);
        return entry;
    }

    public void Dispose() => _one.Dispose();

    private RegisteredModel? Find(string id) => _models.FirstOrDefault(model => model.Id == id);

    /// <summary>Above all there ever were, also where the archive was lost and begun anew: rollouts change less often than once a second.</summary>
    private long NextRevision(string id) => Math.Max((Find(id)?.Rollout?.Revision ?? 0) + 1, Instant.Now(clock) / Instant.Second);

    private Task PutAsync(string id, ModelRollout rollout, CancellationToken cancel) =>
        archive.PutAsync($"{Root}{id}/{RolloutFile}", JsonSerializer.SerializeToUtf8Bytes(rollout, ApiJson.Options), cancel);

    private async Task LookAsync(CancellationToken cancel)
    {
        var models = new SortedDictionary<string, (List<SignedRelease> Releases, ModelRollout? Rollout)>(StringComparer.Ordinal);
        var found = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var info in archive.ListAsync(Root, cancel).ConfigureAwait(false))
        {
            var parts = info.Key[Root.Length..].Split('/');
            if (!ModelRelease.IsName(parts[0]))
            {
                continue;
            }
            var (releases, rollout) = models.GetValueOrDefault(parts[0], ([], null));
            if (parts is [_, RolloutFile])
            {
                rollout = await RolloutAsync(info.Key, cancel).ConfigureAwait(false);
            }
            else if (parts is [_, _, SignedRelease.DocumentFile] && await ReleaseAsync(info, cancel).ConfigureAwait(false) is { } release)
            {
                found.Add(info.Key);
                releases.Add(release);
            }
            models[parts[0]] = (releases, rollout);
        }
        foreach (var gone in _releases.Keys.Where(key => !found.Contains(key)).ToList())
        {
            _releases.Remove(gone);
        }
        var before = _models;
        List<RegisteredModel> after = [.. models.Select(model => new RegisteredModel(model.Key, model.Value.Releases, model.Value.Rollout))];
        if (!before.Select(model => model.Fingerprint).SequenceEqual(after.Select(model => model.Fingerprint)))
        {
            _models = after;
            _changed.Set();
        }
    }

    private async Task<ModelRollout?> RolloutAsync(string key, CancellationToken cancel)
    {
        try
        {
            return JsonSerializer.Deserialize<ModelRollout>(await archive.GetAsync(key, cancel).ConfigureAwait(false), ApiJson.Options);
        }
        catch (JsonException e)
        {
            throw new ArchiveException(ArchiveFault.Damaged, "read", key, $"it is no rollout ({e.Message}); delete it, and roll out again", e);
        }
    }

    /// <summary>Null where what lies there is no release at all, or its signature is missing.</summary>
    private async Task<SignedRelease?> ReleaseAsync(ObjectInfo info, CancellationToken cancel)
    {
        if (_releases.TryGetValue(info.Key, out var known) && known.Tag == info.Tag)
        {
            return known.Release;
        }
        try
        {
            var signature = info.Key[..^SignedRelease.DocumentFile.Length] + SignedRelease.SignatureFile;
            var release = new SignedRelease(await archive.GetAsync(info.Key, cancel).ConfigureAwait(false), await archive.GetAsync(signature, cancel).ConfigureAwait(false));
            _ = release.Read();
            _releases[info.Key] = (info.Tag, release);
            return release;
        }
        catch (Exception e) when (e is ModelRefusedException or ArchiveException { Kind: ArchiveFault.NotFound })
        {
            return null;
        }
    }

    private async Task AloneAsync(Func<Task> work, CancellationToken cancel)
    {
        await _one.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            await work().ConfigureAwait(false);
        }
        finally
        {
            _one.Release();
        }
    }

    private static string KeyOf(string id, int version, string file) => string.Create(CultureInfo.InvariantCulture, $"{Root}{id}/{version}/{file}");
}

/// <summary>A model of the registry.</summary>
/// <param name="Releases">In no order; each reads.</param>
/// <param name="Rollout">Null before the first.</param>
internal sealed record RegisteredModel(string Id, IReadOnlyList<SignedRelease> Releases, ModelRollout? Rollout)
{
    public string Fingerprint => $"{Id} {Rollout?.Revision} {string.Join(' ', Releases.Select(release => release.Digest))}";

    public SignedRelease? Find(int version) => Releases.FirstOrDefault(release => release.Read().Version == version);

    /// <summary>The order for a box; null where the rollout does not mean it.</summary>
    /// <param name="labels">Its own.</param>
    public ModelOrder? OrderFor(string node, IReadOnlyList<string> labels)
    {
        if (Rollout is not { } rollout || Find(rollout.Version) is not { } release)
        {
            return null;
        }
        // What ends a rollout is for all that may have begun it.
        var isMeant = rollout.Stage is RolloutStage.Stopped or RolloutStage.RolledBack
            || (PlaceOf(node, rollout.Version) < rollout.Percent && (rollout.Labels.Count == 0 || rollout.Labels.Intersect(labels).Any()));
        return isMeant ? new(rollout.Revision, rollout.Stage, release, rollout.Now) : null;
    }

    public ModelEntry ToEntry() => new(Id, [.. Releases.Select(release => (release.Digest, Read: release.Read())).OrderByDescending(release => release.Read.Version)
        .Select(release => new ModelVersion(release.Read.Version, release.Digest, release.Read.Bytes, new(Instant.From(release.Read.Expires)), release.Read.StepsBack))], Rollout);

    /// <summary>0 to 99, by name and version: the first boxes of one rollout are not those of the next.</summary>
    private int PlaceOf(string node, int version) =>
        SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Id}/{version}/{node}")))[0] * 100 / 256;
}

using System.Security.Cryptography;
using System.Text.Json;
using Foretier.Archive.Stores;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;

namespace Foretier.Router.Releases;

/// <summary>
/// Releases of one sort in the archive: <c>{root}{id}/{version}/</c> has what was published, <c>{root}{id}/rollout.json</c> which boxes are to have which
/// version. Many routers share it; each looks again now and then. Thread-safe.
/// </summary>
/// <param name="check">Throws where a document is no release of this sort.</param>
internal sealed class ReleaseShelf<TRollout>(ObjectStore archive, TimeProvider clock, string root, Action<SignedRelease> check) : IDisposable
    where TRollout : class, IRollout
{
    private const string RolloutFile = "rollout.json";

    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly Dictionary<string, (string Tag, SignedRelease Release)> _releases = new(StringComparer.Ordinal);
    private readonly Signal _changed = new();
    private volatile IReadOnlyList<Shelved<TRollout>> _all = [];

    /// <summary>As of the last look; swapped whole.</summary>
    public IReadOnlyList<Shelved<TRollout>> All => _all;

    /// <summary>Completes when there is something else to know: take it before looking at <see cref="All"/>.</summary>
    public Task Changed => _changed.Next;

    /// <summary>There may be other orders, for a reason that is not in the archive: whoever waits looks again.</summary>
    public void Wake() => _changed.Set();

    public Shelved<TRollout>? Find(string id) => _all.FirstOrDefault(one => one.Id == id);

    /// <summary>Looks at the archive.</summary>
    /// <exception cref="ArchiveException">It cannot be read; what was known stays.</exception>
    public Task RefreshAsync(CancellationToken cancel) => AloneAsync(() => Task.FromResult(false), cancel);

    /// <summary>Looks, does the work while nobody else here changes anything, and looks again where that says that it changed something.</summary>
    /// <returns>What the work says.</returns>
    public async Task<bool> AloneAsync(Func<Task<bool>> work, CancellationToken cancel)
    {
        await _one.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            await LookAsync(cancel).ConfigureAwait(false);
            var isChanged = await work().ConfigureAwait(false);
            if (isChanged)
            {
                await LookAsync(cancel).ConfigureAwait(false);
            }
            return isChanged;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Reads a part of a file that was published; empty where it has ended, or is not there.</summary>
    public async Task<byte[]> ReadAsync(string id, string version, string file, long offset, int bytes, CancellationToken cancel)
    {
        try
        {
            return await archive.GetRangeAsync(KeyOf(id, version, file), offset, bytes, cancel).ConfigureAwait(false);
        }
        catch (ArchiveException e) when (e.Kind == ArchiveFault.NotFound)
        {
            return [];
        }
    }

    /// <summary>Whether a file of a release is there, and is what was signed.</summary>
    public async Task<bool> HasAsync(string id, string version, ReleasedFile file, CancellationToken cancel) =>
        await archive.StatAsync(KeyOf(id, version, file.Name), cancel).ConfigureAwait(false) is { } info && info.Bytes == file.Bytes
            && (await archive.DigestAsync(KeyOf(id, version, file.Name), cancel).ConfigureAwait(false)).Equals(file.Sha256, StringComparison.OrdinalIgnoreCase);

    public Task PutFileAsync(string id, string version, string file, Stream content, CancellationToken cancel) => archive.PutAsync(KeyOf(id, version, file), content, cancel);

    /// <summary>The last thing that is put of a release: with its document it is published.</summary>
    public async Task PutReleaseAsync(string id, string version, SignedRelease release, CancellationToken cancel)
    {
        await archive.PutAsync(KeyOf(id, version, SignedRelease.SignatureFile), release.Signature, cancel).ConfigureAwait(false);
        await archive.PutAsync(KeyOf(id, version, SignedRelease.DocumentFile), release.Document, cancel).ConfigureAwait(false);
    }

    /// <param name="rollout">Given the revision that it is to have.</param>
    public Task PutRolloutAsync(string id, Func<long, TRollout> rollout, CancellationToken cancel)
    {
        // Above all there ever were, also where the archive was lost and begun anew: rollouts change less often than once a second.
        var revision = Math.Max((Find(id)?.Rollout?.Revision ?? 0) + 1, Instant.Now(clock) / Instant.Second);
        return archive.PutAsync($"{root}{id}/{RolloutFile}", JsonSerializer.SerializeToUtf8Bytes(rollout(revision), ApiJson.Options), cancel);
    }

    public void Dispose() => _one.Dispose();

    private async Task LookAsync(CancellationToken cancel)
    {
        var shelved = new SortedDictionary<string, (List<SignedRelease> Releases, TRollout? Rollout)>(StringComparer.Ordinal);
        var found = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var info in archive.ListAsync(root, cancel).ConfigureAwait(false))
        {
            var parts = info.Key[root.Length..].Split('/');
            if (!ReleasedFile.IsName(parts[0]))
            {
                continue;
            }
            var (releases, rollout) = shelved.GetValueOrDefault(parts[0], ([], null));
            if (parts is [_, RolloutFile])
            {
                rollout = await RolloutAsync(info.Key, cancel).ConfigureAwait(false);
            }
            else if (parts is [_, _, SignedRelease.DocumentFile] && await ReleaseAsync(info, cancel).ConfigureAwait(false) is { } release)
            {
                found.Add(info.Key);
                releases.Add(release);
            }
            shelved[parts[0]] = (releases, rollout);
        }
        foreach (var gone in _releases.Keys.Where(key => !found.Contains(key)).ToList())
        {
            _releases.Remove(gone);
        }
        List<Shelved<TRollout>> after = [.. shelved.Select(one => new Shelved<TRollout>(one.Key, one.Value.Releases, one.Value.Rollout))];
        if (!_all.Select(one => one.Fingerprint).SequenceEqual(after.Select(one => one.Fingerprint)))
        {
            _all = after;
            _changed.Set();
        }
    }

    private async Task<TRollout?> RolloutAsync(string key, CancellationToken cancel)
    {
        try
        {
            return JsonSerializer.Deserialize<TRollout>(await archive.GetAsync(key, cancel).ConfigureAwait(false), ApiJson.Options);
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
            check(release);
            _releases[info.Key] = (info.Tag, release);
            return release;
        }
        catch (Exception e) when (e is ReleaseRefusedException or ArchiveException { Kind: ArchiveFault.NotFound })
        {
            return null;
        }
    }

    private string KeyOf(string id, string version, string file) => $"{root}{id}/{version}/{file}";
}

/// <summary>All that was published under one name.</summary>
/// <param name="Releases">In no order; each reads.</param>
/// <param name="Rollout">Null before the first.</param>
internal sealed record Shelved<TRollout>(string Id, IReadOnlyList<SignedRelease> Releases, TRollout? Rollout)
    where TRollout : class, IRollout
{
    public string Fingerprint => $"{Id} {Rollout?.Revision} {string.Join(' ', Releases.Select(release => release.Digest))}";
}

/// <summary>Which boxes a rollout means.</summary>
internal static class RolloutScope
{
    /// <param name="release">Name and version of what is rolled out.</param>
    /// <param name="own">The box's labels.</param>
    public static bool Means(string release, int percent, IReadOnlyList<string> labels, string node, IReadOnlyList<string> own) =>
        PlaceOf(release, node) * 100 / 256 < percent && (labels.Count == 0 || labels.Intersect(own).Any());

    /// <summary>0 to 255, by name and version: the first boxes of one rollout are not those of the next.</summary>
    public static int PlaceOf(string release, string node) => SHA256.HashData(System.Text.Encoding.UTF8.GetBytes($"{release}/{node}"))[0];
}

using Foretier.Archive.Stores;
using Foretier.Core.Tiers;

namespace Foretier.Archive;

/// <summary>Layers that were published and cannot be had from the archive any more.</summary>
/// <param name="What">One clause that names the object.</param>
public sealed record ArchiveLack(Holding Holding, string What);

/// <summary>
/// Holds what a site published against what the store has now: each manifest, and each file that one names, with its length. What is in the files is
/// compared with their digests where they are read. One user at a time, and never while it publishes.
/// </summary>
/// <remarks>It asks for lists; of manifests it reads those that are new or changed since the last time.</remarks>
public sealed class ArchiveAudit(ObjectStore store, string site)
{
    private Dictionary<string, Seen> _seen = [];

    /// <param name="published">As their publication told.</param>
    /// <returns>What is not there as it was published, at most one line for each holding.</returns>
    /// <exception cref="ArchiveException">The store cannot be read: nothing is known.</exception>
    public async Task<IReadOnlyList<ArchiveLack>> LookAsync(IReadOnlyCollection<Holding> published, CancellationToken cancel)
    {
        await ReadManifestsAsync(cancel).ConfigureAwait(false);
        var files = new Dictionary<string, long>(StringComparer.Ordinal);
        await foreach (var info in store.ListAsync(ArchiveKeys.RawOf(site), cancel).ConfigureAwait(false))
        {
            files[info.Key] = info.Bytes;
        }
        var manifests = _seen.Values.ToLookup(seen => (seen.Key.Edge, seen.Key.Window));
        return [.. published.Select(holding => (Holding: holding, What: WhatLacks(holding, manifests[(holding.Edge, holding.Window)], files)))
            .Where(lack => lack.What is not null).Select(lack => new ArchiveLack(lack.Holding, lack.What!))];
    }

    /// <param name="manifests">Those of its edge and window.</param>
    /// <param name="files">All there are, with their lengths.</param>
    private string? WhatLacks(Holding holding, IEnumerable<Seen> manifests, Dictionary<string, long> files)
    {
        // Layers that were put together are published by the whole as well as by themselves.
        string? lack = null;
        foreach (var manifest in manifests.Where(seen => seen.Key.After <= holding.After && seen.Key.Through >= holding.Through))
        {
            var wrong = manifest.Damage ?? manifest.Files.Select(file => !files.TryGetValue(file.Key, out var bytes) ? $"{file.Key} is not in the archive any more"
                : bytes != file.Bytes ? $"{file.Key} has {bytes} of its {file.Bytes} bytes" : null).FirstOrDefault(what => what is not null);
            if (wrong is null)
            {
                return null;
            }
            lack ??= wrong;
        }
        return lack ?? $"{new ManifestKey(site, holding.Edge, holding.Window, holding.After, holding.Through)} is not in the archive any more";
    }

    private async Task ReadManifestsAsync(CancellationToken cancel)
    {
        var seen = new Dictionary<string, Seen>(StringComparer.Ordinal);
        await foreach (var info in store.ListAsync(ManifestKey.PrefixOf(site), cancel).ConfigureAwait(false))
        {
            if (!ManifestKey.TryParse(info.Key, out var key))
            {
                continue;
            }
            if (_seen.TryGetValue(info.Key, out var known) && known.Tag == info.Tag)
            {
                seen[info.Key] = known;
                continue;
            }
            try
            {
                var manifest = ArchiveManifest.Parse(key!, await store.GetAsync(info.Key, cancel).ConfigureAwait(false));
                seen[info.Key] = new(key!, info.Tag, [.. manifest.Files.Select(file => (file.Key, file.Bytes))], null);
            }
            catch (ArchiveException e) when (e.Kind is ArchiveFault.NotFound or ArchiveFault.Damaged)
            {
                seen[info.Key] = new(key!, info.Tag, [], e.Message);
            }
        }
        _seen = seen;
    }

    private sealed record Seen(ManifestKey Key, string Tag, IReadOnlyList<(string Key, long Bytes)> Files, string? Damage);
}

using Foretier.Archive.Stores;
using Foretier.Core.Tiers;

namespace Foretier.Archive;

/// <summary>Layers that were published and cannot be had from the archive as they were.</summary>
/// <param name="What">One clause that names the object.</param>
public sealed record ArchiveLack(Holding Holding, string What);

/// <param name="Lost">Layers of which samples are not there, at most one line for each holding.</param>
/// <param name="Slow">Layers whose samples are there, and of their rollups a file is not: what can be asked takes longer.</param>
public sealed record ArchiveFindings(IReadOnlyList<ArchiveLack> Lost, IReadOnlyList<ArchiveLack> Slow);

/// <summary>
/// Holds what a site published against what the store has now: each manifest, and each file that one names, with its length. What is in the files is
/// compared with their digests where they are read. One user at a time, and never while it publishes.
/// </summary>
/// <remarks>It asks for lists; of manifests the catalog reads those that are new or changed since the last time.</remarks>
/// <param name="catalog">Of one site, and of the same store.</param>
public sealed class ArchiveAudit(ObjectStore store, ArchiveCatalog catalog)
{
    private readonly string _site = catalog.Site ?? throw new ArgumentException("a catalog of one site is needed", nameof(catalog));

    /// <param name="published">As their publication told.</param>
    /// <exception cref="ArchiveException">The store cannot be read: nothing is known.</exception>
    public async Task<ArchiveFindings> LookAsync(IReadOnlyCollection<Holding> published, CancellationToken cancel)
    {
        var manifests = (await catalog.ListAsync(cancel).ConfigureAwait(false)).ToLookup(layers => (layers.Key.Edge, layers.Key.Window));
        var files = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var prefix in ArchiveKeys.FilesOf(_site))
        {
            await foreach (var info in store.ListAsync(prefix, cancel).ConfigureAwait(false))
            {
                files[info.Key] = info.Bytes;
            }
        }
        var (lost, slow) = (new List<ArchiveLack>(), new List<ArchiveLack>());
        foreach (var holding in published)
        {
            var covering = manifests[(holding.Edge, holding.Window)].Where(layers => layers.Key.After <= holding.After && layers.Key.Through >= holding.Through).ToList();
            // Layers that were put together are published by the whole as well as by themselves.
            if (covering.Find(layers => layers.Fault is null && WhatLacks(layers, false, files) is null) is not { } whole)
            {
                lost.Add(new(holding, covering is [var first, ..] ? first.Fault?.Message ?? WhatLacks(first, false, files)!
                    : $"{new ManifestKey(_site, holding.Edge, holding.Window, holding.After, holding.Through)} is not in the archive any more"));
            }
            else if (WhatLacks(whole, true, files) is { } what)
            {
                slow.Add(new(holding with { After = whole.Key.After, Through = whole.Key.Through }, what));
            }
        }
        return new(lost, [.. slow.DistinctBy(lack => (lack.Holding.Edge, lack.Holding.Window, lack.Holding.After, lack.Holding.Through))]);
    }

    /// <param name="files">All there are, with their lengths.</param>
    private static string? WhatLacks(PublishedLayers layers, bool rollups, Dictionary<string, long> files) =>
        layers.Files.Where(file => file.IsRollups == rollups).Select(file => !files.TryGetValue(file.Key, out var bytes) ? $"{file.Key} is not in the archive any more"
            : bytes != file.Bytes ? $"{file.Key} has {bytes} of its {file.Bytes} bytes" : null).FirstOrDefault(what => what is not null);
}

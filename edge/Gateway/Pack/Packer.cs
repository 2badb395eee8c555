using Foretier.Archive;
using Foretier.Archive.Stores;
using Foretier.Core.Segments;
using Foretier.Core.Tiers;
using Foretier.Gateway.Warm;
using Foretier.Protocol;
using Microsoft.Extensions.Logging;

namespace Foretier.Gateway.Pack;

/// <summary>Moves windows from the gateway's disk to the archive.</summary>
/// <remarks>
/// For each window: 1. its files are sealed and what is to be moved is written down; 2. it is published, and the archive verifies it; 3. one
/// transaction marks it archived and forgets it here; the catalog changes over in one step; 4. its files are deleted. A crash before 3 leaves it
/// here, and the same flushes are published again, under the same keys; a crash after 3 leaves files that the next start deletes.
/// </remarks>
/// <param name="publish">Puts a window into the archive (ArchiveWriter.PublishAsync); returns only when it is durable and verified there.</param>
public sealed class Packer(WarmStore store, Func<ArchivePack, CancellationToken, Task<Holding>> publish, ILogger<Packer> log) : IDisposable
{
    private readonly SemaphoreSlim _packing = new(1, 1);

    /// <summary>Archives windows that got nothing since a time, and moves that an earlier run did not finish.</summary>
    /// <param name="enough">Asked before each further window.</param>
    /// <exception cref="IOException">As of the other.</exception>
    internal Task<MoveResult> PackQuietAsync(DateTimeOffset since, Func<bool> enough, CancellationToken cancel) =>
        PackAsync(() => store.QuietSince(since).TakeWhile(_ => !enough()), cancel);

    /// <summary>Archives every window that begins before a time (µs), oldest first, and moves that an earlier run did not finish.</summary>
    /// <returns>Windows and samples that were moved; durable.</returns>
    /// <exception cref="IOException">The archive failed. Windows moved before stay moved; the rest is still here. Ask again.</exception>
    public Task<MoveResult> PackAsync(long before, CancellationToken cancel) => PackAsync(() => store.HeldBefore(before), cancel);

    private async Task<MoveResult> PackAsync(Func<IEnumerable<WarmWindow>> windows, CancellationToken cancel)
    {
        await _packing.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            var moved = new MoveResult(0, 0);
            foreach (var intent in await store.ReadIntentsAsync(cancel).ConfigureAwait(false))
            {
                log.LogInformation("Going on with the move of {Edge} {Window} through {Through}", intent.Edge, intent.Window, intent.Through);
                moved = Add(moved, await MoveAsync(intent, cancel).ConfigureAwait(false));
            }
            foreach (var window in windows())
            {
                if (await store.BeginPackAsync(window.Edge, window.Window, cancel).ConfigureAwait(false) is { } intent)
                {
                    moved = Add(moved, await MoveAsync(intent, cancel).ConfigureAwait(false));
                }
            }
            return moved;
        }
        finally
        {
            _packing.Release();
        }
    }

    /// <summary>Does something for which nothing may be on its way to the archive.</summary>
    internal async Task WithoutPackingAsync(Func<Task> action, CancellationToken cancel)
    {
        await _packing.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            await action().ConfigureAwait(false);
        }
        finally
        {
            _packing.Release();
        }
    }

    public void Dispose() => _packing.Dispose();

    private async Task<long> MoveAsync(PackIntent intent, CancellationToken cancel)
    {
        using var reader = store.ReadPack(intent);
        Holding archived;
        try
        {
            archived = await publish(new(intent.Edge, intent.Window, intent.After, intent.Through, reader.Series, reader.Read)
            {
                Erased = intent.After == 0 ? [] : reader.Erased,
            }, cancel).ConfigureAwait(false);
        }
        catch (Exception error) when (error is ArchiveException or SegmentFormatException)
        {
            throw new IOException($"{intent.Edge} {intent.Window} could not be archived: {error.Message}", error);
        }
        if (archived.Edge != intent.Edge || archived.Window != intent.Window || archived.After != intent.After || archived.Through != intent.Through
            || archived.Count != reader.Samples)
        {
            throw new InvalidOperationException($"the archive has {archived.Count} samples of {archived.Edge} {archived.Window} ({archived.After}, {archived.Through}], "
                + $"sent were {reader.Samples} of {intent.Edge} {intent.Window} ({intent.After}, {intent.Through}]; the window stays here");
        }
        await store.CompletePackAsync(intent, archived, cancel).ConfigureAwait(false);
        return archived.Count;
    }

    private static MoveResult Add(MoveResult moved, long samples) => new(moved.Windows + 1, moved.Samples + samples);
}

using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Gateway.Receive;
using Foretier.Protocol.Api;
using Foretier.Protocol.Shipping;
using Microsoft.Data.Sqlite;

namespace Foretier.Gateway.Warm;

/// <content>Deletion in the place of edges that are out of service; those that are not do it themselves, and send a tombstone.</content>
public sealed partial class WarmStore
{
    /// <summary>An edge that comes back after all may have sent flushes that nobody acknowledged: it finds itself behind, and counts anew from here.</summary>
    private const long FlushesApart = 1_000_000;

    /// <summary>
    /// Deletes a range of a series of edges that are out of service, as they would: by a flush in each window that may have samples of it, with nothing but a
    /// tombstone in it. Durable on return; the archive has it when that window is moved again.
    /// </summary>
    /// <param name="edges">They send nothing any more.</param>
    /// <returns>Null where none of them has such a series.</returns>
    /// <exception cref="IOException">The disk refused: what was written down before is deleted, the rest is not.</exception>
    public async Task<DeletionReply?> DeleteAsync(SeriesKey series, TimeRange range, IEnumerable<string> edges, CancellationToken cancel)
    {
        try
        {
            return await DeleteAsync(series.ToString(), range, edges, cancel).ConfigureAwait(false);
        }
        catch (Exception error) when (error is SqliteException or SegmentFormatException or UnauthorizedAccessException)
        {
            throw new IOException(error.Message, error);
        }
    }

    /// <summary>True where an edge ever sent something.</summary>
    public bool Knows(string edge) => _windows.Keys.Any(window => window.Edge == edge);

    /// <summary>True where an edge ever sent something of a window.</summary>
    internal bool Knows(string edge, Window window) => _windows.ContainsKey((edge, window));

    private async Task<DeletionReply?> DeleteAsync(string name, TimeRange range, IEnumerable<string> edges, CancellationToken cancel)
    {
        var deleted = new List<DeletedShare>();
        foreach (var edge in edges)
        {
            if (!_series.TryGetValue((edge, name), out var known))
            {
                continue;
            }
            var samples = 0L;
            foreach (var window in _windows.Values.Where(held => held.Edge == edge && held.Through > 0 && held.Window.Range.Overlaps(range)).OrderBy(held => held.Window))
            {
                var batch = new ShipBatch(window.Window, window.Through, window.Through + FlushesApart, [])
                {
                    Tombstones = [new(name, known.Info.Unit, known.Info.Kind, window.Through + FlushesApart, range.Clip(window.Window.Range))],
                };
                var result = await ReceiveAsync(edge, batch.Window, batch.After, batch.Through, batch.ToBytes(), null, cancel).ConfigureAwait(false);
                samples += result is { Outcome: ReceiveOutcome.Stored, Receipt: { } receipt } ? receipt.Deleted
                    : throw new IOException($"{window.Window} of {edge}: {result.Outcome} {result.Refusal?.Detail}");
            }
            deleted.Add(new(edge, "hdd", samples));
        }
        return deleted.Count == 0 ? null : new(name, new(range.From), new(range.To), deleted, [.. deleted.Select(share => share.Node)], []);
    }
}

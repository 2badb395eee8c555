using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Gateway.Receive;
using Microsoft.Extensions.Logging;

namespace Foretier.Gateway.Warm;

/// <summary>
/// The gateway's warm tier: batches of the edges on a hard disk, and the catalog of them.
/// </summary>
/// <remarks>
/// Files: one per edge and window, appended to batch by batch, so that archiving or expiring a window is deleting a file, and that a
/// query, which asks for windows, finds a series' segments near to each other. A window that is being packed begins a new file, so that
/// what the archive took and what came later never share one.
/// A batch is durable when 1. its frame is in the file and synced, 2. its rows are committed to the catalog, in that order. What lies behind the
/// committed length of a file after a crash is taken in as if it came now, if whole (it was checked before it was written), and else cut off.
/// One lock for all that writes: the disk has one head. Readers take none.
/// </remarks>
public sealed partial class WarmStore : IDataSource, IAsyncDisposable
{
    private readonly WarmOptions _options;
    private readonly Catalog _catalog;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly FileStream _owner;
    private readonly WarmIndex _index;
    private readonly SemaphoreSlim _writing = new(1, 1);

    // Changed under the lock once the disk has it; read by anyone.
    private readonly ConcurrentDictionary<(string Edge, Window Window), WarmWindow> _windows = [];
    private readonly ConcurrentDictionary<(string Edge, string Name), (long Id, SeriesInfo Info)> _series = [];

    private WarmStore(WarmOptions options, Catalog catalog, TimeProvider clock, ILogger log, FileStream owner, WarmIndex index)
    {
        (_options, _catalog, _clock, _log, _owner, _index) = (options, catalog, clock, log, owner, index);
        _cache = new(options.CacheBytes);
    }

    public string Node => _options.Node;

    /// <summary>Bytes of all data files.</summary>
    public long HeldBytes => _windows.Values.Sum(window => window.Files.Sum(file => file.Bytes));

    /// <summary>How far each window of an edge is durable here or, through here, in the archive: where the edge resumes.</summary>
    public IReadOnlyList<WindowProgress> ProgressOf(string edge) =>
        [.. _windows.Where(w => w.Key.Edge == edge).Select(w => new WindowProgress(w.Key.Window, w.Value.Through)).OrderBy(p => p.Window)];

    /// <summary>
    /// Takes in the batch (after, through] of a window: all of it, or what is new in it, or nothing.
    /// </summary>
    /// <param name="digest">SHA-256 in hex as announced by the sender; null where it announced none.</param>
    /// <exception cref="IOException">The disk refused. Nothing of the batch counts; it can be sent again.</exception>
    public async Task<ReceiveResult> ReceiveAsync(
        string edge, Window window, long after, long through, ReadOnlyMemory<byte> bytes, string? digest, CancellationToken cancel)
    {
        ThrowIfNotEdge(edge);
        var batch = IncomingBatch.Check(bytes, digest, window, after, through, out var refusal);
        await _writing.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            var held = _windows.GetValueOrDefault((edge, window)) ?? WarmWindow.Empty(edge, window);
            if (batch is null)
            {
                return Refuse(held, refusal!);
            }
            if (batch.After > held.Through)
            {
                return new(ReceiveOutcome.Gap, held.Through);
            }
            if (batch.Through <= held.Through)
            {
                return IsOther(held, batch)
                    ? Refuse(held, new("batch_conflict", $"another batch {after}-{through} of {window} is held; was {edge} set up anew under its old name?", batch.Samples))
                    : new(ReceiveOutcome.AlreadyHeld, held.Through, new(held.Through, 0, 0));
            }
            if (_options.BytesMax > 0 && HeldBytes + bytes.Length > _options.BytesMax)
            {
                throw new IOException($"the disk's share for samples ({_options.BytesMax} bytes, Care:BytesMax) is used up; archive windows, or give it more");
            }
            return Store(held, batch);
        }
        finally
        {
            _writing.Release();
        }
    }

    public void Observe(Meter meter)
    {
        meter.CreateObservableCounter("foretier.disk.reads", () => DiskReads.Reads, "{read}", "Reads of data files to answer questions; what was read before is remembered.");
        meter.CreateObservableCounter("foretier.disk.read.bytes", () => DiskReads.Bytes, "By", "Bytes they read.");
        meter.CreateObservableCounter("foretier.disk.needed.bytes", () => DiskReads.Needed, "By", "Of these, what was asked for; the rest lay between.");
    }

    public async ValueTask DisposeAsync()
    {
        await _writing.WaitAsync().ConfigureAwait(false);
        _index.Dispose();
        await _owner.DisposeAsync().ConfigureAwait(false);
        _writing.Dispose();
    }

    private ReceiveResult Refuse(WarmWindow held, BatchRefusal refusal)
    {
        _log.LogWarning("Batch of {Edge} {Window} refused: {Reason}, {Detail}", held.Edge, held.Window, refusal.Reason, refusal.Detail);
        _index.Writer.Transact(() =>
        {
            _index.Count(Counter.Received, refusal.Samples);
            _index.Count(Counter.RejectedPrefix + refusal.Reason, refusal.Samples);
        });
        return new(ReceiveOutcome.Refused, held.Through, Refusal: refusal);
    }

    private bool IsOther(WarmWindow held, IncomingBatch batch) => held.Files
        .Select(file => _index.ReadDigest(file.Id, batch.After, batch.Through)).FirstOrDefault(d => d is not null) is { } digest && digest != batch.Digest;

    private static void ThrowIfNotEdge(string edge)
    {
        if (!WarmFileName.IsValidEdge(edge))
        {
            throw new ArgumentException($"'{edge}' is not the name of an edge", nameof(edge));
        }
    }
}

/// <summary>How far the gateway has a window of an edge.</summary>
public sealed record WindowProgress(Window Window, long Through);

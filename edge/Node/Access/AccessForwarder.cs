using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Durable;
using Foretier.Node.Hosting;
using Foretier.Node.Link;
using Foretier.Protocol;
using Microsoft.Extensions.Logging;

namespace Foretier.Node.Access;

/// <summary>
/// Tells the nodes below, once a minute, how often their series were asked for up here: one message to each node that has dialled in, which
/// passes on what belongs further down.
/// </summary>
/// <remarks>
/// What could not be delivered is sent again under its old number, so that it counts once; what waits for a node that stays away is bounded.
/// When this node stops it is written down, and sent by the next run. A kill loses what waited: the questions of the last minute, and those for
/// nodes that are away. Access counts are hints: losing some costs a forecast a little, never data.
/// </remarks>
public sealed class AccessForwarder : IAsyncDisposable
{
    /// <summary>About 10 MB when all are in use.</summary>
    public const int KeysMax = 50_000;

    public static readonly TimeSpan Every = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    private readonly LinkHub _hub;
    private readonly Catalog _catalog;
    private readonly TimeProvider _clock;
    private readonly ILogger<AccessForwarder> _log;
    private readonly string _node;
    private readonly string _path;
    private readonly long _run;
    private readonly PendingCounts _pending = new(KeysMax);
    private readonly ConcurrentDictionary<string, string> _linkOf = new(StringComparer.Ordinal);
    private readonly Dictionary<string, AccessMessage> _sent = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly CancellationTokenSource _stop = new();
    private long _number;
    private Task _loop = Task.CompletedTask;

    /// <param name="folder">Where what waits is kept while this node does not run.</param>
    public AccessForwarder(string node, string folder, LinkHub hub, CatalogFollower follower, Catalog catalog, TimeProvider clock, ILogger<AccessForwarder> log)
    {
        (_node, _path, _hub, _catalog, _clock, _log) = (node, Path.Combine(folder, "access-waiting.json"), hub, catalog, clock, log);
        _run = Instant.Now(clock);
        Resume();
        follower.Found += (found, link, _) => _linkOf[found] = link.Name;
    }

    /// <summary>Questions that were given up because too much was waiting.</summary>
    public long Dropped => _pending.Dropped;

    public void Start() => _loop = RunAsync(_stop.Token);

    /// <summary>Counts a question for every edge that has the series, by the catalog.</summary>
    public void Add(AccessCount count)
    {
        foreach (var edge in _catalog.View.Named(count.Series).Select(s => s.Edge))
        {
            _pending.Add(edge, count);
        }
    }

    /// <summary>Sends what waits and can be sent. A failure is not an error: it is tried again next time.</summary>
    public async Task SendAsync(CancellationToken cancel)
    {
        await _one.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            var view = _catalog.View;
            string? LinkOf(string edge)
            {
                // Where the edge itself is not reached, whoever holds its data is told.
                var link = _linkOf.GetValueOrDefault(edge) is { } known && _hub.Find(known) is not null ? known
                    : _hub.Find(edge) is not null ? edge : view.OfEdge(edge).Select(h => h.Node).FirstOrDefault(node => _hub.Find(node) is not null);
                return link is null || _sent.ContainsKey(link) ? null : link;
            }
            foreach (var (link, counts) in _pending.Take(LinkOf))
            {
                if (counts.Count > 0)
                {
                    _sent[link] = new(_node, _run, ++_number, counts);
                }
            }
            foreach (var (link, message) in _sent.ToList())
            {
                if (_hub.Find(link) is { } node && await DeliverAsync(node, message, cancel).ConfigureAwait(false))
                {
                    _sent.Remove(link);
                }
            }
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task<bool> DeliverAsync(LinkedNode node, AccessMessage message, CancellationToken cancel)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel, node.Ended);
        deadline.CancelAfter(Deadline);
        try
        {
            using var response = await node.Http.PostAsJsonAsync("internal/v1/access", message, NodeJson.Options, deadline.Token).ConfigureAwait(false);
            if (!response.IsSuccessStatusCode)
            {
                _log.LogDebug("{Node} took no access counts: {Status}", node.Name, (int)response.StatusCode);
            }
            // One that will never take it is not asked again.
            return response.IsSuccessStatusCode || response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.BadRequest;
        }
        catch (Exception error) when (error is HttpRequestException or IOException || (error is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            _log.LogDebug("Access counts for {Node} wait: {Reason}", node.Name, error.Message);
            return false;
        }
    }

    private async Task RunAsync(CancellationToken stop)
    {
        try
        {
            while (true)
            {
                await Task.Delay(Every, _clock, stop).ConfigureAwait(false);
                await SendAsync(stop).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Asked to stop.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Keep();
        _stop.Dispose();
        _one.Dispose();
    }

    /// <summary>Takes up what the run before could not tell; from then on it is this run's to lose, so that nothing counts twice.</summary>
    private void Resume()
    {
        try
        {
            if (!File.Exists(_path))
            {
                return;
            }
            var kept = File.ReadAllBytes(_path);
            File.Delete(_path);
            if (JsonSerializer.Deserialize<Waiting>(kept, NodeJson.Strict) is { } waiting)
            {
                foreach (var (link, message) in waiting.Sent)
                {
                    _sent[link] = message;
                }
                foreach (var (edge, counts) in waiting.Counts)
                {
                    foreach (var count in counts)
                    {
                        _pending.Add(edge, count);
                    }
                }
            }
        }
        catch (Exception error) when (error is JsonException or IOException or UnauthorizedAccessException)
        {
            _log.LogWarning("Access counts of the last run in {Path} cannot be read and are given up: {Reason}", _path, error.Message);
        }
    }

    private void Keep()
    {
        var waiting = new Waiting(_sent, _pending.All());
        if (waiting.Sent.Count == 0 && waiting.Counts.Count == 0)
        {
            return;
        }
        try
        {
            Disk.Replace(_path, file => JsonSerializer.Serialize(file, waiting, NodeJson.Options));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            _log.LogWarning("Access counts that wait cannot be written to {Path} and are given up: {Reason}", _path, error.Message);
        }
    }

    /// <summary>What waits between two runs.</summary>
    /// <param name="Sent">Messages that no answer came to, by link.</param>
    /// <param name="Counts">By edge.</param>
    private sealed record Waiting(IReadOnlyDictionary<string, AccessMessage> Sent, IReadOnlyDictionary<string, IReadOnlyList<AccessCount>> Counts);
}

using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text.Json;
using Foretier.Core.Query;
using Foretier.Core.Tiers;
using Foretier.Node.Hosting;
using Foretier.Node.Serve;
using Foretier.Protocol;
using Foretier.Protocol.Api;
using Microsoft.Extensions.Logging;

namespace Foretier.Node.Link;

/// <summary>
/// Learns, over each link, what the nodes below hold and whether they can be reached. What a lost node held stays known, as unavailable:
/// an answer without it can then say what is missing. So does that it exists, in the <see cref="Roster"/>, when this node starts again.
/// </summary>
public sealed class CatalogFollower
{
    /// <summary>
    /// Catalogs that this process takes in at once, of those that have arrived. Each takes forty times its bytes meanwhile, and after a start a whole fleet sends its own:
    /// read all at once, what is dead of them by then looks alive to the collector.
    /// </summary>
    private static readonly SemaphoreSlim Taking = new(2);

    private readonly Catalog _catalog;
    private readonly SourceHealth _health;
    private readonly TimeProvider _clock;
    private readonly ILogger<CatalogFollower> _log;
    private readonly Roster? _roster;
    private readonly ConcurrentDictionary<string, IDataSource> _sources = new();
    private readonly ConcurrentDictionary<string, NodeStatus> _nodes = new();
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<HoldingKey, bool>> _learned = new();

    /// <param name="roster">Null: this node does not know whom to wait for.</param>
    public CatalogFollower(LinkHub hub, Catalog catalog, SourceHealth health, TimeProvider clock, ILogger<CatalogFollower> log, Roster? roster = null)
    {
        _catalog = catalog;
        _health = health;
        _clock = clock;
        _log = log;
        _roster = roster;
        foreach (var node in roster?.Names ?? [])
        {
            Await(node);
        }
        hub.Opened += link => _ = FollowAsync(link);
    }

    /// <summary>Called when a node below can be reached (again), with the link it is reached through and the path its own addresses have there.</summary>
    public event Action<string, LinkedNode, string>? Found;

    /// <summary>Called with what a node below says of series: of edges their own word, of which kind and unit they are.</summary>
    public event Action<IReadOnlyList<SeriesInfo>>? Learnt;

    /// <summary>Whether every node below that was ever heard of is there.</summary>
    public IEnumerable<Check> Checks() => Nodes.Count == 0
        ? [new("link", CheckStatus.Fail, "no node below has dialled in", "see that it runs, and its FORETIER__UPSTREAM and FORETIER__LINK__TOKEN")]
        : Nodes.Select(n => n.Connected ? new Check("link", CheckStatus.Ok, $"{n.Node} is connected")
            : new Check("link", CheckStatus.Fail, $"{n.Node} is not connected", "see that it runs and reaches this node"));

    /// <summary>The same for the health page.</summary>
    public IEnumerable<string> Problems => Nodes.Where(n => !n.Connected).Select(n => $"{n.Node} is not connected");

    /// <summary>The way to a node, if there is one.</summary>
    public IDataSource? SourceOf(string node) => _sources.GetValueOrDefault(node);

    /// <summary>The nodes below, direct or behind one another.</summary>
    public IReadOnlyList<NodeStatus> Nodes => [.. _nodes.Values.Select(Fresh)];

    /// <summary>A node that is not coming back is no longer said to be missing. What it held stays known until this node starts again.</summary>
    /// <returns>False where it was never heard of, or is connected.</returns>
    /// <exception cref="IOException">It cannot be written down.</exception>
    public bool Forget(string node)
    {
        if (!_nodes.TryGetValue(node, out var status) || status.Connected || !_nodes.TryRemove(new(node, status)))
        {
            return false;
        }
        _health.Forget(node);
        _roster?.Remove(node);
        return true;
    }

    private NodeStatus Fresh(NodeStatus status) => status with { SilentMilliseconds = _health.SilentFor(status.Node)?.TotalMilliseconds };

    private async Task FollowAsync(LinkedNode link)
    {
        var learned = _learned.GetOrAdd(link.Name, _ => new());
        var behind = new HashSet<string>();
        var kept = new HashSet<string>();
        long since = 0;
        try
        {
            while (!link.Ended.IsCancellationRequested)
            {
                var (asked, sent) = (_health.Moment, link.Clock.GetTimestamp());
                using var response = await link.Http.GetAsync($"internal/v1/catalog?since={since}&packed=true", HttpCompletionOption.ResponseHeadersRead, link.Ended).ConfigureAwait(false);
                var took = link.Clock.GetElapsedTime(sent);
                response.EnsureSuccessStatusCode();
                var message = await TakeAsync(response.Content, learned, kept, link.Ended).ConfigureAwait(false);
                if (RoundTrip(took, message) is { } way)
                {
                    link.Pulse.Answered(way);
                }
                // Once they are heard there, all is asked for anew: what they no longer have was not taken back by the one between.
                since = kept.Overlaps(message.Nodes.Where(status => status.Connected).Select(status => status.Node)) ? 0 : message.Update.Revision;
                Heard(link, new(link.Name, true, 0), false, asked);
                foreach (var status in message.Nodes)
                {
                    behind.Add(status.Node);
                    Heard(link, status, true, asked);
                }
            }
        }
        catch (Exception error) when (error is HttpRequestException or IOException or OperationCanceledException or JsonException or InvalidDataException)
        {
            if (!link.Ended.IsCancellationRequested)
            {
                _log.LogWarning("Catalog of {Node} cannot be followed: {Reason}", link.Name, error.Message);
                link.End();
            }
        }
        finally
        {
            // Whatever ended it: who is not followed any more is not believed to be there.
            Lost(link, link.Name);
            foreach (var node in behind)
            {
                Lost(link, node);
            }
        }
    }

    /// <param name="kept">Nodes of which a reset takes nothing away; changed by one.</param>
    private async Task<CatalogMessage> TakeAsync(HttpContent body, ConcurrentDictionary<HoldingKey, bool> learned, HashSet<string> kept, CancellationToken ended)
    {
        if (body.Headers.ContentType?.MediaType != PackedJson.MediaType)
        {
            // A few words of news, or very many, read as they come; or as an older node says everything.
            var message = await body.ReadFromJsonAsync<CatalogMessage>(NodeJson.Options, ended).ConfigureAwait(false) ?? throw new JsonException("empty catalog message");
            Take(message, learned, kept);
            return message;
        }
        // Nobody waits for what is still under way over a slow link.
        await body.LoadIntoBufferAsync(ended).ConfigureAwait(false);
        await Taking.WaitAsync(ended).ConfigureAwait(false);
        try
        {
            var message = await PackedJson.ReadAsync<CatalogMessage>(body, NodeJson.Options, ended).ConfigureAwait(false);
            Take(message, learned, kept);
            return message;
        }
        finally
        {
            Taking.Release();
        }
    }

    private void Take(CatalogMessage message, ConcurrentDictionary<HoldingKey, bool> learned, HashSet<string> kept)
    {
        if (message.Update.Reset)
        {
            kept.Clear();
            kept.UnionWith(Unheard(message));
        }
        _catalog.Apply(message.Update, key => learned.ContainsKey(key) && !kept.Contains(key.Node));
        if (message.Update.Series.Count > 0)
        {
            Intake.OfThisProcess.Took(message.Update.Series.Count);
            Learnt?.Invoke(message.Update.Series);
        }
        foreach (var holding in message.Update.Holdings)
        {
            learned[HoldingKey.Of(holding)] = true;
        }
        foreach (var key in message.Update.Removed)
        {
            learned.TryRemove(key, out _);
        }
    }

    /// <summary>How long the poll was under way and back; null where that cannot be told from how long the other end thought about it.</summary>
    internal static TimeSpan? RoundTrip(TimeSpan took, CatalogMessage message)
    {
        // (Many names take a while to pack.)
        var way = message.Update.Series.Count >= NodeApi.PackedMin ? TimeSpan.Zero : took - (message.WaitedMilliseconds is { } waited ? TimeSpan.FromMilliseconds(waited) : NodeApi.PollMax);
        return way > TimeSpan.Zero ? way : null;
    }

    /// <summary>Nodes that the one below waits for itself, having started again: what they have is not void because it says nothing of it.</summary>
    private static HashSet<string> Unheard(CatalogMessage message)
    {
        var silent = message.Nodes.Where(status => !status.Connected).Select(status => status.Node).ToHashSet();
        silent.ExceptWith(message.Update.Holdings.Select(holding => holding.Node));
        return silent;
    }

    private void Await(string node)
    {
        _nodes.TryAdd(node, new(node, false, null));
        _health.Await(node);
    }

    /// <param name="asked">When it was asked for this: what it says is of then, or later.</param>
    private void Heard(LinkedNode link, NodeStatus status, bool behind, long asked)
    {
        if (!_nodes.ContainsKey(status.Node))
        {
            Remember(status.Node);
        }
        if (!status.Connected)
        {
            Lost(link, status.Node);
            Await(status.Node);
            _nodes[status.Node] = status;
            return;
        }
        var moment = status.SilentMilliseconds is { } silent ? _health.Before(asked, TimeSpan.FromMilliseconds(silent)) : asked;
        if (_sources.GetValueOrDefault(status.Node) is not RouteSource known || known.Link != link)
        {
            _sources[status.Node] = new RouteSource(link, new LinkSource(status.Node, link, behind));
            _health.Connected(status.Node, moment);
            Found?.Invoke(status.Node, link, LinkSource.PathOf(status.Node, behind));
        }
        _nodes[status.Node] = status;
        _health.Seen(status.Node, moment);
    }

    private void Remember(string node)
    {
        try
        {
            _roster?.Add(node);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            _log.LogWarning("{Node} cannot be written down, and will not be missed after the next start until it dials in: {Reason}", node, error.Message);
        }
    }

    private void Lost(LinkedNode link, string node)
    {
        // A newer link may have taken over meanwhile.
        if (_sources.GetValueOrDefault(node) is RouteSource route && route.Link == link && _sources.TryRemove(new(node, route)))
        {
            _health.Disconnected(node);
            _nodes.AddOrUpdate(node, new NodeStatus(node, false, null), (_, s) => s with { Connected = false });
        }
    }

    private sealed record RouteSource(LinkedNode Link, IDataSource Source) : IDataSource
    {
        public string Node => Source.Node;
        public Task<FetchResult> FetchAsync(FetchRequest request, CancellationToken cancel) => Source.FetchAsync(request, cancel);
    }
}

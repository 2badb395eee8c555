using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Foretier.Archive.Stores;
using Foretier.Core.Samples;
using Foretier.Node.Hosting;
using Foretier.Node.Link;

namespace Foretier.Router.Releases;

/// <summary>What is told to boxes, and what they ask for.</summary>
internal sealed record BoxDuties<TOrders, TReport>
    where TReport : class
{
    /// <summary>Where boxes take orders, below <c>internal/v1/</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Orders for a box; its last report is null before the first: then there can be none, since rollouts go by what boxes are called.</summary>
    public required Func<string, TReport?, TOrders> Orders { get; init; }

    /// <summary>The next part of a file that a box asks for; null: none.</summary>
    public required Func<TReport, BoxPart?> Need { get; init; }

    /// <summary>Whether it is to be asked again soon.</summary>
    public required Func<TReport, bool> IsBusy { get; init; }

    /// <summary>Completes when there are other orders than before it was taken.</summary>
    public required Func<Task> Changed { get; init; }

    /// <summary>Called with each report.</summary>
    public Action<string, TReport>? Heard { get; init; }
}

/// <param name="Path">Where it goes, below the orders' path.</param>
/// <param name="ContentType">Of what is read: application/gzip where it is compressed for the way.</param>
internal sealed record BoxPart(string Path, Func<CancellationToken, Task<byte[]>> ReadAsync, string ContentType = "application/octet-stream");

/// <summary>
/// Tells every box, over its link, what is wanted of it, brings it the parts of files that it asks for, and keeps what it says. A box asks by what
/// it has: after a broken link it goes on where it was.
/// </summary>
internal sealed class BoxFollower<TOrders, TReport>
    where TReport : class
{
    /// <summary>How often a box is asked how it stands; while it is about something that takes seconds more often.</summary>
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(15), WhileBusy = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private readonly CatalogFollower _nodes;
    private readonly BoxDuties<TOrders, TReport> _duties;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly ConcurrentDictionary<string, (TReport Report, long At)> _heard = new();

    public BoxFollower(CatalogFollower nodes, BoxDuties<TOrders, TReport> duties, TimeProvider clock, ILogger log)
    {
        (_nodes, _duties, _clock, _log) = (nodes, duties, clock, log);
        nodes.Found += (node, link, path) => _ = FollowAsync(node, link, $"{path}internal/v1/{duties.Path}");
    }

    /// <summary>Every box that was heard of since the start, by name.</summary>
    public IReadOnlyList<HeardBox<TReport>> Boxes
    {
        get
        {
            var connected = _nodes.Nodes.Where(node => node.Connected).Select(node => node.Node).ToHashSet();
            return [.. _heard.OrderBy(one => one.Key, StringComparer.Ordinal).Select(one => new HeardBox<TReport>(one.Key, connected.Contains(one.Key), one.Value.At, one.Value.Report))];
        }
    }

    private async Task FollowAsync(string node, LinkedNode link, string path)
    {
        while (!link.Ended.IsCancellationRequested)
        {
            try
            {
                var changed = _duties.Changed();
                if (await TellAsync(node, link, path).ConfigureAwait(false) is not { } report)
                {
                    // A node that is no such box.
                    return;
                }
                while (!changed.IsCompleted && _duties.Need(report) is { } need)
                {
                    report = await BringAsync(node, link, path, need).ConfigureAwait(false);
                }
                using var wait = CancellationTokenSource.CreateLinkedTokenSource(link.Ended);
                wait.CancelAfter(_duties.IsBusy(report) ? WhileBusy : Every);
                await changed.WaitAsync(wait.Token).ConfigureAwait(false);
            }
            catch (Exception error) when (error is HttpRequestException or IOException or JsonException or OperationCanceledException or ArchiveException)
            {
                if (link.Ended.IsCancellationRequested)
                {
                    return;
                }
                if (error is not OperationCanceledException)
                {
                    _log.LogDebug("{Node} cannot be told of its {What} now: {Reason}", node, _duties.Path, error.Message);
                    await Task.Delay(RetryAfter, CancellationToken.None).ConfigureAwait(false);
                }
            }
        }
    }

    /// <summary>Null where the node takes no such orders.</summary>
    private async Task<TReport?> TellAsync(string node, LinkedNode link, string path)
    {
        var before = _heard.TryGetValue(node, out var heard) ? heard.Report : null;
        using var response = await SendAsync(link, HttpMethod.Post, path, JsonContent.Create(_duties.Orders(node, before), options: NodeJson.Options)).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }
        var report = await ReadAsync(node, response, link).ConfigureAwait(false);
        return before is null ? await TellAsync(node, link, path).ConfigureAwait(false) : report;
    }

    private async Task<TReport> BringAsync(string node, LinkedNode link, string path, BoxPart need)
    {
        var content = new ByteArrayContent(await need.ReadAsync(link.Ended).ConfigureAwait(false));
        content.Headers.ContentType = new MediaTypeHeaderValue(need.ContentType);
        using var response = await SendAsync(link, HttpMethod.Put, $"{path}/{need.Path}", content).ConfigureAwait(false);
        return await ReadAsync(node, response, link).ConfigureAwait(false);
    }

    private static async Task<HttpResponseMessage> SendAsync(LinkedNode link, HttpMethod method, string path, HttpContent content)
    {
        using var request = link.Request(method, path, content);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(link.Ended);
        timeout.CancelAfter(Deadline);
        return await link.Http.SendAsync(request, timeout.Token).ConfigureAwait(false);
    }

    private async Task<TReport> ReadAsync(string node, HttpResponseMessage response, LinkedNode link)
    {
        response.EnsureSuccessStatusCode();
        var report = await response.Content.ReadFromJsonAsync<TReport>(NodeJson.Strict, link.Ended).ConfigureAwait(false) ?? throw new JsonException("an empty report");
        _heard[node] = (report, Instant.Now(_clock));
        _duties.Heard?.Invoke(node, report);
        return report;
    }
}

/// <param name="At">When it said so, µs.</param>
internal sealed record HeardBox<TReport>(string Node, bool Connected, long At, TReport Report);

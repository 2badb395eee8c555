using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Foretier.Archive.Stores;
using Foretier.Core.Samples;
using Foretier.Node.Hosting;
using Foretier.Node.Link;
using Foretier.Protocol.Api;
using Foretier.Protocol.Models;

namespace Foretier.Router.Models;

/// <summary>
/// Tells every box, over its link, what is wanted of its models, brings it the parts of files that it asks for, and keeps what it says. A box asks by what
/// it has: after a broken link it goes on where it was.
/// </summary>
internal sealed class ModelFollower
{
    /// <summary>How often a box is asked how it stands; while it tests a model more often, since that takes seconds.</summary>
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(15), WhileTesting = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private readonly CatalogFollower _nodes;
    private readonly ModelRegistry _registry;
    private readonly TimeProvider _clock;
    private readonly ILogger<ModelFollower> _log;
    private readonly ConcurrentDictionary<string, (ModelReport Report, long At)> _heard = new();

    public ModelFollower(CatalogFollower nodes, ModelRegistry registry, TimeProvider clock, ILogger<ModelFollower> log)
    {
        (_nodes, _registry, _clock, _log) = (nodes, registry, clock, log);
        nodes.Found += (node, link, path) => _ = FollowAsync(node, link, path);
    }

    /// <summary>How every box stands that was heard of since the start.</summary>
    public IReadOnlyList<BoxModels> Boxes => [.. _heard.OrderBy(one => one.Key, StringComparer.Ordinal).Select(one =>
        new BoxModels(one.Key, _nodes.Nodes.Any(node => node.Node == one.Key && node.Connected), new(one.Value.At), one.Value.Report.Labels, one.Value.Report.Models))];

    private async Task FollowAsync(string node, LinkedNode link, string path)
    {
        while (!link.Ended.IsCancellationRequested)
        {
            try
            {
                var known = _registry.Models;
                if (await TellAsync(node, link, path, known).ConfigureAwait(false) is not { } report)
                {
                    // A node that runs no models of its own.
                    return;
                }
                _heard[node] = (report, Instant.Now(_clock));
                while (report.Need is { } need)
                {
                    report = await BringAsync(link, path, need).ConfigureAwait(false);
                    _heard[node] = (report, Instant.Now(_clock));
                }
                using var wait = CancellationTokenSource.CreateLinkedTokenSource(link.Ended);
                wait.CancelAfter(report.Models.Any(model => model.Trial?.Phase == TrialPhase.Testing) ? WhileTesting : Every);
                await _registry.WaitForChangeAsync(known, wait.Token).ConfigureAwait(false);
            }
            catch (Exception error) when (error is HttpRequestException or IOException or JsonException or OperationCanceledException or ArchiveException)
            {
                if (link.Ended.IsCancellationRequested)
                {
                    return;
                }
                if (error is not OperationCanceledException)
                {
                    _log.LogDebug("{Node} cannot be told of its models now: {Reason}", node, error.Message);
                    await Task.Delay(RetryAfter, CancellationToken.None).ConfigureAwait(false);
                }
            }
        }
    }

    /// <summary>Null where the node knows of no models.</summary>
    private async Task<ModelReport?> TellAsync(string node, LinkedNode link, string path, IReadOnlyList<RegisteredModel> models)
    {
        var labels = _heard.TryGetValue(node, out var before) ? before.Report.Labels : null;
        // What it is called comes first: rollouts go by it.
        var orders = labels is null ? [] : models.Select(model => model.OrderFor(node, labels)).OfType<ModelOrder>().ToList();
        using var response = await SendAsync(link, HttpMethod.Post, $"{path}internal/v1/models", JsonContent.Create(new ModelOrders(orders), options: NodeJson.Options)).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }
        var report = await ReadAsync(response, link).ConfigureAwait(false);
        if (labels is null)
        {
            _heard[node] = (report, Instant.Now(_clock));
            return await TellAsync(node, link, path, models).ConfigureAwait(false);
        }
        return report;
    }

    private async Task<ModelReport> BringAsync(LinkedNode link, string path, ModelNeed need)
    {
        var part = await _registry.ReadAsync(need, link.Ended).ConfigureAwait(false);
        var content = new ByteArrayContent(part);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        using var response = await SendAsync(link, HttpMethod.Put,
            string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{path}internal/v1/models/{need.Id}/{need.Version}/{need.File}?offset={need.Offset}"), content).ConfigureAwait(false);
        return await ReadAsync(response, link).ConfigureAwait(false);
    }

    private static async Task<HttpResponseMessage> SendAsync(LinkedNode link, HttpMethod method, string path, HttpContent content)
    {
        using var request = link.Request(method, path, content);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(link.Ended);
        timeout.CancelAfter(Deadline);
        return await link.Http.SendAsync(request, timeout.Token).ConfigureAwait(false);
    }

    private static async Task<ModelReport> ReadAsync(HttpResponseMessage response, LinkedNode link)
    {
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync<ModelReport>(NodeJson.Strict, link.Ended).ConfigureAwait(false) ?? throw new JsonException("an empty report");
    }
}

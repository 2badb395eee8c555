using System.Net;
using System.Text.Json;
using Foretier.Core.Partitions;
using Foretier.Node.Hosting;
using Foretier.Node.Link;
using Microsoft.Extensions.Logging;

namespace Foretier.Node.Map;

/// <summary>Takes in what edges change in their maps, over the links, and keeps it in the store.</summary>
public sealed class MapFollower
{
    /// <summary>
    /// Maps that this process takes in at once, of those that have arrived. Each takes fifty times its bytes meanwhile, and after a start every edge of a fleet sends its own.
    /// </summary>
    private static readonly SemaphoreSlim Taking = new(8);

    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);

    private readonly PartitionMapStore _store;
    private readonly TimeProvider _clock;
    private readonly ILogger<MapFollower> _log;

    public MapFollower(CatalogFollower nodes, PartitionMapStore store, TimeProvider clock, ILogger<MapFollower> log)
    {
        _store = store;
        _clock = clock;
        _log = log;
        nodes.Found += (node, link, path) => _ = FollowAsync(node, link, path);
    }

    private async Task FollowAsync(string node, LinkedNode link, string path)
    {
        var since = -1L;
        while (!link.Ended.IsCancellationRequested)
        {
            try
            {
                if (since < 0)
                {
                    await _store.ReadyAsync(link.Ended).ConfigureAwait(false);
                    since = _store.RevisionOf(node);
                }
                // (Agents of before know of no packed ones, and answer as they did.)
                using var response = await link.Http.GetAsync($"{path}internal/v1/map?since={since}&packed=true", link.Ended).ConfigureAwait(false);
                if (response.StatusCode == HttpStatusCode.NotFound)
                {
                    // A node without a map of its own.
                    return;
                }
                response.EnsureSuccessStatusCode();
                (var put, since) = await TakeAsync(node, response, link.Ended).ConfigureAwait(false);
                if (put == MapPut.Foreign)
                {
                    _log.LogWarning("{Node} sent map entries of other edges, or without names; its map is not followed", node);
                    return;
                }
            }
            catch (Exception error) when (error is HttpRequestException or IOException or InvalidDataException or JsonException or OperationCanceledException)
            {
                if (link.Ended.IsCancellationRequested)
                {
                    return;
                }
                // The node is behind a link of its own, which may be down for a while; or our store cannot be written. The map is a hint: trying on is enough.
                _log.LogDebug("The map of {Node} cannot be followed now: {Reason}", node, error.Message);
                await Task.Delay(RetryAfter, _clock, CancellationToken.None).ConfigureAwait(false);
            }
        }
    }

    /// <param name="response">Read, not taken apart yet.</param>
    /// <returns>What became of it, and after which revision to ask on.</returns>
    private async Task<(MapPut Put, long Since)> TakeAsync(string node, HttpResponseMessage response, CancellationToken ended)
    {
        await Taking.WaitAsync(ended).ConfigureAwait(false);
        try
        {
            var update = await PackedJson.ReadAsync<PartitionMapUpdate>(response.Content, NodeJson.Strict, ended).ConfigureAwait(false);
            var put = await _store.PutAsync(node, update, ended).ConfigureAwait(false);
            Intake.OfThisProcess.Took(update.Entries.Count + update.Groups.Sum(group => group?.Series.Count ?? 0));
            return (put, put == MapPut.NeedWhole ? 0 : update.Revision);
        }
        finally
        {
            Taking.Release();
        }
    }
}

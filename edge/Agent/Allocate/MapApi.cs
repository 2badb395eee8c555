using Foretier.Node.Hosting;
using Foretier.Node.Map;

namespace Foretier.Agent.Allocate;

/// <summary>The edge's map for the node above, as it changes, and for users.</summary>
public static class MapApi
{
    private static readonly TimeSpan PollMax = TimeSpan.FromSeconds(20);

    /// <summary>GET map?since=REV[&amp;packed=true]: answers when the map is another than REV, at the latest after twenty seconds; as JSON, or that packed.</summary>
    public static void MapUpdates(this RouteGroupBuilder inner, MapRefresh map)
    {
        inner.MapGet("/map", async (long since, bool? packed, IHostApplicationLifetime lifetime, CancellationToken cancel) =>
        {
            using var wait = CancellationTokenSource.CreateLinkedTokenSource(cancel, lifetime.ApplicationStopping);
            wait.CancelAfter(PollMax);
            try
            {
                await map.WaitForChangeAsync(since, wait.Token);
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                // No news within the poll.
            }
            var changes = map.ChangesSince(since);
            return packed == true ? Results.Bytes(PackedJson.Pack(changes), PackedJson.MediaType) : Results.Json(changes, NodeJson.Options);
        });
    }
}

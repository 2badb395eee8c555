using Foretier.Node.Hosting;

namespace Foretier.Agent.Allocate;

/// <summary>The edge's map for the node above, as it changes, and for users.</summary>
public static class MapApi
{
    private static readonly TimeSpan PollMax = TimeSpan.FromSeconds(20);

    /// <summary>GET map?since=REV: answers when the map is another than REV, at the latest after twenty seconds.</summary>
    public static void MapUpdates(this RouteGroupBuilder inner, MapRefresh map)
    {
        inner.MapGet("/map", async (long since, IHostApplicationLifetime lifetime, CancellationToken cancel) =>
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
            return Results.Json(map.ChangesSince(since), NodeJson.Options);
        });
    }
}

using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Foretier.Node.Hosting;

/// <summary>
/// The threads that poll sockets go on, on an agent, with what they have read: so many messages fit a core. A request may stay on one as long as some messages
/// take, and not longer, for all its other connections wait. Elsewhere they hand over at once, and nothing is to be done.
/// </summary>
public static class SocketThread
{
    /// <summary>The endpoint is brief, or leaves by itself (<see cref="LeaveAsync"/>) before it does what may take longer.</summary>
    public static RouteHandlerBuilder Brief(this RouteHandlerBuilder endpoint) => endpoint.WithMetadata(new BriefMark());

    /// <summary>All requests but those of brief endpoints leave before they begin.</summary>
    public static void LeaveSocketThreads(this WebApplication app) => app.Use((http, next) =>
        Thread.CurrentThread.IsThreadPoolThread || http.GetEndpoint()?.Metadata.GetMetadata<BriefMark>() is not null ? next(http) : LaterAsync(http, next));

    /// <summary>Goes on on a thread of the pool.</summary>
    public static async ValueTask LeaveAsync()
    {
        if (!Thread.CurrentThread.IsThreadPoolThread)
        {
            await Task.Yield();
        }
    }

    private static async Task LaterAsync(HttpContext http, RequestDelegate next)
    {
        await Task.Yield();
        await next(http).ConfigureAwait(false);
    }

    private sealed class BriefMark;
}

using Foretier.Node.Keys;
using Microsoft.AspNetCore.Routing;

namespace Foretier.Node.Prometheus;

/// <summary>Both ways in which Prometheus and its friends ask: <c>/api/v1/prometheus/read</c> and <c>/prometheus/api/v1/…</c>; the same keys as everywhere.</summary>
public static class PrometheusEndpoints
{
    public static void MapPrometheus(this IEndpointRouteBuilder app, RouteGroupBuilder api, PromSource source)
    {
        new RemoteReadApi(source).Map(api);
        new PromApi(source).Map(app.MapApi("/prometheus/api/v1"));
    }
}

using Foretier.Node.Serve;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Foretier.Node.Hosting;

/// <summary>
/// Traces and metrics to a collector of the operator's own, by OpenTelemetry's own settings (OTEL_EXPORTER_OTLP_ENDPOINT, …_PROTOCOL, …_HEADERS).
/// Without an endpoint nothing of it is started, and nothing is ever sent.
/// </summary>
/// <remarks>A question is one trace over all nodes: its plan and fetches are spans of <c>Foretier</c>, and links pass the trace on as HTTP does, where
/// every node on the way has an endpoint.</remarks>
internal static class Telemetry
{
    public static void AddTelemetry(this WebApplicationBuilder builder, string node, string version)
    {
        if (string.IsNullOrWhiteSpace(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
        {
            return;
        }
        builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService("foretier", serviceVersion: version, autoGenerateServiceInstanceId: false, serviceInstanceId: node))
            .WithTracing(traces => traces.AddSource(NodeMetrics.Name).AddAspNetCoreInstrumentation().AddHttpClientInstrumentation())
            .WithMetrics(metrics => metrics.AddMeter(NodeMetrics.Name))
            .UseOtlpExporter();
    }
}

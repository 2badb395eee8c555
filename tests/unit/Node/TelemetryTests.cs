using System.Text;
using Foretier.Core.Samples;
using Foretier.Node.Keys;
using Foretier.Node.Serve;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Foretier.Tests.Unit.Node;

public class TelemetryTests
{
    [Fact]
    public async Task A_question_is_traced_down_to_its_fetches_where_the_operator_has_a_collector()
    {
        var got = new Dictionary<string, string>();
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var collector = builder.Build();
        collector.MapPost("/v1/{kind}", async (HttpRequest request, string kind) =>
        {
            using var body = new MemoryStream();
            await request.Body.CopyToAsync(body);
            lock (got)
            {
                got[kind] = got.GetValueOrDefault(kind) + Encoding.Latin1.GetString(body.ToArray());
            }
        });
        await collector.StartAsync();
        var address = collector.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        await using var node = await TestNode.StartAsync(
            n =>
            {
                new NodeMetrics("n", TimeProvider.System).Map(n.App);
                new QueryApi(n.Answerer, n.Catalog, TimeProvider.System).Map(n.App.MapApi());
            },
            settings: ["--OTEL_EXPORTER_OTLP_ENDPOINT", address, "--OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"]);
        node.ComeAs("k", isAdmin: true);
        var samples = new SampleColumns();
        samples.Add(1_489_017_600 * Instant.Second, 1);
        node.Source.Put("acme/d1/t", samples);
        (await node.Http.GetAsync(new Uri("/api/v1/query?series=acme/d1/t&from=2017-03-09&to=2017-03-10&fn=raw", UriKind.Relative))).EnsureSuccessStatusCode();
        node.App.Services.GetRequiredService<TracerProvider>().ForceFlush();
        node.App.Services.GetRequiredService<MeterProvider>().ForceFlush();
        lock (got)
        {
            Assert.Contains("foretier.node", got["traces"], StringComparison.Ordinal);
            Assert.Contains("/api/v1/query", got["traces"], StringComparison.Ordinal);
            Assert.Contains("foretier.queries", got["metrics"], StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Without_a_collector_there_is_nothing_that_could_send()
    {
        await using var node = await TestNode.StartAsync(_ => { });
        Assert.Null(node.App.Services.GetService<TracerProvider>());
        Assert.Null(node.App.Services.GetService<MeterProvider>());
    }
}

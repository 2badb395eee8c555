using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Foretier.Gateway.Receive;
using Foretier.Node.Hosting;
using Foretier.Protocol.Shipping;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using static Foretier.Tests.Unit.Gateway.WarmBed;

namespace Foretier.Tests.Unit.Gateway;

/// <summary>What an edge sees: a real server on loopback over a real store.</summary>
public sealed class ReceiveApiTests : IAsyncLifetime
{
    private const int BatchBytesMax = 1 << 20;
    private WarmBed _bed = null!;
    private WebApplication _app = null!;
    private HttpClient _http = null!;

    public async Task InitializeAsync()
    {
        _bed = await WarmBed.OpenAsync();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.ConfigureHttpJsonOptions(json => NodeJson.Configure(json.SerializerOptions));
        _app = builder.Build();
        _app.Urls.Add("http://127.0.0.1:0");
        _app.MapGroup("/internal/v1").MapReceive(_bed.Store, BatchBytesMax);
        await _app.StartAsync();
        var address = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        _http = new() { BaseAddress = new Uri(address + "/internal/v1/") };
    }

    public async Task DisposeAsync()
    {
        _http.Dispose();
        await _app.DisposeAsync();
        await _bed.DisposeAsync();
    }

    private async Task<(HttpStatusCode Status, JsonElement Body)> PutAsync(byte[] bytes, string range, string? digest = null, string edge = Edge, string? window = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, $"edges/{edge}/windows/{window ?? Day.ToString()}/batches/{range}") { Content = new ByteArrayContent(bytes) };
        request.Content.Headers.Add("Content-Digest", digest ?? "sha-256=" + ShipBatch.DigestOf(bytes));
        using var response = await _http.SendAsync(request);
        return (response.StatusCode, await response.Content.ReadFromJsonAsync<JsonElement>());
    }

    [Fact]
    public async Task Batch_is_acknowledged_and_again_when_it_is_sent_again()
    {
        var bytes = Batch(0, 3, (1, 10), (2, 20)).ToBytes();

        var first = await PutAsync(bytes, "0-3");
        var second = await PutAsync(bytes, "0-3");

        Assert.Equal(HttpStatusCode.OK, first.Status);
        Assert.Equal(new ShipReceipt(3, 2, 0), first.Body.Deserialize<ShipReceipt>(JsonSerializerOptions.Web));
        Assert.Equal(new ShipReceipt(3, 0, 0), second.Body.Deserialize<ShipReceipt>(JsonSerializerOptions.Web));
        Assert.Equal($$"""[{"window":"{{Day}}","through":3}]""", await _http.GetStringAsync(new Uri("edges/edge-1/windows", UriKind.Relative)));
        Assert.Equal("[]", await _http.GetStringAsync(new Uri("edges/edge-2/windows", UriKind.Relative)));
    }

    [Fact]
    public async Task Gap_is_a_conflict_that_names_the_flush_to_go_on_from()
    {
        await PutAsync(Batch(0, 3, (1, 10)).ToBytes(), "0-3");

        var (status, body) = await PutAsync(Batch(4, 5, (2, 20)).ToBytes(), "4-5");

        Assert.Equal((HttpStatusCode.Conflict, "gap", 3), (status, body.GetProperty("code").GetString(), body.GetProperty("through").GetInt64()));
    }

    [Theory]
    [InlineData("sha-256=0000", HttpStatusCode.UnprocessableEntity, "digest_mismatch")]
    [InlineData("md5=0000", HttpStatusCode.BadRequest, "digest_missing")]
    public async Task Batch_without_its_digest_is_refused(string digest, HttpStatusCode status, string code)
    {
        var answer = await PutAsync(Batch(0, 1, (1, 10)).ToBytes(), "0-1", digest);

        Assert.Equal((status, code), (answer.Status, answer.Body.GetProperty("code").GetString()));
        Assert.False(File.Exists(_bed.FileOf(0)));
    }

    [Theory]
    [InlineData("..", "20170309T000000Z-24h", "0-1")]
    [InlineData("%2E%2E", "20170309T000000Z-24h", "0-1")]
    [InlineData(".hidden", "20170309T000000Z-24h", "0-1")]
    [InlineData("edge-1", "today", "0-1")]
    [InlineData("edge-1", "20170309T000000Z-24h", "1-1")]
    [InlineData("edge-1", "20170309T000000Z-24h", "-1-1")]
    public async Task Address_that_names_no_batch_is_refused(string edge, string window, string range)
    {
        using var content = new ByteArrayContent(Batch(0, 1, (1, 10)).ToBytes());
        using var response = await _http.PutAsync(new Uri($"edges/{edge}/windows/{window}/batches/{range}", UriKind.Relative), content);

        Assert.Contains(response.StatusCode, new[] { HttpStatusCode.BadRequest, HttpStatusCode.NotFound });
        Assert.Empty(Directory.GetFiles(_bed.Folder, "*.warm", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Bytes_that_are_no_batch_and_too_many_of_them_are_refused()
    {
        var noBatch = await PutAsync([1, 2, 3], "0-1");
        Assert.Equal((HttpStatusCode.UnprocessableEntity, "bad_batch"), (noBatch.Status, noBatch.Body.GetProperty("code").GetString()));

        var tooLarge = await PutAsync(new byte[BatchBytesMax + 1], "0-1");
        Assert.Equal((HttpStatusCode.RequestEntityTooLarge, "batch_too_large"), (tooLarge.Status, tooLarge.Body.GetProperty("code").GetString()));
        Assert.Equal(1, _bed.BalancedLedger().Rejected);
    }

    [Fact]
    public async Task Disk_that_refuses_is_an_answer_to_try_again_and_keeps_what_is_held()
    {
        await PutAsync(Batch(0, 1, (1, 10)).ToBytes(), "0-1");
        // A folder where the next window's file should be: the append fails.
        var other = Day with { Start = Day.Start + Day.Length };
        Directory.CreateDirectory(Path.Combine(_bed.Folder, "edges", Edge, $"{other}.0.warm"));
        var batch = new ShipBatch(other, 0, 1, []).ToBytes();

        var (status, body) = await PutAsync(batch, "0-1", window: other.ToString());
        Directory.Delete(Path.Combine(_bed.Folder, "edges", Edge, $"{other}.0.warm"));

        Assert.Equal((HttpStatusCode.ServiceUnavailable, "storage_unavailable"), (status, body.GetProperty("code").GetString()));
        Assert.Equal(HttpStatusCode.OK, (await PutAsync(batch, "0-1", window: other.ToString())).Status);
        Assert.Equal("1=10", await _bed.ReadAsync(0, 1));
        _bed.BalancedLedger();
    }
}

using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Foretier.Agent.Ingest.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Foretier.Tests.Unit.Ingest;

public sealed class InfluxApiTests : IAsyncLifetime
{
    /// <summary>As Telegraf's influx serializer writes a system's first metrics, its config's default tags included.</summary>
    private const string Telegraf = """
        cpu,cpu=cpu-total,host=boiler-1 usage_user=1.5,usage_idle=97.25 1489017377000000000
        mem,host=boiler-1 used_percent=41.2,total=1034444800i,swap_cached=0u 1489017377000000000
        disk,device=sda1,fstype=ext4,host=boiler-1,mode=rw,path=/ used=12i,inodes_free=9i 1489017377000000000
        system,host=boiler-1 uptime_format="3 days, 1:23",up=true 1489017377000000000

        """;

    private MqttFixture _agent = null!;
    private WebApplication _app = null!;
    private InfluxApi _api = null!;
    private HttpClient _http = null!;

    public async Task InitializeAsync()
    {
        _agent = await MqttFixture.StartAsync(o => o with { FailedLoginsBurst = 3 });
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        _app = builder.Build();
        _api = new InfluxApi(new() { BodyBytesMax = 64 * 1024 }, _agent.Ingest.Intake, _agent.Ingest.LogIns);
        _api.Map(_app);
        await _app.StartAsync();
        _http = new() { BaseAddress = new(_app.Urls.First()) };
        _http.DefaultRequestHeaders.UserAgent.ParseAdd("Telegraf/1.29.1 Go/1.21.5");
    }

    public async Task DisposeAsync()
    {
        _http.Dispose();
        await _app.DisposeAsync();
        _api.Dispose();
        await _agent.DisposeAsync();
    }

    [Fact]
    public async Task Telegrafs_version_2_output_is_stored_before_it_is_answered()
    {
        using var content = new ByteArrayContent(Gzip(Telegraf));
        content.Headers.ContentType = new("text/plain") { CharSet = "utf-8" };
        content.Headers.ContentEncoding.Add("gzip");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v2/write?bucket=telegraf&org=plant&precision=ns") { Content = content };
        request.Headers.TryAddWithoutValidation("Authorization", $"Token acme/boiler-1:{_agent.Secret}");
        using var response = await _http.SendAsync(request);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.Equal(
            [
                "acme/boiler-1/cpu.usage_idle@cpu:cpu-total", "acme/boiler-1/cpu.usage_user@cpu:cpu-total",
                "acme/boiler-1/disk.inodes_free@device:sda1@fstype:ext4@mode:rw@path:%2F",
                "acme/boiler-1/disk.used@device:sda1@fstype:ext4@mode:rw@path:%2F",
                "acme/boiler-1/mem.swap_cached", "acme/boiler-1/mem.total", "acme/boiler-1/mem.used_percent",
                "acme/boiler-1/system.up", "acme/boiler-1/system.uptime_format",
            ], Series());
        Assert.Equal(9, _agent.Store.Ledger.Accepted);
    }

    [Fact]
    public async Task Telegrafs_version_1_output_is_taken_with_basic_and_with_parameters()
    {
        var basic = Convert.ToBase64String(Encoding.UTF8.GetBytes($"acme/boiler-1:{_agent.Secret}"));
        Assert.Equal(HttpStatusCode.NoContent, (await WriteAsync("/write?db=telegraf&precision=s&consistency=any", "m f=1 1489017377", new("Basic", basic))).Status);
        Assert.Equal(HttpStatusCode.NoContent, (await WriteAsync($"/write?db=x&u=acme/boiler-1&p={_agent.Secret}", "m f=2 1489017378000000000", null)).Status);
        Assert.Equal(2, _agent.Store.Ledger.Accepted);
    }

    [Fact]
    public async Task A_concentrators_lines_are_of_the_device_in_their_tags()
    {
        var token = new AuthenticationHeaderValue("Token", $"acme/*:{_agent.ConcentratorSecret}");
        Assert.Equal(HttpStatusCode.NoContent, (await WriteAsync("/write", "m,host=a f=1\nm,device=b,host=a f=2\nm,device=c f=4\nm,host=Büro\\ 2 f=3", token)).Status);
        Assert.Equal(["acme/B%C3%BCro%202/m.f", "acme/a/m.f", "acme/a/m.f@device:b", "acme/c/m.f"], Series());
        var (status, answer) = await WriteAsync("/write", "m f=1", token);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("'host' or 'device'", answer.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Good_lines_are_stored_and_bad_ones_named()
    {
        var (status, answer) = await WriteAsync("/write", "m f=1 1489017377\nm f=\"a\nb\"\nm f=oops\nm g=1,g=2\nm f=3 1489017379\n", Token);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.StartsWith("partial write: unable to parse line 4: 'oops'", answer.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal((3, 2), (answer.GetProperty("accepted").GetInt32(), answer.GetProperty("refused").GetInt32()));
        Assert.Equal([4, 5], answer.GetProperty("lines").EnumerateArray().Select(l => l.GetProperty("line").GetInt32()));
        Assert.Equal(3, _agent.Store.Ledger.Accepted);
        Assert.Equal(3, _agent.Rejected("bad_payload"));
    }

    [Fact]
    public async Task Nothing_good_is_unable_to_parse()
    {
        var (status, answer) = await WriteAsync("/write", "oops", Token);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.StartsWith("unable to parse line 1", answer.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal("invalid", answer.GetProperty("code").GetString());
    }

    [Fact]
    public async Task Who_is_not_known_writes_nothing()
    {
        Assert.Equal(HttpStatusCode.Unauthorized, (await WriteAsync("/write", "m f=1", null)).Status);
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(HttpStatusCode.Unauthorized, (await WriteAsync("/write", "m f=1", new("Token", "acme/nobody:wrong"))).Status);
        }
        Assert.Equal(HttpStatusCode.TooManyRequests, (await WriteAsync("/write", "m f=1", new("Token", "acme/nobody:wrong"))).Status);
        Assert.Equal(0, _agent.Store.Ledger.Accepted);
    }

    [Fact]
    public async Task Bodies_have_a_limit_packed_or_not()
    {
        var lines = string.Concat(Enumerable.Repeat("m f=1 1489017377000000000\n", 4_000));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await WriteAsync("/write", lines, Token)).Status);
        using var content = new ByteArrayContent(Gzip(lines));
        content.Headers.ContentEncoding.Add("gzip");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/write") { Content = content, Headers = { Authorization = Token } };
        using var response = await _http.SendAsync(request);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Equal(0, _agent.Store.Ledger.Accepted);
    }

    [Theory]
    [InlineData("/write?precision=x", "precision")]
    [InlineData("/write?presicion=ns", "presicion")]
    public async Task A_wrong_parameter_is_named(string address, string says)
    {
        var (status, answer) = await WriteAsync(address, "m f=1", Token);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains(says, answer.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Clients_find_out_that_it_is_there()
    {
        using var ping = await _http.GetAsync(new Uri("/ping", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NoContent, ping.StatusCode);
        Assert.NotEmpty(ping.Headers.GetValues("X-Influxdb-Version"));
        using var health = JsonDocument.Parse(await _http.GetStringAsync(new Uri("/health", UriKind.Relative)));
        Assert.Equal("pass", health.RootElement.GetProperty("status").GetString());
        using var create = await _http.PostAsync(new Uri("/query", UriKind.Relative),
            new FormUrlEncodedContent([new("q", "CREATE DATABASE \"telegraf\"")]));
        Assert.Equal(HttpStatusCode.OK, create.StatusCode);
    }

    [Fact]
    public async Task What_cannot_be_made_durable_is_503_with_a_time_to_come_back_and_no_204()
    {
        _agent.Disk.Fail();
        // The first finds out, the second is told at once; the client keeps both.
        for (var i = 0; i < 2; i++)
        {
            using var content = new StringContent("m f=1 1489017377", Encoding.UTF8, "text/plain");
            using var request = new HttpRequestMessage(HttpMethod.Post, "/write") { Content = content, Headers = { Authorization = Token } };
            using var response = await _http.SendAsync(request);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
            Assert.True(response.Headers.RetryAfter?.Delta > TimeSpan.Zero);
            Assert.Contains("send again later", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
        using var health = await _http.GetAsync(new Uri("/health", UriKind.Relative));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, health.StatusCode);
    }

    [Fact]
    public async Task Who_is_revoked_while_its_body_is_on_the_way_writes_nothing()
    {
        using var tcp = new System.Net.Sockets.TcpClient();
        await tcp.ConnectAsync(IPAddress.Loopback, _http.BaseAddress!.Port);
        using var reader = new StreamReader(tcp.GetStream());
        await tcp.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /write HTTP/1.1\r\nHost: x\r\nAuthorization: {Token}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
        // The server asks for the body: by then it has let the sender in.
        Assert.Equal("HTTP/1.1 100 Continue", await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30)));
        await reader.ReadLineAsync();
        _agent.Devices.Revoke(new("acme", "boiler-1"));
        await tcp.GetStream().WriteAsync("m f=1"u8.ToArray());
        Assert.Equal("HTTP/1.1 401 Unauthorized", await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal(0, _agent.Store.Ledger.Received);
    }

    [Fact]
    public async Task Without_credentials_lines_are_taken_where_an_operator_said_so_and_bad_credentials_still_are_not()
    {
        await using var open = await MqttFixture.StartAsync(identity: new() { AnonymousAccount = "acme" });
        using var api = new InfluxApi(new(), open.Ingest.Intake, open.Ingest.LogIns);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        await using var app = builder.Build();
        api.Map(app);
        await app.StartAsync();
        using var http = new HttpClient { BaseAddress = new(app.Urls.First()) };
        foreach (var (authorization, status) in new[]
            { (null, HttpStatusCode.NoContent), ("Token acme/boiler-1:wrong", HttpStatusCode.Unauthorized), ("Basic %%%", HttpStatusCode.Unauthorized) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/write") { Content = new StringContent("m,host=a f=1 1489017377") };
            if (authorization is not null)
            {
                request.Headers.TryAddWithoutValidation("Authorization", authorization);
            }
            using var response = await http.SendAsync(request);
            Assert.Equal(status, response.StatusCode);
        }
        Assert.Equal(1, open.Store.Ledger.Accepted);
    }

    private AuthenticationHeaderValue Token => new("Token", $"acme/boiler-1:{_agent.Secret}");

    private IEnumerable<string> Series() => _agent.Catalog.View.Series.Select(s => s.Name).Order(StringComparer.Ordinal);

    private async Task<(HttpStatusCode Status, JsonElement Answer)> WriteAsync(string address, string lines, AuthenticationHeaderValue? authorization)
    {
        using var content = new StringContent(lines, Encoding.UTF8, "text/plain");
        using var request = new HttpRequestMessage(HttpMethod.Post, address) { Content = content, Headers = { Authorization = authorization } };
        using var response = await _http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return (response.StatusCode, text.Length == 0 ? default : JsonDocument.Parse(text).RootElement.Clone());
    }

    private static byte[] Gzip(string text)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
        {
            gzip.Write(Encoding.UTF8.GetBytes(text));
        }
        return packed.ToArray();
    }
}

using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Foretier.Cli;

namespace Foretier.Tests.Unit.Cli;

public sealed class CommandLineTests : IDisposable
{
    private readonly HttpListener _server = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-cli-").FullName;
    private readonly string _url;

    public CommandLineTests()
    {
        using var free = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        free.Start();
        _url = $"http://127.0.0.1:{((IPEndPoint)free.LocalEndpoint).Port}/";
        free.Stop();
        _server.Prefixes.Add(_url);
        _server.Start();
    }

    public void Dispose()
    {
        _server.Close();
        Directory.Delete(_folder, recursive: true);
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        var (output, error) = (new StringWriter(CultureInfo.InvariantCulture), new StringWriter(CultureInfo.InvariantCulture));
        var code = await CommandLine.RunAsync(arguments, output, error, TimeProvider.System, CancellationToken.None);
        return (code, output.ToString(), error.ToString());
    }

    /// <summary>Runs a command against a server that gives one answer; tells what was asked.</summary>
    private async Task<(int Code, string Output, string Error, string Asked)> AskAsync(int status, string body, params string[] arguments)
    {
        var asked = "";
        var serving = Task.Run(async () =>
        {
            var context = await _server.GetContextAsync();
            asked = $"{context.Request.HttpMethod} {context.Request.RawUrl} {context.Request.Headers["Authorization"]} {await new StreamReader(context.Request.InputStream).ReadToEndAsync()}".TrimEnd();
            context.Response.StatusCode = status;
            context.Response.ContentType = status < 300 ? "application/json" : "application/problem+json";
            await context.Response.OutputStream.WriteAsync(Encoding.UTF8.GetBytes(body));
            context.Response.Close();
        });
        var (code, output, error) = await RunAsync([.. arguments, "--url", _url, "--key", "k", "--data", _folder]);
        await serving.WaitAsync(TimeSpan.FromSeconds(60));
        return (code, output, error, asked);
    }

    private const string Answer = """
        {"results":[{"series":"acme/b/t","unit":"Cel","fn":"avg","points":[[1489017600000,21.4],[1489017600000.5,null],[1489021200000,"on"]]}],
        "meta":{"tiers":[{"tier":"ssd","node":"edge-1","from":"2017-03-09T00:00:00Z","to":1489021200000,"resolution":"1m","ms":0.8}],
        "exact":true,"partial":true,"missing":[{"from":1489017600000,"to":1489021200000}],"watermark":"2017-03-09T01:00:00Z","planRevision":7}}
        """;

    [Fact]
    public async Task A_query_is_sent_as_written_and_its_document_passed_on_untouched()
    {
        var (code, output, error, asked) = await AskAsync(200, Answer, "query", "acme/*/t", "--from", "-1h", "--to", "2017-03-09T00:00:00.000001Z", "--step", "1h", "--fn", "avg,max", "--json");
        Assert.Equal((ExitCode.Ok, Answer + Environment.NewLine, ""), (code, output, error));
        Assert.Equal("GET /api/v1/query?series=acme%2F%2A%2Ft&from=-1h&to=2017-03-09T00%3A00%3A00.000001Z&step=1h&fn=avg%2Cmax Bearer k", asked.Replace("*", "%2A", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_table_shows_points_and_where_they_came_from()
    {
        var (code, output, _, _) = await AskAsync(200, Answer, "query", "acme/b/t");
        Assert.Equal(ExitCode.Ok, code);
        Assert.Contains("2017-03-09T00:00:00Z", output, StringComparison.Ordinal);
        Assert.Contains("2017-03-09T00:00:00.000500Z", output, StringComparison.Ordinal);
        Assert.Contains("21.4", output, StringComparison.Ordinal);
        Assert.Contains("\"on\"", output, StringComparison.Ordinal);
        Assert.Contains("from ssd@edge-1 1m 0.8 ms · exact · PARTIAL (missing 2017-03-09T00:00:00Z..2017-03-09T01:00:00Z) · complete up to 2017-03-09T01:00:00Z", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refusal_says_title_detail_and_ends_with_its_code()
    {
        const string problem = """{"type":"urn:foretier:problem:bad_step","title":"Bad step","status":400,"detail":"step='0' is not a positive duration; use 1m","code":"bad_step"}""";
        var (code, output, error, _) = await AskAsync(400, problem, "query", "acme/b/t", "--step", "0", "--json");
        Assert.Equal(ExitCode.Refused, code);
        Assert.Contains("Bad step (400)", error, StringComparison.Ordinal);
        Assert.Contains("use 1m", error, StringComparison.Ordinal);
        Assert.Equal("Bad step (400)", JsonDocument.Parse(output).RootElement.GetProperty("error").GetProperty("title").GetString());
    }

    [Fact]
    public async Task A_refusal_without_a_problem_document_is_told_by_its_status()
    {
        var (code, _, error, _) = await AskAsync(502, "<html>bad gateway</html>", "series");
        Assert.Equal(ExitCode.Refused, code);
        Assert.Contains("502", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_ledger_that_does_not_balance_fails_the_command()
    {
        const string ledger = """{"nodes":[{"node":"edge-1","received":10,"accepted":9,"rejected":1,"unique":9,"held":8,"balanced":false}],"balanced":false}""";
        Assert.Equal(ExitCode.Failed, (await AskAsync(200, ledger, "ledger")).Code);
        var balanced = ledger.Replace("\"held\":8", "\"held\":9", StringComparison.Ordinal).Replace("false", "true", StringComparison.Ordinal);
        Assert.Equal(ExitCode.Ok, (await AskAsync(200, balanced, "ledger", "--json")).Code);
    }

    [Fact]
    public async Task A_move_sends_its_time_as_a_number_and_tells_what_has_moved()
    {
        var (code, output, _, asked) = await AskAsync(200, """{"windows":3,"samples":285954,"extra":1}""", "tier", "move", "--to", "hdd", "--before", "2017-03-09", "--wait");
        Assert.Equal(ExitCode.Ok, code);
        Assert.Contains("moved 3 windows, 285,954 samples", output, StringComparison.Ordinal);
        Assert.Contains("""{"to":"hdd","before":1489017600000,"wait":true}""", asked, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_concentrator_is_named_with_a_star()
    {
        var (code, output, _, asked) = await AskAsync(200, """{"account":"acme","device":"*","secret":"s3"}""", "devices", "add", "acme/*", "--device-secret", "s3");
        Assert.Equal(ExitCode.Ok, code);
        Assert.Contains("secret s3", output, StringComparison.Ordinal);
        Assert.StartsWith("PUT /api/v1/devices/acme/%2A Bearer k", asked.Replace("/* ", "/%2A ", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_explanation_is_shown_whole_whatever_is_in_it()
    {
        var (code, output, _, _) = await AskAsync(200, """{"plan":{"fetches":[{"tier":"hdd","estimatedMs":1.5,"windows":[{"edge":"e"}]}],"missing":[]},"new":true}""", "explain", "acme/b/t");
        Assert.Equal(ExitCode.Ok, code);
        Assert.Contains("tier hdd · estimatedMs 1.5", output, StringComparison.Ordinal);
        Assert.Contains("new: yes", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_its_own_code()
    {
        var (code, output, error) = await RunAsync("query", "acme/b/t", "--url", "http://127.0.0.1:1", "--data", _folder, "--json");
        Assert.Equal(ExitCode.Unreachable, code);
        Assert.Contains("foretier up", error, StringComparison.Ordinal);
        Assert.Equal(4, JsonDocument.Parse(output).RootElement.GetProperty("error").GetProperty("exitCode").GetInt32());
    }

    [Fact]
    public async Task Without_a_running_server_the_data_folder_is_named()
    {
        var (code, _, error) = await RunAsync("ledger", "--data", _folder);
        Assert.Equal(ExitCode.Unreachable, code);
        Assert.Contains(_folder, error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bogus")]
    [InlineData("query")]
    [InlineData("query", "a/b/c", "--url", "not a url")]
    [InlineData("tier", "move")]
    [InlineData("tier", "move", "--to", "cloud")]
    [InlineData("import", "x.csv", "--batch", "0")]
    [InlineData("simulate", "0")]
    [InlineData("up", "--mqtt-port", "70000")]
    [InlineData("up", "--http-port", "abc")]
    [InlineData("import", "x.csv", "--window", "1e3")]
    [InlineData("simulate", "many")]
    [InlineData("simulate", "1", "--rate", "NaN")]
    [InlineData("devices", "add", "acme")]
    public async Task Bad_usage_is_told_on_standard_error(params string[] arguments)
    {
        var (code, output, error) = await RunAsync(arguments);
        Assert.Equal(ExitCode.BadUsage, code);
        Assert.Equal("", output);
        Assert.Contains("--help", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("query")]
    [InlineData("query", "a/b/c", "--bogus")]
    [InlineData("tier", "move", "--to", "cloud")]
    [InlineData("bogus")]
    public async Task Bad_usage_is_a_document_too_where_documents_are_asked_for(params string[] arguments)
    {
        var (code, output, _) = await RunAsync([.. arguments, "--json"]);
        Assert.Equal(ExitCode.BadUsage, code);
        var error = JsonDocument.Parse(output).RootElement.GetProperty("error");
        Assert.Equal(ExitCode.BadUsage, error.GetProperty("exitCode").GetInt32());
        Assert.Contains("--help", error.GetProperty("advice").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_line_of_up_has_these_names_in_this_order()
    {
        var line = JsonSerializer.Serialize(new Foretier.Cli.Up.UpLine("127.0.0.1:1883", "http://127.0.0.1:8080", "g", "a", new(1, 2, 3),
            "acme", "boiler-1", "acme/*", "s", "k"), Protocol.Api.ApiJson.Options);
        Assert.Equal("""{"mqtt":"127.0.0.1:1883","router":"http://127.0.0.1:8080","gateway":"g","agent":"a","pids":{"agent":1,"gateway":2,"router":3},"account":"acme","device":"boiler-1","user":"acme/*","secret":"s","apiKey":"k"}""", line);
    }

    [Fact]
    public void The_line_by_which_a_command_is_listed_is_a_whole_sentence()
    {
        // Of a description a list shows the first line.
        static IEnumerable<Command> Below(Command command) => command.Subcommands.SelectMany(one => Below(one).Prepend(one));
        Assert.All(Below(CommandLine.Root()), command => Assert.EndsWith(".", command.Description!.Split('\n')[0], StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_command_that_only_has_others_below_it_names_them_and_a_refusal_names_the_whole_command()
    {
        var (code, _, error) = await RunAsync("models");
        Assert.Equal(ExitCode.BadUsage, code);
        Assert.StartsWith("foretier: what of 'foretier models'? There are sign, publish, list, status, promote, pause, stop and rollback.", error, StringComparison.Ordinal);
        Assert.Contains("'such'", (await RunAsync("models", "such")).Error, StringComparison.Ordinal);

        var refused = await AskAsync(404, """{"title":"Unknown","status":404,"detail":"there is no image 1.0.0"}""", "fleet", "update", "start", "1.0.0");
        Assert.StartsWith("foretier fleet update start: Unknown (404)", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_command_has_help()
    {
        foreach (var command in CommandLine.Root().Subcommands)
        {
            var (code, output, _) = await RunAsync(command.Name, "--help");
            Assert.Equal(ExitCode.Ok, code);
            Assert.Contains("Usage:", output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_published_value_that_the_broker_refuses_is_said_in_its_words()
    {
        await using var broker = new FakeBroker { Judge = payload => payload == "NaN" ? ((byte)0x99, "not finite") : null };
        string[] to = ["--mqtt", $"127.0.0.1:{broker.Port}", "--data", _folder];
        var good = await RunAsync(["publish", "acme/boiler-1/temperature", "21.5", "--json", .. to]);
        Assert.Equal(ExitCode.Ok, good.Code);
        Assert.True(JsonDocument.Parse(good.Output).RootElement.GetProperty("acknowledged").GetBoolean());
        Assert.Equal(("v1/acme/boiler-1/temperature", "21.5"), broker.Acknowledged[0]);

        var bad = await RunAsync(["publish", "acme/boiler-1/temperature", "NaN", .. to]);
        Assert.Equal(ExitCode.Refused, bad.Code);
        Assert.Contains("payload format invalid (0x99): not finite", bad.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Forecast_is_drawn_in_characters_and_as_a_page()
    {
        var hour = 1_489_017_600_000L;
        var past = string.Join(',', Enumerable.Range(0, 48).Select(i => $$"""{"t":{{hour + (i - 48) * 3_600_000L}},"count":{{i % 7}}{{(i > 20 ? ""","expected":{"p10":1,"p50":3.5,"p90":6}""" : "")}}}"""));
        var coming = string.Join(',', Enumerable.Range(0, 24).Select(i => $$"""{"t":{{hour + i * 3_600_000L}},"expected":{"p10":1,"p50":3,"p90":8},"mean":3.2}"""));
        var body = $$"""{"series":"acme/b/<t>","edge":"edge-1","zone":"UTC","model":"volume-lstm 2","coming":[{{coming}}],"past":[{{past}}],"open":1,"weightsP50":{"Model":0.9,"SN24":0.1},"weightsP90":{"Model":1},"stretch":1.1}""";
        var page = Path.Combine(_folder, "forecast.html");
        var (code, output, error, asked) = await AskAsync(200, body, "forecast", "acme/b/<t>", "--html", page);
        Assert.Equal(ExitCode.Ok, code);
        Assert.Equal("GET /api/v1/forecast?series=acme%2Fb%2F%3Ct%3E Bearer k", asked);
        Assert.Contains("24 h: 77 samples expected; last 48 h: 27 of 27 hours", output);
        Assert.Contains("┿", output);
        Assert.Contains("Model 0.90", output);
        var html = await File.ReadAllTextAsync(page);
        Assert.Contains("acme/b/&lt;t&gt;", html);
        Assert.Equal(48, html.Split("class=\"came\"").Length - 1);
        Assert.Equal(1, html.Split("<polygon").Length - 1);
        Assert.DoesNotContain("NaN", html);
        Assert.Contains(page, error);
    }

    [Fact]
    public async Task Scorecard_is_a_table_by_class()
    {
        const string line = """{"kind":"gauge","size":"1-10/h","distance":"2-6h","hours":120,"samples":600,"wql":0.2,"baselines":{"SN24":0.3,"SN168":0.4,"HoW4":0.25},"bestBaseline":"HoW4","mase":0.7,"coverageP90":0.9,"overReservation":0.3,"underReservation":0.01,"overReservationHoW4":0.6}""";
        var body = $$"""{"nodes":[{"node":"edge-1","days":7,"fallback":"it was ended","classes":[{{line}}],"all":{{line}},"believed":{"HoW4":0.7,"SN24":0.3},"kindMixes":[{"account":"acme","brier":0.1,"brierYesterday":0.2}]}]}""";
        var (code, output, _, asked) = await AskAsync(200, body, "scorecard");
        Assert.Equal(ExitCode.Ok, code);
        Assert.Equal("GET /api/v1/scorecard?days=7 Bearer k", asked);
        Assert.Contains("seasonal baselines alone (it was ended)", output);
        Assert.Contains("0.200", output);
        Assert.Contains("HoW4 0.70", output);
    }

    [Fact]
    public async Task Fleet_tells_of_each_box_which_image_it_runs_which_is_wanted_and_how_far_that_is()
    {
        var (code, output, _, asked) = await AskAsync(200, """
            {"boxes":[{"node":"edge-1","role":"edge","connected":true,"seen":"2026-06-01T00:00:00Z","version":"0.1.0+abc","image":"1.0.0","wanted":"1.1.0","update":"fetching","updateDetail":"40 %","problems":[]},
            {"node":"router-1","role":"router","connected":true,"seen":null,"problems":[]}]}
            """, "fleet");
        Assert.Equal(ExitCode.Ok, code);
        Assert.StartsWith("GET /api/v1/fleet", asked, StringComparison.Ordinal);
        Assert.Matches(@"edge-1 +edge +0\.1\.0 +1\.0\.0 +1\.1\.0 \(fetching: 40 %\)", output);
    }

    [Fact]
    public async Task The_state_of_an_update_names_the_box_that_ended_it_and_why()
    {
        var (code, output, _, _) = await AskAsync(200, """
            {"versions":[],"rollout":{"version":"1.1.0","stage":"stopped","percent":50,"labels":["canary"],"watchSeconds":600,"halt":{"node":"edge-2","reason":"it did not start","at":"2026-06-01T00:00:00Z"},"started":1,"revision":2},
            "boxes":[{"node":"edge-2","connected":false,"heard":"2026-06-01T00:00:00Z","labels":["canary"],"standing":"failed","detail":"it did not start",
            "image":{"running":"1.0.0","unable":null,"phase":"idle","version":null,"bytes":0,"bytesAll":0,"trouble":null,"last":{"version":"1.1.0","digest":"d","outcome":"failed","reason":"it did not start","at":"2026-06-01T00:00:00Z","revision":1},"problems":[],"problemsBefore":0}}]}
            """, "fleet", "update", "status");
        Assert.Equal(ExitCode.Ok, code);
        Assert.Contains("1.1.0 is stopped, 50 % of the boxes labelled canary", output, StringComparison.Ordinal);
        Assert.Contains("stopped by itself 2026-06-01T00:00:00Z: edge-2: it did not start", output, StringComparison.Ordinal);
        Assert.Matches(@"edge-2 \(away\) +1\.0\.0 +failed: it did not start +canary +1\.1\.0 failed", output);
    }

    [Fact]
    public async Task Starting_an_update_says_only_what_was_given()
    {
        var (_, _, _, asked) = await AskAsync(200, """{"versions":[],"rollout":null,"boxes":[]}""", "fleet", "update", "start", "1.1.0", "--percent", "10", "--label", "canary", "--watch", "1h");
        Assert.EndsWith("""{"stage":"trial","version":"1.1.0","percent":10,"labels":["canary"],"watchSeconds":3600}""", asked, StringComparison.Ordinal);
        (_, _, _, asked) = await AskAsync(200, """{"versions":[],"rollout":null,"boxes":[]}""", "fleet", "update", "start");
        Assert.StartsWith("PUT /api/v1/images/rollout", asked, StringComparison.Ordinal);
        Assert.DoesNotContain("percent\":1", asked, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_no_signed_release_is_not_published()
    {
        var (code, _, error) = await RunAsync("fleet", "update", "publish", _folder, "--url", _url, "--key", "k", "--data", _folder);
        Assert.Equal(ExitCode.BadUsage, code);
        Assert.Contains("release.json", error, StringComparison.Ordinal);
        Assert.Contains("scripts/release", error, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(_folder, "release.json"), "{}");
        File.WriteAllText(Path.Combine(_folder, "release.sig"), "");
        (code, _, error) = await RunAsync("fleet", "update", "publish", _folder, "--url", _url, "--key", "k", "--data", _folder);
        Assert.Equal(ExitCode.Refused, code);
        Assert.Contains("not readable", error, StringComparison.Ordinal);
    }
}

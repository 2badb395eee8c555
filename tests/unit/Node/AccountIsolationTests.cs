using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Node.Keys;
using Foretier.Node.Prometheus;
using Foretier.Node.Serve;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Unit.Node;

/// <summary>Two accounts on one node: whatever the key of one asks, the answer has nothing of the other's.</summary>
public sealed class AccountIsolationTests : IAsyncLifetime
{
    /// <summary>In every name, unit and (as digits) value of the other account.</summary>
    private const string Secret = "77359";

    private static readonly Window Day = Window.DayOf(1_489_017_600L * Instant.Second);

    private static readonly string[] Globs =
        ["*/*/*", "mine/*/*", "theirs/*/*", $"theirs/d{Secret}/m0", "*/*/m0", "m*/*/*", "*/d*/*", "mine/d1/m0", "t*/*/m1", $"*/d{Secret}/*"];

    private TestNode _node = null!;
    private string _mine = "";
    private string _theirs = "";

    public async Task InitializeAsync()
    {
        _node = await TestNode.StartAsync(node =>
        {
            var api = node.App.MapApi();
            new QueryApi(node.Answerer, node.Catalog, TimeProvider.System, () => PartitionMap.Empty).Map(api);
            new Cascade(new NodeDuties { Ledger = () => throw new InvalidOperationException("not to be asked") }, null, TimeProvider.System, NullLogger<Cascade>.Instance).Map(api);
            new KeyApi(node.Keys, node.Options.Upstream).Map(api);
            node.App.MapPrometheus(api, new(node.Answerer, node.Catalog, TimeProvider.System, null));
        });
        (_mine, _theirs) = (_node.Keys.Create("mine", ["mine"], false, null).Key, _node.Keys.Create("theirs", ["theirs"], false, null).Key);
        foreach (var (account, device, value) in new[] { ("mine", "d1", 1.5), ("mine", "d2", 2.5), ("theirs", $"d{Secret}", double.Parse(Secret, null)) })
        {
            for (var measurement = 0; measurement < 3; measurement++)
            {
                var columns = new SampleColumns();
                for (var i = 0; i < 5; i++)
                {
                    columns.Add(Day.Start + i * Instant.Hour, value);
                }
                _node.Source.Put($"{account}/{device}/m{measurement}", columns, account == "mine" ? "Cel" : $"u{Secret}");
            }
        }
    }

    public async Task DisposeAsync() => await _node.DisposeAsync();

    [Fact]
    public async Task Whatever_one_account_asks_nothing_of_the_other_is_in_the_answer()
    {
        int answered = 0, told = 0;
        for (var seed = 0; seed < 400; seed++)
        {
            var random = new Random(seed);
            var question = RandomQuestion(random);
            var cursor = random.Next(3) == 0 ? await CursorAsync(_theirs, question) : null;
            var (status, text) = await AskAsync(_mine, cursor is null ? question : $"{question}&cursor={Uri.EscapeDataString(cursor)}", random);
            answered += status == HttpStatusCode.OK ? 1 : 0;
            told += text.Contains("2.5", StringComparison.Ordinal) ? 1 : 0;
            // What was asked may be repeated in a refusal.
            Assert.DoesNotContain(Secret, text.Replace(Uri.UnescapeDataString(question), "", StringComparison.Ordinal)
                .Replace($"theirs/d{Secret}/m0", "", StringComparison.Ordinal).Replace($"*/d{Secret}/*", "", StringComparison.Ordinal), StringComparison.Ordinal);
        }
        Assert.InRange(answered, 100, 400);
        Assert.True(told > 50, $"only {told} answers had the asker's own data");
    }

    [Fact]
    public async Task A_series_of_the_other_account_is_refused_just_like_one_that_is_not_there()
    {
        foreach (var with in new[] { "", ",mine/d1/m0" })
        {
            var there = await AskAsync(_mine, $"query?series=theirs/d{Secret}/m0{with}&from=2017-03-09&to=2017-03-10&fn=raw", new(0));
            var nowhere = await AskAsync(_mine, $"query?series=theirs/d{Secret}/m9{with}&from=2017-03-09&to=2017-03-10&fn=raw", new(0));
            Assert.Equal(HttpStatusCode.NotFound, there.Status);
            Assert.Equal(DetailOf(nowhere.Text).Replace("m9", "m0", StringComparison.Ordinal), DetailOf(there.Text));
        }
    }

    [Theory]
    [InlineData("ledger")]
    [InlineData("tier")]
    [InlineData("keys")]
    [InlineData("devices")]
    [InlineData("accounts")]
    [InlineData("doctor")]
    public async Task What_is_about_all_accounts_is_for_keys_that_administer(string path)
    {
        var (status, text) = await AskAsync(_mine, path, new(0));
        Assert.Equal(HttpStatusCode.Forbidden, status);
        Assert.Contains("administers", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_that_reads_cannot_make_itself_another()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "api/v1/keys") { Content = JsonContent.Create(new { name = "root", admin = true }) };
        request.Headers.Authorization = new("Bearer", _mine);
        using var response = await _node.Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
    }

    [Theory]
    [InlineData("{\"ssd\":null}", "ssd, hdd and archive are objects")]
    [InlineData("{\"priority\":0}", "priority")]
    [InlineData("{\"priority\":2,\"hdd\":{\"bytesMax\":9}}", null)]
    public async Task Terms_of_an_account_are_set_by_keys_that_administer_and_refused_by_what_is_wrong(string body, string? says)
    {
        async Task<(HttpStatusCode, string)> PutAsync(string key)
        {
            using var request = new HttpRequestMessage(HttpMethod.Put, "api/v1/accounts/mine/terms") { Content = new StringContent(body, null, "application/json") };
            request.Headers.Authorization = new("Bearer", key);
            using var response = await _node.Http.SendAsync(request);
            return (response.StatusCode, await response.Content.ReadAsStringAsync());
        }
        Assert.Equal(HttpStatusCode.Forbidden, (await PutAsync(_mine)).Item1);
        var (status, text) = await PutAsync(_node.Keys.Create("root", [], true, null).Key);
        Assert.Equal(says is null ? HttpStatusCode.OK : HttpStatusCode.BadRequest, status);
        Assert.Contains(says ?? "\"bytesMax\":9", text, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(says is null ? 2 : 1, _node.Keys.TermsOf("mine").Priority);
    }

    private static string DetailOf(string problem) => JsonElement.Parse(problem).GetProperty("detail").GetString()!;

    private static string RandomQuestion(Random random)
    {
        var globs = string.Join(',', Enumerable.Range(0, random.Next(1, 4)).Select(_ => Globs[random.Next(Globs.Length)]));
        string[] fns = ["raw", "avg", "max,count", "last", "p99", "sum", "first,min"];
        string[] selectors = ["m0", "{account=~\".*\"} or m1", "{device=~\".+\"}", "{account=\"theirs\"}", "{account!=\"mine\",device!=\"\"}", $"m0{{device!~\"d{Secret}\"}}", "sum by (account, device) (m1)"];
        var selector = Uri.EscapeDataString(selectors[random.Next(selectors.Length)]);
        return random.Next(11) switch
        {
            8 => $"/prometheus/api/v1/query?query={selector}&time=1489017600",
            9 => $"/prometheus/api/v1/series?match[]={selector}",
            10 => random.Next(2) == 0 ? "/prometheus/api/v1/label/device/values" : "/prometheus/api/v1/metadata",
            0 => $"series?series={Globs[random.Next(Globs.Length)]}",
            1 => "map",
            2 => $"explain?series={globs}&from=2017-03-09&to=2017-03-10&fn=avg&step=1h",
            _ => $"query?series={globs}&from=2017-03-09&to=2017-03-10&fn={fns[random.Next(fns.Length)]}"
                + (random.Next(2) == 0 ? "&step=6h" : "") + (random.Next(4) == 0 ? "&by=account" : "") + (random.Next(3) == 0 ? "&limit=2" : ""),
        };
    }

    private async Task<string?> CursorAsync(string key, string question)
    {
        var (status, text) = await AskAsync(key, question + "&limit=2", null);
        return status == HttpStatusCode.OK && question.StartsWith("query", StringComparison.Ordinal)
            && JsonElement.Parse(text).GetProperty("meta").TryGetProperty("next", out var next) ? next.GetString() : null;
    }

    private async Task<(HttpStatusCode Status, string Text)> AskAsync(string key, string path, Random? random)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, (path.StartsWith('/') ? path : "/api/v1/" + path));
        request.Headers.Authorization = new("Bearer", key);
        request.Headers.Accept.ParseAdd(random?.Next(4) switch { 0 => "text/csv", 1 => "application/x-ndjson", _ => "application/json" });
        using var response = await _node.Http.SendAsync(request);
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }
}

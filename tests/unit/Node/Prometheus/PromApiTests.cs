using System.Net;
using System.Text.Json;
using Foretier.Core.Samples;
using Foretier.Node.Keys;
using Foretier.Node.Prometheus;
using Foretier.Node.Prometheus.Wire;
using Google.Protobuf;
using Snappier;

namespace Foretier.Tests.Unit.Node.Prometheus;

/// <summary>A node asked as Grafana and Prometheus ask.</summary>
public sealed class PromApiTests : IAsyncLifetime
{
    private const long Day = 1_489_017_600;

    private TestNode _node = null!;
    private int _asked;

    public async Task InitializeAsync()
    {
        _node = await TestNode.StartAsync(node => node.App.MapPrometheus(node.App.MapApi(), new(node.Answerer, node.Catalog, TimeProvider.System, (_, _) => _asked++)));
        _node.ComeAs("reader", accounts: "acme");
        foreach (var (series, slope) in new[] { ("acme/d1/energy", 1.0), ("acme/d2/energy", 2.0), ("acme/d1/room.temp", 0), ("other/d1/energy", 5) })
        {
            var samples = new SampleColumns();
            for (var i = 0; i < 60; i++)
            {
                samples.Add((Day + i * 60) * Instant.Second, 20 + slope * i * 60);
            }
            _node.Source.Put(series, samples, "Wh", slope > 0 ? "counter" : "gauge");
        }
        var states = new SampleColumns();
        states.Add(Day * Instant.Second, 0, "open");
        _node.Source.Put("acme/d1/door", states, kind: "state");
    }

    public async Task DisposeAsync() => await _node.DisposeAsync();

    [Theory]
    [InlineData("query=sum by (account) (rate(energy[10m]))&time=1489019400", "{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"account\":\"acme\"},\"value\":[1489019400,\"3\"]}]}")]
    [InlineData("query=room_temp&time=1489019430", "{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"room_temp\",\"account\":\"acme\",\"device\":\"d1\",\"measurement\":\"room.temp\"},\"value\":[1489019430,\"20\"]}]}")]
    [InlineData("query=room_temp&time=1489099999", "{\"resultType\":\"vector\",\"result\":[]}")]
    [InlineData("query=topk(1, energy offset 5m) > 20&time=1489018260", "{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"energy\",\"account\":\"acme\",\"device\":\"d2\"},\"value\":[1489018260,\"740\"]}]}")]
    [InlineData("query=energy / energy == bool 1&time=1489017600", "{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"account\":\"acme\",\"device\":\"d1\"},\"value\":[1489017600,\"1\"]},{\"metric\":{\"account\":\"acme\",\"device\":\"d2\"},\"value\":[1489017600,\"1\"]}]}")]
    [InlineData("query=1%2B1&time=5", "{\"resultType\":\"scalar\",\"result\":[5,\"2\"]}")]
    public async Task An_expression_has_its_value(string query, string data)
    {
        var (status, answer) = await GetAsync("query?" + query);
        Assert.Equal((HttpStatusCode.OK, data), (status, answer.GetProperty("data").GetRawText()));
    }

    [Fact]
    public async Task Over_steps_a_series_has_a_point_where_it_has_samples_within_five_minutes()
    {
        var (_, answer) = await GetAsync($"query_range?query=energy%7Bdevice%3D%22d1%22%7D&start={Day - 60}&end={Day + 4200}&step=1m");
        var result = Assert.Single(answer.GetProperty("data").GetProperty("result").EnumerateArray());
        var points = result.GetProperty("values").EnumerateArray().Select(point => (point[0].GetInt64(), point[1].GetString())).ToList();
        Assert.Equal((Day, "20"), points[0]);
        Assert.Equal((Day + 3540 + 300, "3560"), points[^1]);
        Assert.Equal(65, points.Count);
    }

    [Fact]
    public async Task Labels_are_browsed_and_states_and_other_accounts_are_not_among_them()
    {
        Assert.Equal(["__name__", "account", "device", "measurement"], await TextsAsync("labels"));
        Assert.Equal(["energy", "room_temp"], await TextsAsync("label/__name__/values"));
        Assert.Equal(["acme"], await TextsAsync("label/account/values"));
        Assert.Equal(["d2"], await TextsAsync("label/device/values?match[]=%7Bdevice!~%22d3|d1%22,device!=%22%22%7D"));
        var (_, series) = await GetAsync("series?match[]=energy");
        Assert.Equal(2, series.GetProperty("data").GetArrayLength());
        var (_, metadata) = await GetAsync("metadata");
        Assert.Equal("counter", metadata.GetProperty("data").GetProperty("energy")[0].GetProperty("type").GetString());
    }

    [Theory]
    [InlineData("query?query=rate(", "bad_data", "expression ends")]
    [InlineData("query", "bad_data", "'query' is missing")]
    [InlineData("query?query=energy&time=noon", "bad_data", "time='noon'")]
    [InlineData("query_range?query=energy&start=0&end=1e9&step=1", "bad_data", "11000 steps")]
    [InlineData("query_range?query=energy&start=5&end=1&step=1", "bad_data", "end not before start")]
    [InlineData("series", "bad_data", "match[]")]
    public async Task What_is_wrong_is_said_in_prometheus_form(string path, string type, string why)
    {
        var (status, answer) = await GetAsync(path);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal(("error", type), (answer.GetProperty("status").GetString(), answer.GetProperty("errorType").GetString()));
        Assert.Contains(why, answer.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_metrics_that_are_one_without_their_names_have_no_answer_rather_than_either()
    {
        var samples = new SampleColumns();
        samples.Add(Day * Instant.Second, -1);
        _node.Source.Put("acme/d9/in", samples);
        _node.Source.Put("acme/d9/out", samples);
        var (status, answer) = await GetAsync($"query?query=abs(%7Bdevice%3D%22d9%22%7D)&time={Day}");
        Assert.Equal((HttpStatusCode.UnprocessableEntity, "execution"), (status, answer.GetProperty("errorType").GetString()));
        Assert.Contains("once their names are gone", answer.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_remote_read_gives_the_samples_between_its_bounds_however_wide_they_are()
    {
        var request = new ReadRequest();
        request.Queries.Add(new ReadQuery { StartTimestampMs = (Day + 60) * 1000, EndTimestampMs = (Day + 180) * 1000, Matchers = { new LabelMatcher { Name = "__name__", Value = "energy" }, new LabelMatcher { Name = "device", Type = LabelMatcher.Types.Type.Re, Value = "d[2-9]" } } });
        request.Queries.Add(new ReadQuery { StartTimestampMs = long.MinValue, EndTimestampMs = long.MaxValue, Matchers = { new LabelMatcher { Name = "device", Value = "d1" }, new LabelMatcher { Name = "__name__", Type = LabelMatcher.Types.Type.Neq, Value = "energy" } } });
        using var answer = await PostAsync(Snappy.CompressToArray(request.ToByteArray()));
        Assert.Equal(("application/x-protobuf", "snappy"), (answer.Content.Headers.ContentType!.MediaType, answer.Content.Headers.ContentEncoding.Single()));
        var read = ReadResponse.Parser.ParseFrom(Snappy.DecompressToArray(await answer.Content.ReadAsByteArrayAsync()));
        var series = Assert.Single(read.Results[0].Timeseries);
        Assert.Equal("__name__=energy account=acme device=d2", string.Join(' ', series.Labels.Select(label => $"{label.Name}={label.Value}")));
        Assert.Equal([(Day + 60, 140.0), (Day + 120, 260), (Day + 180, 380)], series.Samples.Select(sample => (sample.Timestamp / 1000, sample.Value)));
        Assert.Equal(60, Assert.Single(read.Results[1].Timeseries).Samples.Count);
        Assert.Equal(2, _asked);
    }

    [Theory]
    [InlineData(new byte[] { 1, 2, 3 })]
    [InlineData(new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0 })]
    [InlineData(new byte[0])]
    public async Task A_remote_read_that_is_none_is_refused(byte[] body)
    {
        using var answer = await PostAsync(body);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal("bad_remote_read", JsonElement.Parse(await answer.Content.ReadAsStringAsync()).GetProperty("code").GetString());
    }

    private async Task<HttpResponseMessage> PostAsync(byte[] body)
    {
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = new("application/x-protobuf");
        return await _node.Http.PostAsync(new Uri("/api/v1/prometheus/read", UriKind.Relative), content);
    }

    private async Task<string[]> TextsAsync(string path) => [.. (await GetAsync(path)).Answer.GetProperty("data").EnumerateArray().Select(text => text.GetString()!)];

    private async Task<(HttpStatusCode Status, JsonElement Answer)> GetAsync(string path)
    {
        using var response = await _node.Http.GetAsync(new Uri("/prometheus/api/v1/" + path, UriKind.Relative));
        return (response.StatusCode, JsonElement.Parse(await response.Content.ReadAsStringAsync()));
    }
}

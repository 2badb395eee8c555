using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Foretier.Cli;

namespace Foretier.Tests.Unit.Cli;

public sealed class BacktestCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-backtest-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Hourly_files_and_event_files_are_scored_and_pooled_in_one_document()
    {
        var random = new Random(1);
        var hourly = Write("a.jsonl.gz", string.Join('\n', Enumerable.Range(0, 3).Select(i =>
            $$"""{"series": "s{{i}}", "start": "2024-01-01 00:00:00", "freq": "H", "tz": "local", "values": [{{string.Join(", ", Enumerable.Range(0, 800).Select(_ => random.Next(0, 30)))}}, null]}""")));
        var events = Write("b.csv", "t_ms,device,gateway\n" + string.Concat(Enumerable.Range(0, 2_000).Select(i =>
            string.Create(CultureInfo.InvariantCulture, $"{1_700_000_000_000L + i * 600_000L + random.Next(0, 3_000_000)},d1,g{i % 2}\n"))));
        var (code, output, error) = await RunAsync("backtest", "--data", hourly, events, "--no-model", "--json");
        Assert.Equal("", error);
        Assert.Equal(ExitCode.Ok, code);
        using var document = JsonDocument.Parse(output);
        var files = document.RootElement.GetProperty("files");
        Assert.Equal([hourly, events], files.EnumerateArray().Select(file => file.GetProperty("file").GetString()!));
        Assert.Equal(3, files[0].GetProperty("series").GetInt32());
        Assert.Equal(2, files[1].GetProperty("series").GetInt32());
        foreach (var scored in files.EnumerateArray().Append(document.RootElement.GetProperty("pooled")))
        {
            foreach (var figure in (string[])["wql", "wqlBestBaseline", "mase", "coverageP90", "overReservation", "overReservationHoW4"])
            {
                Assert.InRange(scored.GetProperty(figure).GetDouble(), 0, 10);
            }
            Assert.Contains(scored.GetProperty("bestBaseline").GetString(), new[] { "SN24", "SN168", "HoW4" });
        }
        Assert.False(document.RootElement.GetProperty("pooled").TryGetProperty("file", out _));
    }

    [Theory]
    [InlineData("x.jsonl", """{"series": "a", "start": "2024-01-01 00:00:00"}""", "line 1")]
    [InlineData("x.jsonl", """{"series": "a", "start": "then", "values": [1]}""", "'then'")]
    [InlineData("x.jsonl", "{ no json", "line 1")]
    [InlineData("x.jsonl", """{"series": "a", "start": "2024-01-01 00:00:00", "freq": "D", "values": [1]}""", "only hourly")]
    [InlineData("x.csv", "when,what\n1,a\n", "--time-column")]
    [InlineData("x.csv", "t,series\nyesterday,a\n", "line 2: 'yesterday'")]
    [InlineData("x.csv", "t,v\n1700000000,1\n", "no column names the series")]
    [InlineData("x.csv", "", "no header line")]
    public async Task File_that_is_none_is_refused_by_its_name_and_line(string name, string content, string expected)
    {
        var path = Write(name, content);
        var (code, output, error) = await RunAsync("backtest", "--data", path, "--no-model");
        Assert.Equal(ExitCode.BadUsage, code);
        Assert.Equal("", output);
        Assert.Contains(path, error);
        Assert.Contains(expected, error);
    }

    [Fact]
    public async Task Missing_file_and_missing_model_are_bad_usage_and_nothing_long_enough_is_a_failure()
    {
        Assert.Equal(ExitCode.BadUsage, (await RunAsync("backtest", "--data", Path.Combine(_folder, "none.csv"))).Code);
        var few = Write("few.jsonl", """{"series": "a", "start": "2024-01-01 00:00:00", "values": [1, 2, 3]}""");
        var (code, _, error) = await RunAsync("backtest", "--data", few, "--model", _folder);
        Assert.Equal(ExitCode.BadUsage, code);
        Assert.Contains("--model", error);
        (code, _, error) = await RunAsync("backtest", "--data", few, "--no-model");
        Assert.Equal(ExitCode.Failed, code);
        Assert.Contains("long enough", error);
    }

    private string Write(string name, string content)
    {
        var path = Path.Combine(_folder, name);
        using Stream file = File.Create(path);
        using var to = name.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionLevel.Fastest) : file;
        to.Write(Encoding.UTF8.GetBytes(content));
        return path;
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        var (output, error) = (new StringWriter(CultureInfo.InvariantCulture), new StringWriter(CultureInfo.InvariantCulture));
        var code = await CommandLine.RunAsync(arguments, output, error, TimeProvider.System, CancellationToken.None);
        return (code, output.ToString(), error.ToString());
    }
}

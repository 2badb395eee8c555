using System.Globalization;
using System.IO.Compression;
using System.Text;
using Foretier.Cli;
using Foretier.Cli.Import;
using Foretier.Client.Mqtt;

namespace Foretier.Tests.Unit.Cli;

public sealed class ImportTests : IDisposable
{
    private const int Window = 100;
    private static readonly CancellationToken InTime = new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token;
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-import-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string FileOf(string content, bool gzip = false)
    {
        var path = Path.Combine(_folder, gzip ? "f.csv.gz" : "f.csv");
        using Stream file = gzip ? new GZipStream(File.Create(path), CompressionLevel.Fastest) : File.Create(path);
        file.Write(Encoding.UTF8.GetBytes(content));
        return path;
    }

    private async Task<(int Code, string Output, string Error)> ImportAsync(FakeBroker broker, string file, CancellationToken stop, params string[] more)
    {
        var (output, error) = (new StringWriter(CultureInfo.InvariantCulture), new StringWriter(CultureInfo.InvariantCulture));
        var code = await CommandLine.RunAsync(
            ["import", file, "--device", "house-1", "--mqtt", $"127.0.0.1:{broker.Port}", "--user", "acme/*", "--data", _folder, "--connections", "1", "--window", $"{Window}", "--json", .. more],
            output, error, TimeProvider.System, stop);
        return (code, output.ToString(), error.ToString());
    }

    private static string Rows(int count) =>
        "t,sensor,v\n" + string.Concat(Enumerable.Range(0, count).Select(i => string.Create(CultureInfo.InvariantCulture, $"{1489017377 + i},S{i % 3},{i}.10\n")));

    /// <summary>The row that a payload of <see cref="Rows"/> came from, counted from 0.</summary>
    private static int RowOf(string payload) => int.Parse(payload.Split(':', '.')[1], CultureInfo.InvariantCulture);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Rows_are_published_as_they_stand_in_the_file(bool gzip)
    {
        await using var broker = new FakeBroker();
        var file = FileOf("t,sensor,v\n1489017377,Room3 Brightness,0.0\n1489017407.5,Kitchen,6.20\n2017-03-09T00:56:17Z,Kitchen,-1e3\n", gzip);
        var (code, output, error) = await ImportAsync(broker, file, InTime);
        Assert.True(code == ExitCode.Ok, error);
        Assert.Equal(
            [
                ("v1/acme/house-1/Room3%20Brightness", "{\"v\":0.0,\"t\":1489017377}"),
                ("v1/acme/house-1/Kitchen", "{\"v\":6.20,\"t\":1489017407.5}"),
                ("v1/acme/house-1/Kitchen", "{\"v\":-1e3,\"t\":\"2017-03-09T00:56:17Z\"}"),
            ], broker.Acknowledged);
        Assert.Contains("\"acknowledged\":3", output, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Path.Combine(_folder, "imports")));
    }

    [Fact]
    public async Task Batches_hold_readings_of_one_series_in_the_order_of_the_file()
    {
        await using var broker = new FakeBroker();
        var (code, _, error) = await ImportAsync(broker, FileOf(Rows(9)), InTime, "--batch", "2");
        Assert.True(code == ExitCode.Ok, error);
        Assert.Equal("[[1489017377,0.10],[1489017380,3.10]]", broker.Acknowledged[0].Payload);
        Assert.Equal("{\"v\":6.10,\"t\":1489017383}", broker.Acknowledged[1].Payload);
        Assert.Equal(6, broker.Acknowledged.Count);
    }

    [Fact]
    public async Task Bad_rows_and_refusals_are_named_counted_and_fail_the_command()
    {
        await using var broker = new FakeBroker { Judge = payload => payload.Contains("99", StringComparison.Ordinal) ? ((byte)0x99, "too warm") : null };
        var file = FileOf("t,sensor,v\n1489017377,A,NaN\nyesterday,A,1\n1489017378,A,\n1489017379,A,99\n1489017380,,1\n1489017381,A,2\n");
        var (code, output, error) = await ImportAsync(broker, file, InTime);
        Assert.Equal(ExitCode.Failed, code);
        Assert.Contains("line 2: 'NaN' is not a finite number", error, StringComparison.Ordinal);
        Assert.Contains("line 3: 'yesterday' is not a time", error, StringComparison.Ordinal);
        Assert.Contains("line 4: has no value", error, StringComparison.Ordinal);
        Assert.Contains("line 5: refused, payload format invalid (0x99): too warm", error, StringComparison.Ordinal);
        Assert.Contains("line 6: '' is no name", error, StringComparison.Ordinal);
        Assert.Contains("\"rows\":6,\"published\":2,\"acknowledged\":1,\"refused\":1", output, StringComparison.Ordinal);
        Assert.Contains("\"bad\":4", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_broker_killed_again_and_again_loses_no_row()
    {
        await using var broker = new FakeBroker { BreakAfter = 60, LeftUnacknowledged = 20 };
        var (code, output, error) = await ImportAsync(broker, FileOf(Rows(300)), InTime);
        Assert.True(code == ExitCode.Ok, error);
        Assert.Contains("\"acknowledged\":300", output, StringComparison.Ordinal);
        Assert.Equal(300, broker.Acknowledged.Distinct().Count());
        Assert.Contains("connected again", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_interrupted_import_goes_on_where_the_acknowledgements_ended()
    {
        var file = FileOf(Rows(500));
        await using var broker = new FakeBroker();
        using var interrupt = new CancellationTokenSource();
        // The message with row 200 stops it; that one and all after it are not acknowledged.
        broker.Judge = payload =>
        {
            if (payload.Contains("\"v\":200.10", StringComparison.Ordinal))
            {
                interrupt.Cancel();
                throw new IOException("killed");
            }
            return null;
        };
        var first = await ImportAsync(broker, file, interrupt.Token);
        Assert.Equal(ExitCode.Interrupted, first.Code);
        Assert.Equal(200, broker.Acknowledged.Distinct().Count());

        broker.Judge = _ => null;
        broker.Received.Clear();
        var (code, output, error) = await ImportAsync(broker, file, InTime);
        Assert.True(code == ExitCode.Ok, error);
        Assert.Contains("\"acknowledged\":500", output, StringComparison.Ordinal);
        // The acknowledgements of the last window may have been on the way when it stopped; of a window before they were not.
        Assert.InRange(RowOf(broker.Received[0].Payload), 200 - Window, 200);
        Assert.Equal(500, broker.Acknowledged.Distinct().Count());
    }

    [Fact]
    public async Task Another_device_is_another_import()
    {
        var file = FileOf(Rows(3));
        var one = await Bookmark.OfAsync(_folder, file, ["local", "acme", "a"], InTime);
        one.Write(new("f", 2, 2, 0, new Dictionary<string, long>()));
        Assert.Equal(2, (await Bookmark.OfAsync(_folder, file, ["local", "acme", "a"], InTime)).Read()!.Row);
        Assert.Null((await Bookmark.OfAsync(_folder, file, ["local", "acme", "b"], InTime)).Read());
        File.AppendAllText(file, "1489017400,S,1\n");
        Assert.Null((await Bookmark.OfAsync(_folder, file, ["local", "acme", "a"], InTime)).Read());
    }

    [Fact]
    public async Task A_missing_column_is_bad_usage_that_lists_what_there_is()
    {
        await using var broker = new FakeBroker();
        var (code, _, error) = await ImportAsync(broker, FileOf("when;what;v\n1;a;1\n"), InTime, "--series-column", "sensor");
        Assert.Equal(ExitCode.BadUsage, code);
        Assert.Contains("Columns: when, what, v", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Quoted_fields_keep_separators_quotes_and_line_breaks_and_lines_are_counted()
    {
        using var rows = CsvRows.Open(FileOf("a,b\n\"x,\"\"y\"\"\",1\n\"two\nlines\",2\n\n\"open,3\n"));
        Assert.Equal(["x,\"y\"", "1"], rows.Read());
        Assert.Equal(["two\nlines", "2"], rows.Read());
        Assert.Equal(4, rows.Line);
        Assert.Equal(["open,3"], rows.Read());
        Assert.Null(rows.Read());
    }
}

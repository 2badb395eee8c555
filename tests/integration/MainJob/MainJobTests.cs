using System.Globalization;
using System.Text.Json;
using Xunit.Abstractions;

namespace Foretier.Tests.Integration.MainJob;

/// <summary>MQTT in, durable on the edge, synced to the gateway, archived, answered by the router: the same answers from every tier.</summary>
public sealed class MainJobTests(ITestOutputHelper output)
{
    /// <summary>Enough for several days and windows, few enough for every test run; scripts/e2e takes all.</summary>
    private const int RowsByDefault = 12_000;

    private static readonly string[] Nodes = ["agent", "gateway", "router"];
    private static int Rows => Setting("FORETIER_E2E_ROWS", RowsByDefault);
    private static int Kills => Setting("FORETIER_E2E_KILLS", 3);

    [Fact]
    public async Task Imported_readings_come_back_the_same_hot_from_the_gateway_and_from_the_archive()
    {
        await using var here = new Installation(output);
        await here.StartAsync();
        var readings = Readings.Prepare(Rows, here.Folder, output);
        await ImportAsync(here, readings);

        // The router may take shipped windows from the gateway's copy where that was the quicker one; the agent itself has only its own tiers.
        await EverythingIsThereAsync(here, readings, ["memory", "ssd"], output, here.Ready.GetProperty("agent").GetString()! + "/");
        await EverythingIsThereAsync(here, readings, null);
        await MoveAsync(here, "hdd");
        await EverythingIsThereAsync(here, readings, ["hdd"]);
        await MoveAsync(here, "archive");
        await EverythingIsThereAsync(here, readings, ["archive"]);

        await here.StopAsync();
        await here.StartAsync();
        await EverythingIsThereAsync(here, readings, ["archive"]);
    }

    [Fact]
    public async Task Killing_each_process_in_turn_during_the_import_loses_nothing_and_doubles_nothing()
    {
        await using var here = new Installation(output);
        await here.StartAsync();
        var readings = Readings.Prepare(Rows, here.Folder, output);
        using var import = here.Begin("import", readings.CsvPath, "--series-column", "sensor", "--device", "home", "--json");
        var result = import.StandardOutput.ReadToEndAsync();
        var errors = import.StandardError.ReadToEndAsync();

        var random = new Random(7);
        for (var i = 0; i < Kills; i++)
        {
            await Task.Delay(random.Next(100, 1_200));
            here.Kill(Nodes[i % Nodes.Length]);
            await Task.Delay(random.Next(300, 1_500));
        }
        await import.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(5));
        output.WriteLine($"import: {await result}");
        Assert.True(import.ExitCode == 0, await errors);

        await EverythingIsThereAsync(here, readings, null);
        here.Kill("agent");
        await EverythingIsThereAsync(here, readings, null);
        await MoveAsync(here, "hdd");
        here.Kill("gateway");
        await EverythingIsThereAsync(here, readings, ["hdd"]);
        await MoveAsync(here, "archive");
        here.Kill("gateway");
        here.Kill("router");
        await EverythingIsThereAsync(here, readings, ["archive"]);
    }

    private static async Task ImportAsync(Installation here, Readings readings)
    {
        var (exit, _, error) = await here.RunAsync("import", readings.CsvPath, "--series-column", "sensor", "--device", "home", "--json");
        Assert.True(exit == 0, error);
    }

    internal static async Task MoveAsync(Installation here, string tier)
    {
        // A node that was just killed has to come back first.
        var last = "";
        await Installation.EventuallyAsync($"tier move --to {tier}: {last}", async () =>
        {
            var (exit, _, error) = await here.RunAsync("tier", "move", "--to", tier, "--before", "2030-01-01", "--wait", "--json");
            last = error;
            return exit == 0;
        });
    }

    private Task EverythingIsThereAsync(Installation here, Readings readings, string[]? onlyTiers) => EverythingIsThereAsync(here, readings, onlyTiers, output);

    /// <summary>Compares a node's answers with the file: every series' count, min, max, sum, hourly averages; and the router's ledger.</summary>
    /// <param name="here">The installation.</param>
    /// <param name="readings">The file.</param>
    /// <param name="onlyTiers">Tiers that may have answered; null: any.</param>
    /// <param name="output">For a line on what was checked.</param>
    /// <param name="node">Address of the node that is asked, with a slash at its end; by default the router.</param>
    internal static async Task EverythingIsThereAsync(Installation here, Readings readings, string[]? onlyTiers, ITestOutputHelper output, string node = "")
    {
        await Installation.EventuallyAsync("complete answers", async () =>
        {
            var reply = await here.GetAsync(node + "api/v1/query?series=acme/home/*&from=2017-01-01&to=2018-01-01&fn=count");
            return !reply.GetProperty("meta").GetProperty("partial").GetBoolean()
                && reply.GetProperty("results").EnumerateArray().Sum(PointOf) == readings.Count;
        });
        await Installation.EventuallyAsync("a balanced ledger", async () =>
        {
            var ledger = await here.GetAsync("api/v1/ledger");
            var edge = ledger.GetProperty("nodes").EnumerateArray().Where(n => n.GetProperty("node").GetString()!.StartsWith("edge", StringComparison.Ordinal)).ToList();
            return ledger.GetProperty("balanced").GetBoolean() && edge.Count == 1 && edge[0].GetProperty("unique").GetInt64() == readings.Count;
        });

        var whole = await here.GetAsync(node + "api/v1/query?series=acme/home/*&from=2017-01-01&to=2018-01-01&fn=count,min,max,sum");
        var hourly = await here.GetAsync(node + "api/v1/query?series=acme/home/*&from=2017-01-01&to=2018-01-01&fn=avg&step=1h");
        if (onlyTiers is not null)
        {
            foreach (var reply in new[] { whole, hourly })
            {
                var tiers = reply.GetProperty("meta").GetProperty("tiers").EnumerateArray().Select(t => t.GetProperty("tier").GetString()!).Distinct().ToList();
                Assert.True(tiers.TrueForAll(onlyTiers.Contains), $"answered from {string.Join(",", tiers)}, expected {string.Join(",", onlyTiers)}");
            }
        }
        foreach (var (sensor, samples) in readings.Series)
        {
            Assert.Equal(samples.Count, PointOf(Result(whole, sensor, "count")));
            Assert.Equal(samples.Min(s => s.Value), PointOf(Result(whole, sensor, "min")));
            Assert.Equal(samples.Max(s => s.Value), PointOf(Result(whole, sensor, "max")));
            Close(samples.Sum(s => s.Value), PointOf(Result(whole, sensor, "sum")), samples.Sum(s => Math.Abs(s.Value)));

            var expected = samples.GroupBy(s => s.Seconds / 3600 * 3600).OrderBy(g => g.Key).ToList();
            var points = Result(hourly, sensor, "avg").GetProperty("points").EnumerateArray().ToList();
            Assert.Equal(expected.Select(g => g.Key * 1000), points.Select(p => p[0].GetInt64()));
            foreach (var (hour, point) in expected.Zip(points))
            {
                Close(hour.Average(s => s.Value), point[1].GetDouble(), hour.Average(s => Math.Abs(s.Value)));
            }
        }
        output.WriteLine($"{readings.Count} readings of {readings.Series.Count} series checked ({string.Join(",", onlyTiers ?? ["any tier"])})");
    }

    private static JsonElement Result(JsonElement reply, string sensor, string fn) => reply.GetProperty("results").EnumerateArray()
        .Single(r => r.GetProperty("series").GetString() == $"acme/home/{sensor}" && r.GetProperty("fn").GetString() == fn);

    private static double PointOf(JsonElement result) => result.GetProperty("points")[0][1].GetDouble();

    private static void Close(double expected, double actual, double scale) =>
        Assert.True(Math.Abs(expected - actual) <= 1e-12 * Math.Max(scale, double.Epsilon), $"{actual} is not {expected}");

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : otherwise;
}

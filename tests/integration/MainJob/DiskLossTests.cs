using System.Text.Json;
using Xunit.Abstractions;

namespace Foretier.Tests.Integration.MainJob;

/// <summary>The gateway's disk is gone: what was archived is learnt from the archive, what was not is sent again by the edges.</summary>
public sealed class DiskLossTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_gateways_lost_disk_comes_back_from_the_archive_and_the_edges()
    {
        await using var here = new Installation(output);
        await here.StartAsync();
        var readings = Readings.Prepare(6_000, here.Folder, output);
        var (older, newer) = Halves(readings, here.Folder);
        await ImportAsync(here, older);
        await MainJobTests.MoveAsync(here, "archive");
        await ImportAsync(here, newer);
        // Flushed and acknowledged by the gateway; the edge keeps its copy.
        await Installation.EventuallyAsync("all at the gateway", async () => (await EdgeAsync(here)).GetProperty("held").GetInt64() == 0);

        await here.StopAsync();
        Directory.Delete(Path.Combine(here.DataFolder, "gateway", "hdd"), recursive: true);
        await here.StartAsync();

        await Installation.EventuallyAsync("sent again", async () =>
        {
            var ledger = await here.GetAsync("api/v1/ledger");
            var gateway = ledger.GetProperty("nodes").EnumerateArray().Single(n => n.GetProperty("node").GetString() == "gateway-1");
            return gateway.GetProperty("unique").GetInt64() == readings.Count && (await EdgeAsync(here)).GetProperty("held").GetInt64() == 0;
        });
        await MainJobTests.MoveAsync(here, "hdd");
        await MainJobTests.EverythingIsThereAsync(here, readings, ["hdd", "archive"], output);
        await MainJobTests.MoveAsync(here, "archive");
        await MainJobTests.EverythingIsThereAsync(here, readings, ["archive"], output);
    }

    private static async Task<JsonElement> EdgeAsync(Installation here) => (await here.GetAsync("api/v1/ledger")).GetProperty("nodes").EnumerateArray()
        .Single(n => n.GetProperty("node").GetString() == "edge-1");

    private static async Task ImportAsync(Installation here, string csv)
    {
        var (exit, _, error) = await here.RunAsync("import", csv, "--series-column", "sensor", "--device", "home", "--json");
        Assert.True(exit == 0, error);
    }

    private static (string Older, string Newer) Halves(Readings readings, string folder)
    {
        var lines = File.ReadAllLines(readings.CsvPath);
        var (older, newer) = (Path.Combine(folder, "older.csv"), Path.Combine(folder, "newer.csv"));
        File.WriteAllLines(older, lines.Take(lines.Length / 2));
        File.WriteAllLines(newer, lines.Skip(lines.Length / 2).Prepend(lines[0]));
        return (older, newer);
    }
}

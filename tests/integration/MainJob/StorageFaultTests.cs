using System.Diagnostics;
using System.Globalization;
using Foretier.Archive;
using Foretier.Archive.Stores;
using Xunit.Abstractions;

namespace Foretier.Tests.Integration.MainJob;

/// <summary>
/// Archiving while the S3 server is slow, overloaded, silent, cuts uploads off, is killed, or is full (scripts/storage-faults starts it and says how
/// many rounds): every answer meanwhile is right or says what it lacks, and afterwards nothing is lost and nothing doubled.
/// </summary>
public sealed class StorageFaultTests(ITestOutputHelper output)
{
    private static readonly TimeSpan FaultLasts = TimeSpan.FromSeconds(4);
    private static readonly string[] Faults = ["slow", "overloaded", "cut", "silent", "killed", "full"];

    [CampaignFact("FORETIER_FAULT_ROUNDS", "scripts/storage-faults")]
    public async Task Whatever_happens_to_the_archive_nothing_is_lost_or_doubled()
    {
        var rounds = Number("FORETIER_FAULT_ROUNDS", 1);
        var random = new Random(Number("FORETIER_FAULT_SEED", 1));
        await using var relay = new FaultyRelay(new(Environment.GetEnvironmentVariable("FORETIER_TEST_S3")!));
        var place = $"s3://foretier/faults-{random.Next()}?endpoint={relay.Address.GetLeftPart(UriPartial.Authority)}";
        await using var here = new Installation(output) { Archive = place };
        await here.StartAsync();
        var readings = Readings.Prepare(Number("FORETIER_E2E_ROWS", 60_000), here.Folder, output);
        var lines = await File.ReadAllLinesAsync(readings.CsvPath);
        var steps = rounds * Faults.Length;
        var there = 0;
        for (var step = 0; step < steps; step++)
        {
            var fault = Faults[step % Faults.Length];
            var slice = lines.Skip(1).Skip(lines.Length / steps * step).Take(step == steps - 1 ? int.MaxValue : lines.Length / steps).ToList();
            var csv = Path.Combine(here.Folder, $"slice-{step}.csv");
            await File.WriteAllLinesAsync(csv, slice.Prepend(lines[0]));
            var (exit, _, error) = await here.RunAsync("import", csv, "--series-column", "sensor", "--device", "home", "--json");
            Assert.True(exit == 0, error);
            there += slice.Count;

            var moving = here.RunAsync("tier", "move", "--to", "archive", "--before", "2030-01-01", "--wait", "--json");
            await Task.Delay(random.Next(0, 300));
            await BeginAsync(relay, fault);
            var (asked, partial) = await WatchAsync(here, there);
            await EndAsync(relay, fault);
            var moved = await moving;
            output.WriteLine($"{fault}: {asked} answers, {partial} of them partial; the move meanwhile {(moved.Exit == 0 ? "went through" : $"failed ({moved.Exit})")}");
            await MainJobTests.MoveAsync(here, "archive");
        }
        await MainJobTests.EverythingIsThereAsync(here, readings, ["archive"], output);
        await EveryFileIsAsPublishedAsync(place, readings.Count);
    }

    private static async Task BeginAsync(FaultyRelay relay, string fault)
    {
        switch (fault)
        {
            case "killed":
                await File.WriteAllTextAsync(Path.Combine(Server, "down"), "");
                Process.GetProcessById(int.Parse(await File.ReadAllTextAsync(Path.Combine(Server, "rgw.pid")), CultureInfo.InvariantCulture)).Kill();
                break;
            case "full":
                await QuotaAsync("set", "--max-size=1");
                await QuotaAsync("enable");
                break;
            default:
                relay.Become(Enum.Parse<FaultyRelay.Fault>(fault, ignoreCase: true));
                break;
        }
    }

    private static async Task EndAsync(FaultyRelay relay, string fault)
    {
        switch (fault)
        {
            case "killed":
                File.Delete(Path.Combine(Server, "down"));
                break;
            case "full":
                await QuotaAsync("disable");
                break;
            default:
                relay.Become(FaultyRelay.Fault.None);
                break;
        }
    }

    /// <summary>Asks while the fault lasts: all samples there are, or fewer and said so.</summary>
    private static async Task<(int Asked, int Partial)> WatchAsync(Installation here, int there)
    {
        var (asked, partial) = (0, 0);
        for (var lasting = Stopwatch.StartNew(); lasting.Elapsed < FaultLasts; await Task.Delay(100))
        {
            var reply = await here.GetAsync("api/v1/query?series=acme/home/*&from=2017-01-01&to=2018-01-01&fn=count");
            var count = reply.GetProperty("results").EnumerateArray().Sum(r => r.GetProperty("points")[0][1].GetDouble());
            var isPartial = reply.GetProperty("meta").GetProperty("partial").GetBoolean();
            Assert.True(count == there || (isPartial && count < there), $"{count} of {there} samples, partial: {isPartial}");
            (asked, partial) = (asked + 1, partial + (isPartial ? 1 : 0));
        }
        return (asked, partial);
    }

    /// <summary>Without any of the nodes: the manifests name each sample once, and each file has the digest that was published.</summary>
    private async Task EveryFileIsAsPublishedAsync(string place, int expected)
    {
        using var store = ObjectStore.Open(place);
        long rows = 0, files = 0;
        await foreach (var info in store.ListAsync(ManifestKey.Root, default))
        {
            Assert.True(ManifestKey.TryParse(info.Key, out var key));
            foreach (var file in ArchiveManifest.Parse(key!, await store.GetAsync(info.Key, default)).Files)
            {
                Assert.Equal(file.Sha256, await store.DigestAsync(file.Key, default));
                (rows, files) = (rows + file.Rows, files + 1);
            }
        }
        Assert.Equal(expected, rows);
        output.WriteLine($"{files} files with {rows} samples have the digests they were published with");
    }

    private static string Server => Environment.GetEnvironmentVariable("FORETIER_TEST_S3_FOLDER")!;

    private static async Task QuotaAsync(params string[] what)
    {
        using var admin = Process.Start(new ProcessStartInfo("radosgw-admin",
            ["-c", Path.Combine(Server, "ceph.conf"), "-n", "client.rgw.a", "quota", what[0], "--quota-scope=user", "--uid=test", .. what[1..]])
        { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = Task.WhenAll(admin.StandardOutput.ReadToEndAsync(), admin.StandardError.ReadToEndAsync());
        await admin.WaitForExitAsync();
        Assert.True(admin.ExitCode == 0, string.Concat(await output));
    }

    private static int Number(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : otherwise;
}

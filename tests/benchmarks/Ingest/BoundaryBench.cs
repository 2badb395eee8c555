using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Foretier.Tests.Benchmarks.Ingest;

/// <summary>
/// Time to PUBACK while windows open one after another, with their files made ahead and without: two agents side by side, so that what else this
/// machine does is the same for both.
/// </summary>
internal static class BoundaryBench
{
    /// <summary>A day is a second: each second a window opens, and its first samples are flushed.</summary>
    private const int Rate = 86_400;
    private const double RatioMax = 1.1;

    /// <summary>Half a second of such a day: in the usual two hours, 83 ms, no busy machine makes a forecast and a file.</summary>
    private const string Ahead = "12:00:00";

    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(2);

    public static async Task<bool> RunAsync(int boundaries)
    {
        Console.WriteLine($"{boundaries} windows, each opening a second after the last one, files made ahead (on) and not (off), at the same time");
        var folder = Directory.CreateTempSubdirectory("foretier-boundary-").FullName;
        try
        {
            var arms = await Task.WhenAll(RunAsync(Path.Combine(folder, "on"), boundaries, [("ALLOCATE__RESERVEAHEAD", Ahead)]),
                RunAsync(Path.Combine(folder, "off"), boundaries, [("ALLOCATE__RESERVEAHEAD", "00:00:00"), ("HOT__RESERVEBYTES", "0")]));
            Console.WriteLine("      acks     p50 ms   p99 ms  p99.9 ms   max ms  device MB    syncs  windows made ahead, used");
            foreach (var (name, arm) in new[] { ("on", arms[0]), ("off", arms[1]) })
            {
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{name,-4}{arm.Latencies.Count,8:N0}{arm.At(0.5),10:0.00}{arm.At(0.99),9:0.00}{arm.At(0.999),10:0.00}{arm.At(1),9:0.0}{arm.DeviceBytes / 1e6,11:0.0}{arm.Syncs,9:N0}{arm.Prepared,10:N0}, {arm.Used:N0}"));
            }
            var ratio = arms[0].At(0.999) / arms[1].At(0.999);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"on / off: p99.9 {ratio:0.00} (at most {RatioMax:0.0}), device bytes {arms[0].DeviceBytes / arms[1].DeviceBytes:0.00}, syncs {arms[0].Syncs / arms[1].Syncs:0.00}"));
            return ratio <= RatioMax && arms[0].Used >= boundaries * 0.8;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<Arm> RunAsync(string folder, int boundaries, (string, string)[] settings)
    {
        using var agent = await LoneAgent.StartAsync(folder, [("CLOCK", FormattableString.Invariant($"2026-01-01T12:00:00Z@{Rate}")), ("MODELS__DIRECTORY", "none"),
            ("HOT__QUIETAGE", "00:00:00.150"), ("HOT__FLUSHAGE", "00:00:00.300"), ("HOT__PACEDFLUSHBYTESPERDAY", "1000000000000"), ("HOT__FLASHBYTESPERDAY", "0"),
            ("HOT__COMMITINTERVALMAX", "00:00:00.005"), .. settings]);
        using var http = LoneNode.Client(agent);
        using var client = await RawClient.LogInAsync(agent, "boundary");
        var payload = Encoding.ASCII.GetBytes("""{"a":1.25,"b":2.5,"c":3.75,"d":4.125,"e":5.5}""");
        var latencies = new List<double>(boundaries * 400);
        Dictionary<string, double> before = [];
        var began = Stopwatch.StartNew();
        // The first days teach the forecast what a day brings.
        var warm = TimeSpan.FromSeconds(20);
        for (var id = 1; began.Elapsed < warm + TimeSpan.FromSeconds(boundaries); id = id % 60_000 + 1)
        {
            if (before.Count == 0 && began.Elapsed >= warm)
            {
                before = await MetricsAsync(http);
                latencies.Clear();
            }
            var sent = Stopwatch.GetTimestamp();
            await client.SendAsync(RawClient.Message("v1/acme/box", payload, 1, id));
            await client.ReceiveAsync(RawClient.PubAck);
            latencies.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
            await Task.Delay(_pause);
        }
        var after = await MetricsAsync(http);
        double Of(string name) => after.GetValueOrDefault(name) - before.GetValueOrDefault(name);
        latencies.Sort();
        return new(latencies, Of("foretier_flash_written_bytes_total"), Of("foretier_flash_syncs_total"), Of("foretier_window_prepared_total"), Of("foretier_window_prepared_used_total"));
    }

    private static async Task<Dictionary<string, double>> MetricsAsync(HttpClient http) => (await http.GetStringAsync("metrics")).Split('\n')
        .Where(line => line.Length > 0 && line[0] != '#' && line.LastIndexOf(' ') > 0)
        .Select(line => (Name: line[..line.LastIndexOf(' ')], Text: line[(line.LastIndexOf(' ') + 1)..]))
        .GroupBy(line => line.Name.Split('{')[0])
        .ToDictionary(group => group.Key, group => group.Sum(line => double.TryParse(line.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value : 0));

    private sealed record Arm(List<double> Latencies, double DeviceBytes, double Syncs, double Prepared, double Used)
    {
        public double At(double share) => Latencies[(int)Math.Min(Latencies.Count - 1, Latencies.Count * share)];
    }
}

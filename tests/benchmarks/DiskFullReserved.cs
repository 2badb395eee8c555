using System.Diagnostics;
using System.Globalization;
using System.Text;
using Foretier.Tests.Benchmarks.Ingest;

namespace Foretier.Tests.Benchmarks;

/// <summary>
/// A window opens on a file system that is full to the last byte. Where its file was made ahead its samples go in; the same without for comparison: there
/// they stay in the journal, until that is full.
/// </summary>
internal static class DiskFullReserved
{
    /// <summary>An hour is two seconds, so that the agent has seen a day and a half before it fills up: the file of the day that ends was made ahead too.</summary>
    private const int Rate = 1800;

    private static readonly TimeSpan _evening = TimeSpan.FromHours(32), _night = TimeSpan.FromHours(6);

    public static async Task<bool> RunAsync(string folder)
    {
        var (ahead, without) = (await RunAsync(folder, isAhead: true), await RunAsync(folder, isAhead: false));
        Console.WriteLine($"files of windows made ahead: {ahead}");
        Console.WriteLine($"not: {without}");
        // (Without, it may come by what the agent's spare file gives free.)
        return ahead is { IsSafe: true, Problem: null } && ahead.InFile > 0 && without.IsSafe && (without.Problem is not null || without.InFile < ahead.InFile);
    }

    private static async Task<Outcome> RunAsync(string folder, bool isAhead)
    {
        var data = Path.Combine(folder, isAhead ? "ahead" : "without");
        (string, string)[] settings = [("CLOCK", FormattableString.Invariant($"2026-03-01T15:00:00Z@{Rate}")), ("MODELS__DIRECTORY", "none"), ("HOT__JOURNALFILEBYTES", "4194304"), ("HOT__JOURNALFILES", "2"),
            ("HOT__RESERVEBYTES", "0"), ("HOT__QUIETAGE", "00:00:01"), ("HOT__FLUSHAGE", "00:00:02"), ("HOT__PACEDFLUSHBYTESPERDAY", "1000000000000"), ("ALLOCATE__RESERVEAHEAD", isAhead ? "02:00:00" : "00:00:00")];
        var fill = Path.Combine(folder, "fill");
        Broker? agent = await LoneAgent.StartAsync(data, settings);
        try
        {
            var acknowledged = 0L;
            var real = Stopwatch.StartNew();
            using (var client = await RawClient.LogInAsync(agent, "reserved"))
            {
                async Task PublishAsync(TimeSpan until)
                {
                    var random = new Random(1);
                    while (real.Elapsed * Rate < until)
                    {
                        var payload = string.Create(CultureInfo.InvariantCulture, $"{{\"a\":{random.NextDouble()},\"b\":{random.NextDouble()},\"c\":{random.NextDouble()}}}");
                        await client.SendAsync(RawClient.Message("v1/acme/box", Encoding.ASCII.GetBytes(payload), 1, (int)(acknowledged % 60_000) + 1));
                        await client.ReceiveAsync(RawClient.PubAck);
                        acknowledged++;
                        await Task.Delay(5);
                    }
                }
                await PublishAsync(_evening + TimeSpan.FromMinutes(40));
                DiskFull.Fill(fill);
                await PublishAsync(_evening + TimeSpan.FromHours(1) + _night);
            }
            using var http = LoneNode.Client(agent);
            var problem = System.Text.Json.JsonDocument.Parse(await http.GetStringAsync("healthz")).RootElement.GetProperty("problems").EnumerateArray()
                .Select(one => one.GetString()!).FirstOrDefault(one => one.Contains("window files", StringComparison.Ordinal));
            agent.Process.Kill();
            await agent.Process.WaitForExitAsync();
            agent.Dispose();
            agent = null;
            // What is in the next day's file, by its name; a file that is not finished has none.
            var file = new FileInfo(Path.Combine(data, "agent", "hot", "ssd", "20260303T000000Z-24h.g1.db"));
            var bytes = file.Exists ? file.Length : 0;
            File.Delete(fill);
            agent = await LoneAgent.StartAsync(data, settings);
            using var again = LoneNode.Client(agent);
            var answer = System.Text.Json.JsonDocument.Parse(await again.GetStringAsync("api/v1/query?series=acme/box/a&from=2026-03-01T00:00:00Z&to=2026-03-05T00:00:00Z&fn=count")).RootElement;
            var there = (long)answer.GetProperty("results")[0].GetProperty("points")[0][1].GetDouble();
            return new(acknowledged, there, bytes, problem);
        }
        finally
        {
            agent?.Dispose();
            File.Delete(fill);
        }
    }

    private sealed record Outcome(long Acknowledged, long There, long InFile, string? Problem)
    {
        public bool IsSafe => Acknowledged == There;

        public override string ToString() => string.Create(CultureInfo.InvariantCulture,
            $"{Acknowledged:N0} messages acknowledged, {There:N0} there after a kill; {InFile:N0} bytes in the file of the window that opened on the full disk; {Problem ?? "no problem said"}");
    }
}

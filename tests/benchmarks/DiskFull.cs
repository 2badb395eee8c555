using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Foretier.Client.Mqtt;
using Foretier.Tests.Benchmarks.Ingest;

namespace Foretier.Tests.Benchmarks;

/// <summary>An agent on a file system of its own that fills up again and again while it is published to.</summary>
internal static class DiskFull
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <param name="folder">Where a small file system is mounted that may be filled.</param>
    public static async Task<bool> RunAsync(string folder, int rounds)
    {
        var seed = Environment.TickCount;
        Console.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var acknowledged = 0L;
        (string, string)[] settings = [("HOT__JOURNALFILEBYTES", "262144"), ("HOT__JOURNALFILES", "2"), ("HOT__RESERVEBYTES", "0"),
            ("HOT__QUIETAGE", "00:00:01"), ("HOT__FLUSHAGE", "00:00:02")];
        var agent = await LoneAgent.StartAsync(folder, settings);
        try
        {
            using var stop = new CancellationTokenSource();
            var publisher = await MqttPublisher.ConnectAsync(agent.Mqtt("diskfull", 200) with { StartPatience = Patience }, ack => Interlocked.Add(ref acknowledged, ack.IsRefused ? 0 : 1), TimeProvider.System, CancellationToken.None);
            var publishing = PublishAsync(publisher, new Random(seed), stop.Token);
            for (var round = 1; round <= rounds; round++)
            {
                await AdvancesAsync(() => Interlocked.Read(ref acknowledged), 2000, "messages are acknowledged");
                // Every other time for so long that journal and memory fill up too.
                var isLong = round % 2 == 0;
                Console.WriteLine($"round {round} of {rounds}: full after {acknowledged:N0} acknowledgements");
                Fill(Path.Combine(folder, "fill"));
                var said = await SaysAsync(agent, isLong ? "wait at their senders" : "free some space");
                Console.WriteLine($"  the agent says: {said}");
                await Task.Delay(TimeSpan.FromSeconds(1 + random.Next(4)));
                await CountAsync(agent); // it answers
                File.Delete(Path.Combine(folder, "fill"));
                await SaysAsync(agent, null);
            }
            await AdvancesAsync(() => Interlocked.Read(ref acknowledged), 2000, "messages are acknowledged");
            await stop.CancelAsync();
            var published = await publishing;
            using var drain = new CancellationTokenSource(Patience);
            await publisher.DrainAsync(drain.Token);
            await publisher.DisposeAsync();
            agent.Process.Kill();
            await agent.Process.WaitForExitAsync();
            agent = await LoneAgent.StartAsync(folder, settings);
            var count = await CountAsync(agent);
            Console.WriteLine($"published {published:N0}, acknowledged {acknowledged:N0}, there after a kill {count:N0}");
            return count == published && acknowledged == published;
        }
        catch (TimeoutException missed)
        {
            Console.Error.WriteLine($"diskfull: {missed.Message}");
            return false;
        }
        finally
        {
            agent.Dispose();
        }
    }

    /// <summary>Each message has a time of its own, so that samples can be counted; and a value that does not compress, so that they need space.</summary>
    private static async Task<long> PublishAsync(MqttPublisher publisher, Random values, CancellationToken stop)
    {
        var topic = "v1/acme/box/t"u8.ToArray();
        var start = DateTimeOffset.UtcNow.AddDays(-1).ToUnixTimeMilliseconds();
        for (var n = 0L; ; n++)
        {
            if (stop.IsCancellationRequested)
            {
                return n;
            }
            var payload = string.Create(CultureInfo.InvariantCulture, $"{{\"v\":{values.NextDouble()},\"t\":{start + n}}}");
            await publisher.PublishAsync(topic, Encoding.ASCII.GetBytes(payload), n, CancellationToken.None);
            if (n % 20 == 0)
            {
                await Task.Delay(1, CancellationToken.None);
            }
        }
    }

    /// <summary>Takes every byte that is left.</summary>
    public static void Fill(string path)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
        for (var block = new byte[1024 * 1024]; block.Length >= 512;)
        {
            try
            {
                file.Write(block);
            }
            catch (IOException)
            {
                block = new byte[block.Length / 2];
            }
        }
    }

    private static async Task AdvancesAsync(Func<long> count, long by, string what)
    {
        var (from, began) = (count(), Stopwatch.GetTimestamp());
        while (count() < from + by)
        {
            if (Stopwatch.GetElapsedTime(began) > Patience)
            {
                throw new TimeoutException($"within {Patience.TotalSeconds} s it did not come about that {what}: {count() - from} of {by}");
            }
            await Task.Delay(20);
        }
    }

    /// <summary>Waits until the agent's health names a problem with these words; null: until it names none.</summary>
    private static async Task<string> SaysAsync(Broker agent, string? words)
    {
        using var http = LoneNode.Client(agent);
        var began = Stopwatch.GetTimestamp();
        while (true)
        {
            var health = JsonDocument.Parse(await http.GetStringAsync("healthz")).RootElement.GetProperty("problems");
            // The map is written by the hour, and its word on that stands as long.
            var problems = health.EnumerateArray().Select(p => p.GetString()!).Where(p => !p.Contains("partition-map", StringComparison.Ordinal)).ToList();
            if (words is null ? problems.Count == 0 : problems.Exists(p => p.Contains(words, StringComparison.Ordinal)))
            {
                return string.Join(" | ", problems);
            }
            if (Stopwatch.GetElapsedTime(began) > Patience)
            {
                throw new TimeoutException($"the agent's health is {health} instead of {words ?? "none"}");
            }
            await Task.Delay(100);
        }
    }

    private static async Task<long> CountAsync(Broker agent)
    {
        using var http = LoneNode.Client(agent);
        var answer = JsonDocument.Parse(await http.GetStringAsync("api/v1/query?series=acme/box/t&from=-2d&fn=count")).RootElement;
        return (long)answer.GetProperty("results")[0].GetProperty("points")[0][1].GetDouble();
    }
}

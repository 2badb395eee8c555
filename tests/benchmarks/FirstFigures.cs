using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text;
using Foretier.Client.Mqtt;

namespace Foretier.Tests.Benchmarks;

/// <summary>What the main job costs, end to end, with real processes on this machine: a start to improve on.</summary>
internal static class FirstFigures
{
    private const int Connections = 20;
    private const int Window = 100;
    private const int Messages = 400_000;
    private const int Batches = 4_000;
    private const int PointsPerBatch = 500;
    private const int Series = 100;
    private const int Queries = 200;

    /// <summary>2026-01-01: a past day, so that every tier can hold it.</summary>
    private const long Start = 1_767_225_600;

    public static async Task RunAsync(CancellationToken cancel)
    {
        await using var site = await Site.StartAsync();
        var random = new Random(1);

        Print("single messages, QoS 1, durable", $"{await PublishAsync(site, Messages, i => Single(i, random), cancel):N0} messages/s");
        var batches = await PublishAsync(site, Batches, i => Batch(i, random), cancel);
        Print($"batches of {PointsPerBatch} points", $"{batches * PointsPerBatch:N0} points/s");
        Print("RSS after ingest", Memory(site));

        await QueryAsync(site, "hot");
        foreach (var tier in new[] { "hdd", "archive" })
        {
            var moved = await site.Http.PostAsJsonAsync("api/v1/tier/move", new { to = tier, wait = true }, cancel);
            moved.EnsureSuccessStatusCode();
            await QueryAsync(site, tier);
        }
        Print("RSS at the end", Memory(site));
    }

    /// <summary>A reading of one sensor: about 30 bytes.</summary>
    private static (string Topic, string Payload) Single(int i, Random random) =>
        (TopicOf(i), string.Create(CultureInfo.InvariantCulture, $"{{\"t\":{Start + i / Series},\"v\":{Reading(i, random)}}}"));

    /// <summary>Timed pairs of one sensor, a second apart.</summary>
    private static (string Topic, string Payload) Batch(int i, Random random)
    {
        var text = new StringBuilder("[");
        for (var p = 0; p < PointsPerBatch; p++)
        {
            text.Append(p == 0 ? "" : ",").Append(CultureInfo.InvariantCulture, $"[{Start + 20_000 + i / Series * PointsPerBatch + p},{Reading(p, random)}]");
        }
        return (TopicOf(i), text.Append(']').ToString());
    }

    private static string TopicOf(int i) => $"v1/acme/{SensorOf(i)}";

    private static string SensorOf(int i) => $"dev{i % 10}/m{i / 10 % (Series / 10)}";

    private static double Reading(int i, Random random) => Math.Round(20 + 5 * Math.Sin(i / 5_000.0) + random.NextDouble() * 0.2, 2);

    private static async Task<double> PublishAsync(Site site, int count, Func<int, (string Topic, string Payload)> make, CancellationToken cancel)
    {
        var messages = Enumerable.Range(0, count).Select(make).Select(m => (Topic: Encoding.UTF8.GetBytes(m.Topic), Payload: Encoding.UTF8.GetBytes(m.Payload))).ToList();
        long refused = 0;
        await using var publishers = await MqttPublisherGroup.ConnectAsync(site.Mqtt($"bench-{count}", Window), Connections,
            ack => refused += ack.IsRefused ? 1 : 0, TimeProvider.System, cancel);
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < count; i++)
        {
            await publishers.PublishAsync(i, messages[i].Topic, messages[i].Payload, i, cancel);
        }
        await publishers.DrainAsync(cancel);
        return refused == 0 ? count / clock.Elapsed.TotalSeconds : throw new InvalidOperationException($"{refused} messages were refused");
    }

    private static async Task QueryAsync(Site site, string name)
    {
        // The catalog follows within a second.
        await Task.Delay(1_500);
        foreach (var tier in (await site.GetAsync("api/v1/tier")).GetProperty("tiers").EnumerateArray())
        {
            var samples = tier.GetProperty("samples").GetInt64();
            Print($"{name}: {tier.GetProperty("tier").GetString()}@{tier.GetProperty("node").GetString()}",
                $"{samples:N0} samples, {tier.GetProperty("bytes").GetInt64() / (double)samples:0.00} bytes a sample");
        }
        await TimeAsync(site, $"{name}: 1 series, an hour, 1m avg", i => Ask(i, Start + 20_000, Start + 23_600, "&step=1m&fn=avg"));
        await TimeAsync(site, $"{name}: 10 series, all day, 1h max", i => $"api/v1/query?series=acme/dev{i % 10}/*&from={Start}&to={Start + 86_400}&step=1h&fn=max");
        await TimeAsync(site, $"{name}: 1 series, 10 minutes, raw", i => Ask(i, Start + 22_000, Start + 22_600, "&fn=raw"));
    }

    private static string Ask(int i, long from, long to, string rest) => $"api/v1/query?series=acme/{SensorOf(i)}&from={from}&to={to}{rest}";

    private static async Task TimeAsync(Site site, string name, Func<int, string> path)
    {
        const int warmUps = 20;
        var times = new List<double>();
        for (var i = 0; i < Queries + warmUps; i++)
        {
            var started = Stopwatch.GetTimestamp();
            await site.Http.GetByteArrayAsync(path(i));
            if (i >= warmUps)
            {
                times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            }
        }
        times.Sort();
        Print(name, $"p50 {times[times.Count / 2]:0.00} ms, p99 {times[times.Count * 99 / 100]:0.00} ms");
    }

    private static string Memory(Site site) => string.Join(", ", new[] { "agent", "gateway", "router" }.Select(node => $"{node} {site.Resident(node):0} MB"));

    private static void Print(string what, string figure) => Console.WriteLine($"{what,-44} {figure}");
}

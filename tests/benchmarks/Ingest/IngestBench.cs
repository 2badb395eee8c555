using System.Globalization;
using System.Text;
using Foretier.Client.Mqtt;

namespace Foretier.Tests.Benchmarks.Ingest;

/// <summary>What ingest costs, and against mosquitto on the same machine in the same run. Each ratio is of the best of some runs in turn.</summary>
internal static class IngestBench
{
    private const int Publishers = 100;
    private const int Window = 20;

    /// <summary>Messages a publisher writes at once when it is paced at a high rate; at full speed it is whatever its window has room for.</summary>
    private const int Together = 5;
    private const int PayloadBytes = 100;
    private const int Rounds = 3;
    private const double GigabytesADay = 86_400 / 1e9;
    private static readonly TimeSpan RoundTime = TimeSpan.FromSeconds(5);

    private static readonly Dictionary<string, Func<Targets, BenchDisk, Task>> Parts = new()
    {
        ["rate"] = RateAsync,
        ["points"] = PointsAsync,
        ["cpu"] = CpuAsync,
        ["memory"] = MemoryAsync,
        ["flash"] = FlashAsync,
    };

    public static IEnumerable<string> PartNames => Parts.Keys;

    /// <param name="parts">Which of <see cref="PartNames"/>; all where there is none.</param>
    /// <returns>True where every target is met.</returns>
    public static async Task<bool> RunAsync(IReadOnlyCollection<string> parts)
    {
        var targets = new Targets();
        using var disk = BenchDisk.Make();
        Console.WriteLine(disk.IsDevice ? "data on an ext4 file system of its own; bytes counted at the device" : "no loop device here: bytes counted as the process wrote them");
        foreach (var (name, run) in Parts)
        {
            if (parts.Count == 0 || parts.Contains(name))
            {
                await run(targets, disk);
            }
        }
        return targets.AllMet;
    }

    private static async Task RateAsync(Targets targets, BenchDisk disk) =>
        await AckTimeAsync(targets, disk, await TopRateAsync(targets, disk) / 2);

    private static async Task<double> TopRateAsync(Targets targets, BenchDisk disk)
    {
        Console.WriteLine($"durable QoS 1, {PayloadBytes}-byte messages, {Publishers} publishers, window {Window}");
        using var agent = await LoneAgent.StartPublishedAsync(Folder(disk, "top"));
        using var mosquitto = await Mosquitto.StartAsync(disk.Folder);
        double ours = 0, theirs = 0, acked = 0;
        for (var round = 0; round < Rounds; round++)
        {
            using (var load = await MqttLoad.ConnectAsync(agent, Publishers, Window, PayloadBytes))
            {
                ours = Math.Max(ours, (await load.FullSpeedAsync(RoundTime)).Rate);
            }
            if (mosquitto is not null)
            {
                await using var subscriber = await Subscriber.ConnectAsync(mosquitto);
                using var load = await MqttLoad.ConnectAsync(mosquitto, Publishers, Window, PayloadBytes);
                var result = await load.FullSpeedAsync(RoundTime);
                // A delivery is a PUBLISH without packet id.
                var delivered = subscriber.Bytes / (double)(2 + 2 + "v1/acme/dev0000/m00".Length + PayloadBytes);
                (theirs, acked) = (Math.Max(theirs, delivered / result.Seconds), Math.Max(acked, result.Rate));
            }
        }
        Targets.Tell("Foretier, acknowledged durably", Rate(ours));
        if (mosquitto is null)
        {
            Targets.Tell("mosquitto", "not installed, no ratio");
        }
        else
        {
            Targets.Tell("mosquitto, delivered to one subscriber, not durable", Rate(theirs));
            targets.AtLeast("Foretier / mosquitto", ours / theirs, 1.5, "×");
        }
        targets.AtMost("RSS at top rate (peak)", ProcessFigures.PeakMegabytes(agent.Pid), 300, "MB");
        return ours;
    }

    private static async Task PointsAsync(Targets targets, BenchDisk disk)
    {
        const int warmUp = 6_000;
        const int batches = 6_000;
        const int pointsPerBatch = 500;
        const int series = 100;
        using var agent = await LoneAgent.StartPublishedAsync(Folder(disk, "points"));
        var messages = Enumerable.Range(0, warmUp + batches).Select(i => (
            Topic: Encoding.UTF8.GetBytes($"v1/acme/dev{i % 10}/m{i / 10 % (series / 10)}"),
            Payload: Encoding.UTF8.GetBytes("[" + string.Join(",", Enumerable.Range(0, pointsPerBatch).Select(p => string.Create(CultureInfo.InvariantCulture,
                $"[{1_767_225_600 + i / series * pointsPerBatch + p},{20 + 5 * Math.Sin((i + p) / 500.0):0.00}]"))) + "]"))).ToList();
        long refused = 0;
        await using var group = await MqttPublisherGroup.ConnectAsync(agent.Mqtt("points", 50), 10,
            ack => refused += ack.IsRefused ? 1 : 0, TimeProvider.System, CancellationToken.None);
        // The first seconds of a process are those of the compiler.
        await PublishAsync(0, warmUp);
        var before = ProcessFigures.CpuSeconds(agent.Pid);
        var started = System.Diagnostics.Stopwatch.GetTimestamp();
        await PublishAsync(warmUp, warmUp + batches);
        var seconds = System.Diagnostics.Stopwatch.GetElapsedTime(started).TotalSeconds;
        targets.AtLeast($"batches of {pointsPerBatch} points", refused == 0 ? batches * (double)pointsPerBatch / seconds : 0, 1_000_000, "points/s");
        Targets.Tell("    CPU a million points", $"{(ProcessFigures.CpuSeconds(agent.Pid) - before) / (batches * pointsPerBatch / 1e6):0.00} s");

        async Task PublishAsync(int from, int to)
        {
            for (var i = from; i < to; i++)
            {
                await group.PublishAsync(i, messages[i].Topic, messages[i].Payload, i, CancellationToken.None);
            }
            await group.DrainAsync(CancellationToken.None);
        }
    }

    private static async Task AckTimeAsync(Targets targets, BenchDisk disk, double rate)
    {
        using var agent = await LoneAgent.StartPublishedAsync(Folder(disk, "ack"), ("HOT__COMMITINTERVAL", "00:00:00.005"));
        using var load = await MqttLoad.ConnectAsync(agent, Publishers, 1_000, PayloadBytes);
        // The first seconds of a process are those of the compiler. (Five messages a write: one each would be half of a top rate of that kind, and the load's limit.)
        await load.PacedAsync(rate / 4, TimeSpan.FromSeconds(2), Together);
        await load.PacedAsync(rate, TimeSpan.FromSeconds(10), Together);
        using var warm = await MqttLoad.ConnectAsync(agent, Publishers, 1_000, PayloadBytes);
        var result = await warm.PacedAsync(rate, TimeSpan.FromSeconds(12), Together);
        Targets.Tell($"PUBACK at {Rate(result.Rate)}, commit every 5 ms: p50", Milliseconds(result.Percentile(0.5)));
        targets.AtMost("    p99", result.Percentile(0.99), 25, "ms");
    }

    private static async Task CpuAsync(Targets targets, BenchDisk disk)
    {
        const int connections = 200;
        const double rate = 2_000;
        using var agent = await LoneAgent.StartPublishedAsync(Folder(disk, "cpu"));
        var ours = await MicrosecondsAMessageAsync(agent);
        Targets.Tell($"CPU a message, {rate:0}/s over {connections} connections", $"{ours:0.0} µs");
        using var mosquitto = await Mosquitto.StartAsync(disk.Folder);
        if (mosquitto is not null)
        {
            var theirs = await MicrosecondsAMessageAsync(mosquitto);
            Targets.Tell("    mosquitto, nobody subscribed", $"{theirs:0.0} µs");
            targets.AtMost("    Foretier / mosquitto", ours / theirs, 3, "×");
        }

        static async Task<double> MicrosecondsAMessageAsync(Broker broker)
        {
            using var load = await MqttLoad.ConnectAsync(broker, connections, Window, PayloadBytes);
            await load.PacedAsync(rate, TimeSpan.FromSeconds(10));
            using var warm = await MqttLoad.ConnectAsync(broker, connections, Window, PayloadBytes);
            var before = ProcessFigures.CpuSeconds(broker.Pid);
            var result = await warm.PacedAsync(rate, TimeSpan.FromSeconds(15));
            return (ProcessFigures.CpuSeconds(broker.Pid) - before) / result.Acknowledged * 1e6;
        }
    }

    private static async Task MemoryAsync(Targets targets, BenchDisk disk)
    {
        // A full hour of the agent's clock is among the forty seconds, and its day is that of the samples: what is older than a month is not forecast.
        using var agent = await LoneAgent.StartPublishedAsync(Folder(disk, "memory"), ("CLOCK", "2026-01-01T00:50:00Z@60"));
        using var load = await MqttLoad.ConnectAsync(agent, 1_000, Window, PayloadBytes, seriesEach: 10);
        await load.PacedAsync(2_000, TimeSpan.FromSeconds(40));
        targets.AtMost("RSS with 1,000 connections and 10,000 series (peak)", ProcessFigures.PeakMegabytes(agent.Pid), 150, "MB");
    }

    private static async Task FlashAsync(Targets targets, BenchDisk disk)
    {
        const double slow = 100;
        const double busy = 20_000;
        using (var agent = await LoneAgent.StartPublishedAsync(Folder(disk, "slow")))
        {
            // What a start writes once is not of every minute: its map, its first forecasts, and the credit for commits at once, which is over when they wait.
            for (var (slices, p50) = (0, 0.0); slices < 4 || (p50 < 100 && slices < 18); slices++)
            {
                using var load = await MqttLoad.ConnectAsync(agent, Publishers, Window, PayloadBytes);
                p50 = (await load.PacedAsync(2 * slow, TimeSpan.FromSeconds(10))).Percentile(0.5);
            }
            disk.Sync();
            var before = disk.WrittenBytes(agent.Pid);
            using var more = await MqttLoad.ConnectAsync(agent, Publishers, Window, PayloadBytes);
            // A whole minute, so that the flush of a window's oldest samples is in it.
            var result = await more.PacedAsync(slow, TimeSpan.FromSeconds(66));
            disk.Sync();
            targets.AtMost($"flash at {slow:0} single messages/s", (disk.WrittenBytes(agent.Pid) - before) / result.Seconds * GigabytesADay, 1.5, "GB/day");
            Targets.Tell("    PUBACK p50, p99", $"{Milliseconds(result.Percentile(0.5))}, {Milliseconds(result.Percentile(0.99))}");
        }
        using (var agent = await LoneAgent.StartPublishedAsync(Folder(disk, "busy")))
        {
            using var load = await MqttLoad.ConnectAsync(agent, Publishers, 1_000, 32);
            disk.Sync();
            var before = disk.WrittenBytes(agent.Pid);
            var result = await load.PacedAsync(busy, TimeSpan.FromSeconds(15));
            await Task.Delay(TimeSpan.FromSeconds(8)); // the flush after the last sample belongs to it
            disk.Sync();
            targets.AtMost($"device bytes a 32-byte record at {busy:0}/s", (disk.WrittenBytes(agent.Pid) - before) / (double)result.Acknowledged, 100, "B");
        }
    }

    private static string Folder(BenchDisk disk, string name) => Directory.CreateDirectory(Path.Combine(disk.Folder, name)).FullName;

    private static string Rate(double perSecond) => string.Create(CultureInfo.InvariantCulture, $"{perSecond:N0} messages/s");

    private static string Milliseconds(double time) => string.Create(CultureInfo.InvariantCulture, $"{time:0.0} ms");
}

using System.Globalization;
using System.Text;
using Foretier.Tests.Benchmarks.Ingest;

namespace Foretier.Tests.Benchmarks;

/// <summary>What clients in great number, or in bad faith, do to a real agent. Its fast part runs with the unit tests.</summary>
internal sealed class ProtocolMode(Broker agent)
{
    private const string Usage = """
        usage: scripts/protocol [idle] [reconnect] [slow] [oversize] [order]
          Starts the agent alone with its default settings, and
          idle       compares the publish rate without and with 4,000 connected subscribers of other devices (ratio at least 0.5)
          reconnect  comes back 4,000 times under one client id, the connection before still open: the newest must answer, the older be closed
          slow       delivers 200 MB to one subscriber, then 200 MB more while a second does not read: peak memory within 32 MB more, the first gets all
          oversize   announces 256 MB before the log-in on 1,000 connections: all closed, memory within 32 MB more
          order      100,000 messages of QoS 1 and 2 on 20 connections at full load: each acknowledged once, in their order
          Without a name all run. Nothing is random.
        Exit code 1 where one does not hold.
        """;

    private const string Command = "spBv1.0/acme/NCMD/boiler-1";

    public static async Task<int> RunAsync(IReadOnlyList<string> args)
    {
        var parts = new Dictionary<string, Func<ProtocolMode, Targets, Task>>
        {
            ["idle"] = (mode, targets) => mode.IdleAsync(targets),
            ["reconnect"] = (mode, targets) => mode.ReconnectAsync(targets),
            ["slow"] = (mode, targets) => mode.SlowAsync(targets),
            ["oversize"] = (mode, targets) => mode.OversizeAsync(targets),
            ["order"] = (mode, targets) => mode.OrderAsync(targets),
        };
        if (args.FirstOrDefault(arg => !parts.ContainsKey(arg)) is { } unknown)
        {
            Console.Error.WriteLine(Usage);
            return unknown is "--help" or "-h" ? 0 : 2;
        }
        var targets = new Targets();
        foreach (var (name, run) in parts.Where(p => args.Count == 0 || args.Contains(p.Key)))
        {
            Console.WriteLine(name);
            var folder = Directory.CreateTempSubdirectory("foretier-protocol-").FullName;
            try
            {
                using var agent = await LoneAgent.StartAsync(folder);
                await run(new(agent), targets);
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }
        return targets.AllMet ? 0 : 1;
    }

    private async Task IdleAsync(Targets targets)
    {
        const int subscribers = 4_000;
        await RateAsync(); // the compiler's
        var alone = await RateAsync();
        var idle = new List<RawClient>();
        for (var i = 0; i < subscribers; i++)
        {
            var client = await RawClient.LogInAsync(agent, $"idle-{i}");
            await client.SubscribeAsync($"v1/acme/idle-{i}/#");
            idle.Add(client);
            Progress(i + 1, subscribers, "subscribers");
        }
        var beside = await RateAsync();
        Targets.Tell($"RSS with {subscribers:N0} subscribers", Megabytes(ProcessFigures.ResidentMegabytes(agent.Pid)));
        idle.ForEach(client => client.Dispose());
        alone = Math.Max(alone, await RateAsync());
        Targets.Tell("publish rate without subscribers", $"{alone:N0} messages/s");
        Targets.Tell($"publish rate beside {subscribers:N0} idle subscribers", $"{beside:N0} messages/s");
        targets.AtLeast("beside / without", beside / alone, 0.5, "×");

        async Task<double> RateAsync()
        {
            var best = 0.0;
            for (var round = 0; round < 2; round++)
            {
                using var load = await MqttLoad.ConnectAsync(agent, 100, 20, 100);
                best = Math.Max(best, (await load.FullSpeedAsync(TimeSpan.FromSeconds(3))).Rate);
            }
            return best;
        }
    }

    private async Task ReconnectAsync(Targets targets)
    {
        const int times = 4_000;
        var (answered, closed) = (0, 0);
        RawClient? last = null;
        for (var i = 0; i < times; i++)
        {
            var next = await RawClient.LogInAsync(agent, "same");
            await next.PingAsync();
            answered++;
            if (last is not null)
            {
                closed += await last.TryReceiveAsync(0) is null ? 1 : 0;
                last.Dispose();
            }
            last = next;
            Progress(i + 1, times, "reconnects");
        }
        await last!.PingAsync();
        last.Dispose();
        targets.AtLeast("new connections that live", answered, times, "");
        targets.AtLeast("older connections closed", closed, times - 1, "");
    }

    private async Task SlowAsync(Targets targets)
    {
        const int messages = 20_000;
        const int window = 50;
        using var reading = await RawClient.LogInAsync(agent, "reading");
        await reading.SubscribeAsync(Command);
        using var publisher = await RawClient.LogInAsync(agent, "publisher");
        // What passes through leaves garbage, and with that the process grows to what suits its collector: that is not held by anybody.
        await DeliverAsync("messages to one who reads");
        var before = ProcessFigures.PeakMegabytes(agent.Pid);
        using var stuck = await RawClient.LogInAsync(agent, "stuck");
        await stuck.SubscribeAsync(Command);
        await DeliverAsync("messages beside one who does not");
        Targets.Tell("peak RSS before the one who does not read", Megabytes(before));
        targets.AtMost("peak RSS more than that", ProcessFigures.PeakMegabytes(agent.Pid) - before, 32, "MB");
        using var http = LoneNode.Client(agent);
        var dropped = (await http.GetStringAsync("metrics")).Split('\n').First(l => l.StartsWith("foretier_mqtt_deliveries_dropped_total ", StringComparison.Ordinal));
        targets.AtLeast("deliveries dropped and counted", double.Parse(dropped.Split(' ')[1], CultureInfo.InvariantCulture), 1, "");

        async Task DeliverAsync(string what)
        {
            var payload = new byte[10_000];
            var (acknowledged, received) = (0, 0);
            for (var i = 0; i < messages; i += window)
            {
                await publisher.SendAsync([.. Enumerable.Range(1, window).SelectMany(id => RawClient.Message(Command, payload, 1, id))]);
                for (var id = 1; id <= window; id++)
                {
                    await publisher.ReceiveAsync(RawClient.PubAck);
                    acknowledged++;
                    received += (await reading.ReceiveAsync(RawClient.Publish)).Length > payload.Length ? 1 : 0;
                }
                Progress(acknowledged, messages, what);
            }
            targets.AtLeast("acknowledged", acknowledged, messages, "");
            targets.AtLeast("received by who reads", received, messages, "");
        }
    }

    private async Task OversizeAsync(Targets targets)
    {
        const int times = 1_000;
        (await RawClient.LogInAsync(agent, "warm")).Dispose();
        var before = ProcessFigures.ResidentMegabytes(agent.Pid);
        var open = Enumerable.Range(0, times).Select(_ => RawClient.Open(agent)).ToList();
        foreach (var client in open)
        {
            await client.SendAsync([0x10, 0xFF, 0xFF, 0xFF, 0x7F, .. Encoding.ASCII.GetBytes("MQTT")]);
        }
        var closed = 0;
        foreach (var client in open)
        {
            closed += await client.TryReceiveAsync(0) is null ? 1 : 0;
            client.Dispose();
            Progress(closed, times, "closed");
        }
        targets.AtLeast("closed without an answer", closed, times, "");
        Targets.Tell("RSS before", Megabytes(before));
        targets.AtMost("peak RSS more than before", ProcessFigures.PeakMegabytes(agent.Pid) - before, 32, "MB");
        using var after = await RawClient.LogInAsync(agent, "after");
        await after.PingAsync();
    }

    private async Task OrderAsync(Targets targets)
    {
        const int connections = 20;
        const int batches = 50;
        const int window = 100;
        var inOrder = await Task.WhenAll(Enumerable.Range(0, connections).Select(n => Task.Run(async () =>
        {
            using var client = await RawClient.LogInAsync(agent, $"order-{n}");
            var good = 0;
            for (var batch = 0; batch < batches; batch++)
            {
                // Every tenth of QoS 2; the order of ids is no order of numbers.
                var sent = Enumerable.Range(0, window).Select(i => (Id: 1 + i * 37 % window, Qos: i % 10 == 9 ? 2 : 1)).ToList();
                await client.SendAsync([.. sent.SelectMany(m => RawClient.Message($"v1/acme/order-{n}/m", Encoding.ASCII.GetBytes($"{m.Id}"), m.Qos, m.Id))]);
                foreach (var (id, qos) in sent)
                {
                    var ack = await client.ReceiveAsync(qos == 2 ? RawClient.PubRec : RawClient.PubAck);
                    good += (ack[0] << 8 | ack[1]) == id ? 1 : 0;
                }
                foreach (var (id, _) in sent.Where(m => m.Qos == 2))
                {
                    await client.SendAsync([0x62, 2, (byte)(id >> 8), (byte)id]);
                    await client.ReceiveAsync(7);
                }
            }
            return good;
        })));
        targets.AtLeast("acknowledged in order", inOrder.Sum(), connections * batches * window, "");
    }

    private static void Progress(int done, int of, string what)
    {
        if (done % (of / 4) == 0)
        {
            Console.WriteLine($"    {done,7:N0} of {of:N0} {what}");
        }
    }

    private static string Megabytes(double value) => string.Create(CultureInfo.InvariantCulture, $"{value:0} MB");
}

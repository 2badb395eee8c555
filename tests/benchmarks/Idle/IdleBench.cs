using System.Diagnostics;
using System.Globalization;
using Foretier.Tests.Benchmarks.Ingest;

namespace Foretier.Tests.Benchmarks.Idle;

/// <summary>
/// What an agent costs that nobody publishes to, published as for a box (Properties/PublishProfiles/Appliance.pubxml): start, memory, processor,
/// and the bytes that reach its device. Its hour has a forecast cycle in it.
/// </summary>
internal static class IdleBench
{
    private static readonly TimeSpan Settle = TimeSpan.FromMinutes(1);

    public static async Task<bool> RunAsync(string[] args)
    {
        var minutes = 60;
        string? program = null;
        for (var i = 0; i < args.Length; i++)
        {
            if (args[i] == "--minutes" && i + 1 < args.Length && int.TryParse(args[++i], CultureInfo.InvariantCulture, out minutes) && minutes > 0)
            {
                continue;
            }
            if (args[i] == "--program" && i + 1 < args.Length && File.Exists(args[++i]))
            {
                program = args[i];
                continue;
            }
            await Console.Error.WriteLineAsync("bench: idle takes --minutes N and --program PATH of a published Foretier.Agent");
            return false;
        }
        using var disk = BenchDisk.Make();
        program ??= PublishedAgent.Program;
        var port = Broker.FreePort();
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true };
        foreach (var (key, value) in new[]
        {
            ("FORETIER__NODE", "edge-1"), ("FORETIER__DATA", Path.Combine(disk.Folder, "data")), ("FORETIER__HTTP", $"http://127.0.0.1:{port}"),
            ("FORETIER__MQTT__PORT", $"{Broker.FreePort()}"), ("DOTNET_EnableWriteXorExecute", "0"), LoneNode.AgentHeap, ("DOTNET_EnableDiagnostics", "0"), ("MALLOC_ARENA_MAX", "2"),
        })
        {
            start.Environment[key] = value;
        }
        // A box starts with its files there already.
        using (var first = Start(start, port, out _, out _))
        {
            End(first);
        }
        using var agent = Start(start, port, out var seconds, out var processor);
        try
        {
            var targets = new Targets();
            targets.AtMost("healthz after the start of the process", seconds, 2, $"s ({processor:0.00} s of processor)");
            await Task.Delay(Settle);
            disk.Sync();
            var (written, cpu, began) = (disk.WrittenBytes(agent.Id), ProcessFigures.CpuSeconds(agent.Id), Stopwatch.GetTimestamp());
            for (var minute = 0; minute < minutes; minute++)
            {
                await Task.Delay(TimeSpan.FromMinutes(1));
            }
            disk.Sync();
            var elapsed = Stopwatch.GetElapsedTime(began).TotalSeconds;
            Targets.Tell("measured", string.Create(CultureInfo.InvariantCulture, $"{elapsed:N0} s, {(disk.IsDevice ? "bytes at the device" : "bytes of the process only: not root")}"));
            targets.AtMost("RSS", ProcessFigures.ResidentMegabytes(agent.Id), 80, $"MB (peak {ProcessFigures.PeakMegabytes(agent.Id):0})");
            targets.AtMost("processor", (ProcessFigures.CpuSeconds(agent.Id) - cpu) / elapsed * 100, 1, "% of a core");
            targets.AtMost("flash writes", (disk.WrittenBytes(agent.Id) - written) / elapsed * 86_400 / 1e6, 20, "MB/day");
            return targets.AllMet;
        }
        finally
        {
            End(agent);
        }
    }

    private static Process Start(ProcessStartInfo start, int port, out double seconds, out double processor)
    {
        var began = Stopwatch.GetTimestamp();
        var agent = Process.Start(start)!;
        _ = agent.StandardOutput.ReadToEndAsync();
        using var http = new HttpClient { BaseAddress = new($"http://127.0.0.1:{port}") };
        while (!Answers(http))
        {
            if (agent.HasExited)
            {
                throw new InvalidOperationException($"the agent ended with exit code {agent.ExitCode}");
            }
            Thread.Sleep(20);
        }
        (seconds, processor) = (Stopwatch.GetElapsedTime(began).TotalSeconds, ProcessFigures.CpuSeconds(agent.Id));
        return agent;
    }

    private static bool Answers(HttpClient http)
    {
        try
        {
            using var answer = http.Send(new(HttpMethod.Get, "/healthz"));
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static void End(Process agent)
    {
        agent.Send("TERM");
        agent.WaitForExit();
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Foretier.Tests.Benchmarks.Ingest;

namespace Foretier.Tests.Benchmarks;

/// <summary>Kills the agent's inference child over and over while samples come in, and compares time to PUBACK with and without.</summary>
internal sealed class ChildKillMode(int kills, int seed, Broker agent, HttpClient http)
{
    private const string Usage = """
        usage: scripts/childkill [--kills N] [--seed N]
          Starts the agent on a clock that passes an hour in two seconds, publishes 400 readings a second of 480 series to it, and kills the child process that
          runs its model at a random moment of its life (default 50 times, seed 1); between, blocks without kills. After each kill the cycle must go on with
          baselines, and the next one must have the model again. At the end every acknowledged reading must be accounted for, and the median p99 of the time to
          PUBACK with kills may be half above the worst of the blocks without (that is what noise is here), or 5 ms.
        Exit code 1 where that does not hold.
        """;

    private const int Publishers = 16, SeriesEach = 30, RatePerSecond = 400, KillsInBlock = 10;
    private static readonly TimeSpan _quiet = TimeSpan.FromSeconds(12), _patience = TimeSpan.FromSeconds(60);
    private readonly Random _random = new(seed);
    private long _acknowledged;
    private int _late;

    public static async Task<int> RunAsync(IReadOnlyList<string> args)
    {
        var (kills, seed) = (50, 1);
        for (var i = 0; i < args.Count; i += 2)
        {
            var value = i + 1 < args.Count ? args[i + 1] : "";
            if (!(args[i] == "--kills" && int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out kills) && kills > 0)
                && !(args[i] == "--seed" && int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out seed)))
            {
                Console.Error.WriteLine(Usage);
                return args[i] is "--help" or "-h" ? 0 : 2;
            }
        }
        Console.WriteLine($"{kills} kills, seed {seed}");
        var folder = Directory.CreateTempSubdirectory("foretier-childkill-").FullName;
        try
        {
            using var agent = await LoneAgent.StartAsync(folder, ("CLOCK", "2026-01-01T01:00:00Z@1800"));
            using var http = LoneNode.Client(agent);
            var failure = await new ChildKillMode(kills, seed, agent, http).RunAsync();
            Console.WriteLine(failure is null ? "forecasts were back within a cycle of every kill; nothing was lost" : $"FAILED: {failure}");
            return failure is null ? 0 : 1;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private async Task<string?> RunAsync()
    {
        await BlockAsync("warm-up", () => Task.Delay(_quiet));
        List<double> quiet = [], killed = [];
        for (var done = 0; done < kills;)
        {
            quiet.Add(await BlockAsync("no kills", () => Task.Delay(_quiet)));
            var upTo = Math.Min(kills, done + KillsInBlock);
            string? failure = null;
            killed.Add(await BlockAsync($"{upTo - done} kills", async () =>
            {
                for (; done < upTo && failure is null; done++)
                {
                    failure = await KillAsync();
                }
            }));
            if (failure is not null)
            {
                return failure;
            }
            Console.WriteLine($"{done,5} kills  {await MetricAsync("foretier_forecast_fallbacks_total"):0} cycles without the model  {_late} came when the answers were there already");
        }
        // The first commits of a start go at once, on credit: without this one few kills would be held against those alone.
        quiet.Add(await BlockAsync("no kills", () => Task.Delay(_quiet)));
        using var ledger = JsonDocument.Parse(await http.GetStringAsync("api/v1/ledger"));
        var accepted = ledger.RootElement.GetProperty("nodes")[0].GetProperty("accepted").GetInt64();
        if (accepted != _acknowledged || !ledger.RootElement.GetProperty("balanced").GetBoolean())
        {
            return $"{_acknowledged} readings were acknowledged and {accepted} accepted, balanced {ledger.RootElement.GetProperty("balanced")}";
        }
        killed.Sort();
        var (median, worst) = (killed[killed.Count / 2], quiet.Max());
        Console.WriteLine($"p99 of the time to PUBACK: {string.Join(", ", quiet.Select(p => p.ToString("0.0", CultureInfo.InvariantCulture)))} ms without kills; {string.Join(", ", killed.Select(p => p.ToString("0.0", CultureInfo.InvariantCulture)))} ms with");
        return median <= Math.Max(1.5 * worst, worst + 5) ? null : $"p99 with kills is {median:0.0} ms, without it is at most {worst:0.0} ms";
    }

    /// <summary>Publishes at a steady rate while something is done.</summary>
    /// <returns>p99 of the time to PUBACK, ms.</returns>
    private async Task<double> BlockAsync(string name, Func<Task> meanwhile)
    {
        using var load = await MqttLoad.ConnectAsync(agent, Publishers, 100, 40, SeriesEach);
        using var over = new CancellationTokenSource();
        var publishing = load.PacedAsync(RatePerSecond, over.Token);
        await meanwhile();
        await over.CancelAsync();
        var result = await publishing;
        _acknowledged += result.Acknowledged;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name,10}: {result.Acknowledged,7:N0} acknowledged, time to PUBACK p50 {result.Percentile(0.5):0.0} ms, p99 {result.Percentile(0.99):0.0} ms"));
        return result.Percentile(0.99);
    }

    /// <summary>Waits for a child, kills it, and sees that its cycle ends without it and that the next has a model again.</summary>
    private async Task<string?> KillAsync()
    {
        var watch = Stopwatch.StartNew();
        int? child;
        while ((child = ChildOf(agent.Process.Id)) is null)
        {
            if (watch.Elapsed > _patience)
            {
                return "no inference child was started within a minute";
            }
            await Task.Delay(2);
        }
        var (cycles, fallbacks) = (await MetricAsync("foretier_forecast_cycles_total"), await MetricAsync("foretier_forecast_fallbacks_total"));
        await Task.Delay(_random.Next(0, 500));
        try
        {
            using var process = Process.GetProcessById(child.Value);
            process.Kill();
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            // It had done its work and ended: as good a moment as any.
        }
        if (!await UntilAsync(async () => await MetricAsync("foretier_forecast_cycles_total") > cycles))
        {
            return "the cycle did not end after its child was killed";
        }
        _late += await MetricAsync("foretier_forecast_fallbacks_total") > fallbacks ? 0 : 1;
        var after = await MetricAsync("foretier_forecast_cycles_total");
        if (!await UntilAsync(async () => await MetricAsync("foretier_forecast_cycles_total") > after) || await MetricAsync("foretier_forecast_model") < 1)
        {
            return $"the cycle after a kill had no model: {await http.GetStringAsync("healthz")}";
        }
        return null;
    }

    private static async Task<bool> UntilAsync(Func<Task<bool>> holds)
    {
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < _patience; await Task.Delay(20))
        {
            if (await holds())
            {
                return true;
            }
        }
        return false;
    }

    private async Task<double> MetricAsync(string name)
    {
        var text = await http.GetStringAsync("metrics");
        var line = text.Split('\n').Single(line => line.StartsWith(name + " ", StringComparison.Ordinal));
        return double.Parse(line[(name.Length + 1)..], CultureInfo.InvariantCulture);
    }

    private static int? ChildOf(int parent)
    {
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            try
            {
                if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                    && File.ReadAllText(Path.Combine(folder, "stat")) is var stat && stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1] == $"{parent}"
                    && File.ReadAllText(Path.Combine(folder, "cmdline")).Contains("--inference-child", StringComparison.Ordinal))
                {
                    return id;
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It ended while it was looked at.
            }
        }
        return null;
    }
}

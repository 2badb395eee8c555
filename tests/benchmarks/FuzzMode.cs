using System.Diagnostics;
using System.Globalization;
using Foretier.Tests.Fuzz;

namespace Foretier.Tests.Benchmarks;

/// <summary>The long fuzz campaign over the packet and payload decoders; its fast part runs with the unit tests.</summary>
internal static class FuzzMode
{
    private const string Usage = """
        usage: scripts/fuzz [--cases N] [--seed N] [--target mqtt|payload|all]
          Mutates valid packets and payloads (default 1,000,000 cases, seed of the day) and checks for each decoder: nothing but its own
          refusals, bounded memory and time, only finite values and valid names and times accepted, all or nothing.
        Exit code 1 where a property fails; the input is printed in hex: keep it as tests/unit/Ingest/corpus/TARGET-name.hex.
        """;

    public static int Run(IReadOnlyList<string> args)
    {
        var (cases, seed, group) = (1_000_000L, (int)(DateTime.UtcNow.Ticks / TimeSpan.TicksPerDay), "all");
        for (var i = 0; i < args.Count; i += 2)
        {
            var value = i + 1 < args.Count ? args[i + 1] : "";
            var good = args[i] switch
            {
                "--cases" => long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out cases) && cases > 0,
                "--seed" => int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out seed),
                "--target" => (group = value) is "mqtt" or "payload" or "all",
                _ => false,
            };
            if (!good)
            {
                Console.Error.WriteLine(Usage);
                return args[i] is "--help" or "-h" ? 0 : 2;
            }
        }
        var targets = FuzzTarget.All().Where(t => group == "all" || t.Group == group).ToList();
        Console.WriteLine($"{cases:N0} cases over {string.Join(", ", targets.Select(t => t.Name))}; seed {seed}");
        var watch = Stopwatch.StartNew();
        var result = new FuzzCampaign(seed, TimeProvider.System).Run(targets, cases, done =>
        {
            if (done % 100_000 == 0)
            {
                Console.WriteLine($"{done,12:N0}  {watch.Elapsed.TotalSeconds,6:F0} s");
            }
        });
        Console.WriteLine($"{result.Cases:N0} cases, {result.Accepted:N0} accepted, slowest {result.Slowest.TotalMilliseconds:F1} ms, "
            + $"{watch.Elapsed.TotalSeconds:F0} s: {(result.Failure is null ? "all held" : "FAILED")}");
        if (result.Failure is not null)
        {
            Console.WriteLine(result.Failure);
        }
        return result.Failure is null ? 0 : 1;
    }
}

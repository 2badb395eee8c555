using System.Globalization;
using Foretier.Tests.Differential;

namespace Foretier.Tests.Benchmarks;

/// <summary>Random questions over random placements, each answer held against a naive oracle over the plain samples.</summary>
internal static class DifferentialMode
{
    /// <summary>Making a placement costs more than asking it.</summary>
    private const int QuestionsEach = 20;

    private const string Usage = """
        usage: scripts/differential [--cases N] [--seed S]
          --cases  questions that are asked, default 2000
          --seed   of the first placement, default 1; the next have S+1, S+2, … A failure names the one to repeat with --cases 1.
        Random series (gauges, counters with resets, states, bursts, gaps, late and corrected samples, days on which clocks change) are
        spread over memory, SSD, HDD and archive, and asked for every function with every step, zone, fill and grouping, whole and in pages.
        Exit code 1 where an answer differs from that of the plain samples by more than its tolerance.
        """;

    public static async Task<int> RunAsync(string[] args)
    {
        if (args.Contains("--help") || args.Contains("-h"))
        {
            Console.WriteLine(Usage);
            return 0;
        }
        int cases = 2000, seed = 1;
        for (var i = 0; i < args.Length; i += 2)
        {
            if (args[i] is not ("--cases" or "--seed") || i + 1 == args.Length
                || !int.TryParse(args[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            {
                await Console.Error.WriteLineAsync($"differential: '{string.Join(' ', args[i..])}' is not understood; see --help");
                return 2;
            }
            (cases, seed) = args[i] == "--cases" ? (number, seed) : (cases, number);
        }
        Console.WriteLine($"differential: {cases} cases from seed {seed}");
        var done = 0;
        for (var said = 0; done < cases; seed++)
        {
            try
            {
                done += await DifferentialCase.RunAsync(seed, QuestionsEach);
            }
            catch (InvalidOperationException difference)
            {
                await Console.Error.WriteLineAsync($"differential: {difference.Message}");
                return 1;
            }
            if (done - said >= 1000)
            {
                said = done;
                Console.WriteLine($"{done} cases, all as the oracle says, up to seed {seed}");
            }
        }
        Console.WriteLine($"{done} cases, all as the oracle says");
        return 0;
    }
}

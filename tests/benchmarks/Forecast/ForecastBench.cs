using System.Diagnostics;
using System.Globalization;
using Foretier.Predict.Models;

namespace Foretier.Tests.Benchmarks.Forecast;

/// <summary>What a cycle's inference costs in its child process, and whether the answers are those of the trained model.</summary>
internal static class ForecastBench
{
    public const string Usage = """
        usage: scripts/bench forecast [--series N] [--model DIR] [--program COMMAND]
          Forecasts N series (10,000) with volume-lstm in the agent's inference child, in batches of 100, and prints its processor time and peak memory.
        usage: scripts/bench golden [--program COMMAND]
          Holds the answers of every shipped model, through the child, against those of the trained one: 1e-4, relative above 1.
        --program: what to start instead of the agent beside this program, e.g. an emulator and an agent for another processor.
        """;

    private const double ProcessorSecondsMax = 2;
    private const long PeakBytesMax = 90L << 20;
    private const int Batch = 100;
    private const int Seed = 11;

    public static async Task<int> RunAsync(string[] args)
    {
        var series = 10_000;
        var model = Path.Combine(ModelFolder.Shipped, "volume-lstm");
        IReadOnlyList<string> program = [Environment.ProcessPath is { } path && Path.GetFileName(path) == "dotnet" ? path : "dotnet", "exec", Path.Combine(AppContext.BaseDirectory, "Foretier.Agent.dll")];
        for (var i = 1; i < args.Length; i += 2)
        {
            switch (i + 1 < args.Length ? args[i] : "")
            {
                case "--series" when args[0] == "forecast" && int.TryParse(args[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out series) && series > 0:
                    break;
                case "--model" when args[0] == "forecast":
                    model = args[i + 1];
                    break;
                case "--program":
                    program = args[i + 1].Split(' ', StringSplitOptions.RemoveEmptyEntries);
                    break;
                default:
                    Console.Error.WriteLine(Usage);
                    return 2;
            }
        }
        // Emulated, everything takes minutes.
        var options = new ChildOptions { Program = program, StartWithin = TimeSpan.FromMinutes(10), AnswerWithin = TimeSpan.FromMinutes(10), MemoryBytesMax = 4L << 30 };
        try
        {
            return await (args[0] == "golden" ? GoldenAsync(options) : ForecastAsync(model, series, options)) ? 0 : 1;
        }
        catch (InferenceException e)
        {
            Console.Error.WriteLine($"{args[0]}: {e.Message}");
            return 1;
        }
    }

    private static async Task<bool> ForecastAsync(string model, int series, ChildOptions options)
    {
        var random = new Random(Seed);
        using var self = Process.GetCurrentProcess();
        var begun = self.TotalProcessorTime;
        var clock = Stopwatch.StartNew();
        await using var child = await ChildInference.StartAsync(model, options, TimeProvider.System, CancellationToken.None);
        Console.WriteLine($"{child.Manifest.Id} {child.Manifest.Version}, {series:N0} series asked for in hundreds, seed {Seed}");
        Tensor[] inputs = [new(new float[Batch * 672], [Batch, 672]), new(new float[Batch * 192 * 4], [Batch, 192, 4])];
        for (var from = 0; from < series; from += Batch)
        {
            for (var i = 0; i < inputs[0].Values.Length; i++)
            {
                inputs[0].Values[i] = random.Next(5) == 0 ? -1 : random.Next(1 << (i / 672 % 12));
            }
            await child.RunAsync(inputs, CancellationToken.None);
        }
        var usage = child.Usage;
        Console.WriteLine($"child: {usage.Processor.TotalSeconds:0.00} s of processor, its start included (target ≤ {ProcessorSecondsMax} s); peak {usage.PeakBytes / 1048576.0:0.0} MB (target ≤ {PeakBytesMax >> 20} MB)");
        Console.WriteLine($"host: {(self.TotalProcessorTime - begun).TotalSeconds:0.00} s of processor, making up the series included; {clock.Elapsed.TotalSeconds:0.0} s in all");
        return usage.Processor.TotalSeconds <= ProcessorSecondsMax && usage.PeakBytes <= PeakBytesMax;
    }

    private static async Task<bool> GoldenAsync(ChildOptions options)
    {
        var isSame = true;
        foreach (var folder in Directory.EnumerateFiles(ModelFolder.Shipped, "model.json", SearchOption.AllDirectories).Select(file => Path.GetDirectoryName(file)!).Order(StringComparer.Ordinal))
        {
            await using var child = await ChildInference.StartAsync(folder, options, TimeProvider.System, CancellationToken.None);
            foreach (var vector in ModelFolder.Open(folder).ReadGolden())
            {
                var answer = await child.RunAsync(vector.Inputs, CancellationToken.None);
                var worst = answer.Values.Zip(vector.Output.Values, (actual, expected) => Math.Abs(actual - expected) / Math.Max(1, Math.Abs(expected))).Max();
                Console.WriteLine($"{(worst <= 1e-4f ? "same  " : "OTHER ")} {Path.GetRelativePath(ModelFolder.Shipped, folder)}, {vector.Name}: {answer.Values.Length} numbers, at most {worst:0.0e+0} apart");
                isSame &= worst <= 1e-4f;
            }
        }
        return isSame;
    }
}

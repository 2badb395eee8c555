using System.Globalization;
using System.IO.Compression;
using Foretier.Core.Samples;

namespace Foretier.Tests.Benchmarks.Segments;

/// <summary>Series to encode: published readings where they are on this machine, and fleets made from a seed.</summary>
internal sealed record DataSet(string Name, IReadOnlyList<(string Series, SampleColumns Samples)> Series)
{
    /// <summary>2024-01-01, µs.</summary>
    private const long FleetStart = 1_704_067_200_000_000;
    private const int FleetSeed = 20240101;

    public long Count => Series.Sum(s => (long)s.Samples.Count);

    /// <summary>
    /// Readings once a second: of ten series eight are sensors of two decimals (a slow sine and a random walk), one is a counter and one is 0 or 1.
    /// </summary>
    /// <param name="jitter">Milliseconds by which a reading may come late.</param>
    public static DataSet Fleet(string name, int series, int seconds, int jitter) =>
        new(name, [.. Enumerable.Range(0, series).Select(s => ($"dev{s:0000}", Device(s, seconds, jitter)))]);

    /// <summary>A file of lines <c>epoch seconds,series,value</c> below the folder that FORETIER_DATA names; null where there is none.</summary>
    public static DataSet? Load(string name, string file)
    {
        var path = Find(file);
        if (path is null)
        {
            return null;
        }
        var series = new SortedDictionary<string, SampleColumns>(StringComparer.Ordinal);
        using var reader = new StreamReader(new GZipStream(File.OpenRead(path), CompressionMode.Decompress));
        reader.ReadLine();
        while (reader.ReadLine() is { } line)
        {
            var fields = line.Split(',');
            if (!series.TryGetValue(fields[1], out var samples))
            {
                series[fields[1]] = samples = new();
            }
            samples.Add(long.Parse(fields[0], CultureInfo.InvariantCulture) * 1_000_000, double.Parse(fields[2], CultureInfo.InvariantCulture));
        }
        return new(name, [.. series.Select(s => (s.Key, s.Value.SortLastWins(out _)))]);
    }

    private static string? Find(string file)
    {
        if (Environment.GetEnvironmentVariable("FORETIER_DATA") is { Length: > 0 } named)
        {
            return File.Exists(Path.Combine(named, file)) ? Path.Combine(named, file) : null;
        }
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var beside = Path.Combine(folder.FullName, "shared", "data", file);
            if (File.Exists(beside))
            {
                return beside;
            }
        }
        return null;
    }

    private static SampleColumns Device(int device, int seconds, int jitter)
    {
        var random = new PythonRandom(FleetSeed * 100003UL + (ulong)device);
        var late = new long[seconds];
        for (var i = 0; i < seconds && jitter > 0; i++)
        {
            late[i] = (int)(random.NextDouble() * jitter) * 1_000L;
        }
        var samples = new SampleColumns(seconds);
        var next = (device % 10) switch { 8 => Counter(random), 9 => OnOff(random), _ => Sensor(random) };
        for (var i = 0; i < seconds; i++)
        {
            samples.Add(FleetStart + i * 1_000_000L + late[i], next(i));
        }
        return samples;
    }

    private static Func<int, double> Counter(PythonRandom random)
    {
        var count = (int)(random.NextDouble() * 100_000);
        var rate = random.NextDouble() * 5;
        return _ => count += (int)(random.NextDouble() * rate * 2);
    }

    private static Func<int, double> OnOff(PythonRandom random)
    {
        var on = random.NextDouble() < 0.5;
        return _ => (on ^= random.NextDouble() < 0.003) ? 1 : 0;
    }

    private static Func<int, double> Sensor(PythonRandom random)
    {
        var (middle, swing) = (5 + random.NextDouble() * 30, 1 + random.NextDouble() * 8);
        var (phase, step, walk) = (random.NextDouble() * 6.283185307, 0.01 + 0.05 * random.NextDouble(), 0.0);
        return i =>
        {
            walk += (random.NextDouble() - 0.5) * step;
            var value = middle + swing * Math.Sin(2 * Math.PI / 86_400 * i + phase) + walk;
            return double.Parse(value.ToString("F2", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        };
    }
}

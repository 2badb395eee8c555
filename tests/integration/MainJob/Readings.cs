using System.Globalization;
using System.IO.Compression;
using Xunit.Abstractions;

namespace Foretier.Tests.Integration.MainJob;

/// <summary>The readings that are imported: a part of the real data set, or generated ones where it is absent. Also the oracle.</summary>
public sealed class Readings
{
    private Readings(string csvPath, IReadOnlyDictionary<string, List<(long Seconds, double Value)>> series)
    {
        CsvPath = csvPath;
        Series = series;
    }

    /// <summary>Columns t (epoch s), sensor, v.</summary>
    public string CsvPath { get; }
    public IReadOnlyDictionary<string, List<(long Seconds, double Value)>> Series { get; }
    public int Count => Series.Values.Sum(s => s.Count);

    /// <param name="rows">How many; 0 = all there are.</param>
    public static Readings Prepare(int rows, string folder, ITestOutputHelper output)
    {
        var path = Path.Combine(Environment.GetEnvironmentVariable("FORETIER_DATA") ?? Path.Combine(Repository.Root, "..", "shared", "data"),
            "opensmarthome_readings.csv.gz");
        var lines = File.Exists(path) ? Unpack(path) : Generate(rows == 0 ? 100_000 : rows);
        output.WriteLine(File.Exists(path) ? $"real data: {path}" : $"{path} is absent: generated data (TechnicalBuildingSystems/OpenSmartHomeData is the original)");
        if (rows > 0)
        {
            lines = lines.Take(rows);
        }
        var csv = Path.Combine(folder, "readings.csv");
        var series = new Dictionary<string, List<(long, double)>>();
        using (var writer = new StreamWriter(csv))
        {
            writer.WriteLine("t,sensor,v");
            foreach (var line in lines)
            {
                writer.WriteLine(line);
                var cells = line.Split(',');
                if (!series.TryGetValue(cells[1], out var list))
                {
                    series[cells[1]] = list = [];
                }
                list.Add((long.Parse(cells[0], CultureInfo.InvariantCulture), double.Parse(cells[2], CultureInfo.InvariantCulture)));
            }
        }
        return new(csv, series);
    }

    private static IEnumerable<string> Unpack(string path)
    {
        using var reader = new StreamReader(new GZipStream(File.OpenRead(path), CompressionMode.Decompress));
        reader.ReadLine();
        while (reader.ReadLine() is { } line)
        {
            yield return line;
        }
    }

    private static IEnumerable<string> Generate(int rows)
    {
        var random = new Random(20170309);
        long time = 1_489_017_377;
        for (var i = 0; i < rows; i++)
        {
            time += random.Next(0, 55);
            var sensor = i % 37;
            var value = Math.Round(20 + 5 * Math.Sin(time / 13_750.0 + sensor) + random.NextDouble(), 2);
            // One reading a sensor and second: rows that share a second belong to different sensors.
            yield return string.Create(CultureInfo.InvariantCulture, $"{time + i / 37},Sensor{sensor},{value}");
        }
    }
}

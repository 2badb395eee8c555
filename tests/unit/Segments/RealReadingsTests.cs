using System.Globalization;
using System.IO.Compression;
using Foretier.Core.Samples;
using Xunit.Abstractions;

namespace Foretier.Tests.Unit.Segments;

/// <summary>
/// The readings of OpenSmartHomeData, which is not part of the repository (share-alike licence): FORETIER_DATA names the folder that has
/// opensmarthome_readings.csv.gz, else ../shared/data beside the repository is looked at. Absent, there is nothing to test but a message.
/// </summary>
public class RealReadingsTests(ITestOutputHelper output)
{
    private const long Day = 86_400_000_000;

    [Fact]
    public void A_smart_home_comes_back_bit_for_bit_within_its_bytes_per_sample()
    {
        if (FindData() is not { } path)
        {
            output.WriteLine("skipped: opensmarthome_readings.csv.gz is neither in FORETIER_DATA nor in ../shared/data");
            return;
        }
        long samples = 0, wholeBytes = 0, dailyBytes = 0, days = 0;
        foreach (var (sensor, readings) in Load(path))
        {
            Assert.True(SegmentTests.RoundTrips(readings, out var bytes), sensor);
            samples += readings.Count;
            wholeBytes += bytes;
            for (var start = readings.FirstTime / Day * Day; start <= readings.LastTime; start += Day)
            {
                var day = readings.Slice(new(start, start + Day));
                if (day.Count == 0)
                {
                    continue;
                }
                Assert.True(SegmentTests.RoundTrips(day, out bytes), sensor);
                dailyBytes += bytes;
                days++;
            }
        }
        var (whole, daily) = ((double)wholeBytes / samples, (double)dailyBytes / samples);
        output.WriteLine(FormattableString.Invariant(
            $"{samples} samples: {whole:0.000} B each in one segment a sensor; {daily:0.000} B in {days} segments of a day"));
        Assert.InRange(whole, 0.1, 1.15);
        Assert.InRange(daily, 0.1, 1.65);
    }

    private static Dictionary<string, SampleColumns> Load(string path)
    {
        var sensors = new Dictionary<string, SampleColumns>();
        using var reader = new StreamReader(new GZipStream(File.OpenRead(path), CompressionMode.Decompress));
        reader.ReadLine();
        while (reader.ReadLine() is { } line)
        {
            var fields = line.Split(',');
            if (!sensors.TryGetValue(fields[1], out var readings))
            {
                sensors[fields[1]] = readings = new();
            }
            readings.Add(long.Parse(fields[0], CultureInfo.InvariantCulture) * 1_000_000, double.Parse(fields[2], CultureInfo.InvariantCulture));
        }
        return sensors.ToDictionary(s => s.Key, s => s.Value.SortLastWins(out _));
    }

    private static string? FindData()
    {
        const string Name = "opensmarthome_readings.csv.gz";
        if (Environment.GetEnvironmentVariable("FORETIER_DATA") is { Length: > 0 } named)
        {
            return File.Exists(Path.Combine(named, Name)) ? Path.Combine(named, Name) : null;
        }
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Edge.sln")))
            {
                var beside = Path.Combine(folder.FullName, "..", "shared", "data", Name);
                return File.Exists(beside) ? beside : null;
            }
        }
        return null;
    }
}

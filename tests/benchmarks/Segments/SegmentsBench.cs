using System.Diagnostics;
using System.Globalization;
using System.Runtime.Intrinsics;
using Foretier.Core;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Core.Segments.Values;

namespace Foretier.Tests.Benchmarks.Segments;

/// <summary>
/// What segments take and how fast they are, one setting for both: bytes a sample with times and index, beside the peers that are installed;
/// and samples a second of one thread, the best of many short runs, for other load on the machine makes a run slower and never faster.
/// </summary>
internal static class SegmentsBench
{
    private const int Device = 3_600;
    private const int MegaSamples = 1_000_000;
    private static readonly TimeSpan RunFor = TimeSpan.FromSeconds(4);

    /// <summary>Bytes a sample; a peer's figure is a factor of the best peer's.</summary>
    private static readonly Dictionary<string, double> BytesMax = new() { ["opensmarthome"] = 1.13, ["nab_cloudwatch"] = 3.0, ["fleet"] = 0.31, ["fleet+jitter"] = 1.1 };

    /// <returns>True where every target is met.</returns>
    public static bool Run()
    {
        var targets = new Targets();
        var sets = new[]
        {
            DataSet.Load("opensmarthome", "opensmarthome_readings.csv.gz"), DataSet.Load("nab_cloudwatch", "nab_cloudwatch_values.csv.gz"),
            DataSet.Fleet("fleet", 1_000, Device, 0), DataSet.Fleet("fleet+jitter", 1_000, Device, 50),
        }.OfType<DataSet>().ToList();
        if (sets.Count < 4)
        {
            Console.WriteLine("published readings are not here (FORETIER_DATA names their folder): only the fleets are measured");
        }
        Console.WriteLine("bytes a sample, lossless, with times, statistics and checksums");
        foreach (var set in sets)
        {
            Sizes(targets, set);
        }
        Console.WriteLine($"samples a second, one thread, vectors of {(Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128)} bits");
        foreach (var set in sets)
        {
            Rates(targets, set with { Series = [.. set.Series.Take(100)] });
        }
        Columns(targets);
        return targets.AllMet;
    }

    private static void Sizes(Targets targets, DataSet set)
    {
        var segments = set.Series.Select(s => Checked(s.Samples)).ToList();
        double ours = segments.Sum(s => (long)s.Bytes.Length) / (double)set.Count;
        targets.AtMost($"{set.Name}: segments", ours, BytesMax[set.Name], "B");
        var cold = segments.Sum(s => (long)s.Compressed().Bytes.Length) / (double)set.Count;
        Targets.Tell($"{set.Name}: cold (zstd)", Text(cold));
        var peers = new List<(string Name, double Bytes)> { ("Parquet-zstd", ParquetSize.Of(set)) };
        foreach (var peer in Peer.All)
        {
            if (peer.Find() is null)
            {
                Targets.Tell($"{set.Name}: {peer.Name}", "not installed");
                continue;
            }
            peers.Add((peer.Name, peer.BytesOf(set)));
        }
        var archive = ParquetSize.ByDay(set, "gauge");
        Targets.Tell($"{set.Name}: archive, hourly rollups beside the samples", string.Create(CultureInfo.InvariantCulture,
            $"{archive.Rollups} beside {archive.Samples} bytes, on {archive.DaysWithRollups} of {archive.Days} days"));
        foreach (var (name, bytes) in peers)
        {
            targets.AtMost($"{set.Name}: segments / {name} ({Text(bytes)})", ours / bytes, 1, "");
        }
    }

    private static void Rates(Targets targets, DataSet set)
    {
        var isFleet = set.Name == "fleet";
        Rates(targets, isFleet ? "fleet, all" : set.Name, set, isFleet ? 0 : null);
        if (isFleet)
        {
            Rates(targets, "fleet, decimal readings", set with { Series = [.. set.Series.Where((_, s) => s % 10 < 8)] }, 1);
        }
    }

    /// <param name="held">1: to all rates; 0: to none but what a segment costs; null: to none.</param>
    private static void Rates(Targets targets, string name, DataSet set, int? held)
    {
        var segments = set.Series.Select(s => Checked(s.Samples)).ToList();
        var into = new SampleColumns(segments.Max(s => s.Count));
        void Decode()
        {
            foreach (var segment in segments)
            {
                into.Clear();
                segment.Decode(into);
            }
        }
        void Encode()
        {
            foreach (var (_, samples) in set.Series)
            {
                Segment.Encode(samples);
            }
        }
        var (decode, decodeBytes) = Measure(Decode, set.Count);
        var (encode, encodeBytes) = Measure(Encode, set.Count);
        var rows = 0;
        var (aggregate, _) = Measure(() => rows = Aggregate(segments), set.Count);
        if (held == 1)
        {
            targets.AtLeast($"{name}: decode", decode, 500, "M/s");
            targets.AtLeast($"{name}: encode", encode, 50, "M/s");
        }
        else
        {
            Targets.Tell($"{name}: decode", $"{Text(decode)} M/s");
            Targets.Tell($"{name}: encode", $"{Text(encode)} M/s");
        }
        if (held is not null)
        {
            targets.AtMost($"{name}: allocated by a decode", decodeBytes, 0.5, "B/sample");
            targets.AtLeast($"{name}: aggregate of all ({rows} rows) / decode", aggregate / decode, 10, "");
        }
        Targets.Tell($"{name}: allocated by an encode", $"{Text(encodeBytes)} B/sample");
    }

    private static int Aggregate(List<Segment> segments)
    {
        var grid = new BucketGrid(TimeRange.Everything, 0);
        var rows = new BucketRows();
        foreach (var segment in segments)
        {
            segment.AddTo(rows, grid);
        }
        return rows.Count;
    }

    /// <summary>Fractions that are no decimals, in the two encodings made for them.</summary>
    private static void Columns(Targets targets)
    {
        var random = new Random(7);
        var values = new double[4_096];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = 20 + 5 * random.NextDouble();
        }
        ByteWriter xor = new(), split = new();
        XorValues.Write(xor, values);
        SplitValues.Write(split, values);
        var read = new double[values.Length];
        targets.AtLeast($"XOR of long fractions ({Text(xor.Length / 4096.0)} B): decode", Measure(() =>
        {
            var from = new ByteReader(xor.Written);
            XorValues.Read(ref from, read);
        }, values.Length).Rate, 60, "M/s");
        targets.AtLeast($"ALP-RD of the same ({Text(split.Length / 4096.0)} B): decode", Measure(() =>
        {
            var from = new ByteReader(split.Written);
            SplitValues.Read(ref from, read);
        }, values.Length).Rate, 60, "M/s");
    }

    /// <summary>Millions a second of the best run, and bytes allocated a sample by the last.</summary>
    private static (double Rate, double Allocated) Measure(Action run, long samples)
    {
        var (best, allocated, runs) = (double.MaxValue, 0L, 0);
        for (var all = Stopwatch.StartNew(); all.Elapsed < RunFor || runs < 5; runs++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var started = Stopwatch.GetTimestamp();
            run();
            best = Math.Min(best, Stopwatch.GetElapsedTime(started).TotalSeconds);
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }
        return (samples / best / MegaSamples, (double)allocated / samples);
    }

    private static Segment Checked(SampleColumns samples)
    {
        var segment = Segment.Open(Segment.Encode(samples).Bytes);
        var read = new SampleColumns(samples.Count);
        segment.Decode(read);
        var same = read.Times.SequenceEqual(samples.Times)
            && System.Runtime.InteropServices.MemoryMarshal.AsBytes(read.Values).SequenceEqual(System.Runtime.InteropServices.MemoryMarshal.AsBytes(samples.Values));
        return same ? segment : throw new InvalidOperationException("a segment does not give back its samples");
    }

    private static string Text(double figure) => figure.ToString("0.###", CultureInfo.InvariantCulture);
}

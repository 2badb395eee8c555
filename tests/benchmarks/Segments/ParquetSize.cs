using Foretier.Archive;
using Foretier.Archive.Parquet;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Tests.Benchmarks.Segments;

/// <summary>The same samples as the archive's own Parquet file.</summary>
internal static class ParquetSize
{
    /// <summary>Bytes a sample.</summary>
    public static double Of(DataSet set)
    {
        using var file = new MemoryStream();
        using (var writer = new RawFileWriter(file, new Dictionary<string, string>()))
        {
            foreach (var (series, samples) in set.Series)
            {
                writer.Add(new SeriesInfo($"acme/{series}/value", "bench", null, "gauge"), samples);
            }
            writer.Close();
        }
        return (double)file.Length / set.Count;
    }

    /// <summary>Day by day, as the archive has them: bytes of the files of samples, and of those of hourly rollups that are kept beside them.</summary>
    public static (long Samples, long Rollups, int Days, int DaysWithRollups) ByDay(DataSet set, string kind)
    {
        long samples = 0, rollups = 0;
        int days = 0, kept = 0;
        for (var day = Instant.Floor(set.Series.Min(s => s.Samples.FirstTime), Instant.Day); day <= set.Series.Max(s => s.Samples.LastTime); day += Instant.Day)
        {
            using var samplesFile = new MemoryStream();
            using var rollupsFile = new MemoryStream();
            using var writer = new RawFileWriter(samplesFile, new Dictionary<string, string>());
            using var rollupWriter = new RollupFileWriter(rollupsFile, ArchiveWriter.RollupStep, new Dictionary<string, string>());
            foreach (var (series, all) in set.Series.OrderBy(s => s.Series, StringComparer.Ordinal))
            {
                if (all.Slice(new(day, day + Instant.Day)) is { Count: > 0 } ofDay)
                {
                    var info = new SeriesInfo($"acme/{series}/value", "bench", null, kind);
                    writer.Add(info, ofDay);
                    rollupWriter.Add(info, ofDay);
                }
            }
            writer.Close();
            rollupWriter.Close(new string('0', 64));
            samples += samplesFile.Length;
            days++;
            if (rollupWriter.Rows.Any(rows => rows > 0) && rollupsFile.Length * ArchiveWriter.RollupShare <= samplesFile.Length)
            {
                (rollups, kept) = (rollups + rollupsFile.Length, kept + 1);
            }
        }
        return (samples, rollups, days, kept);
    }
}

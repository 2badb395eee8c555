using Foretier.Archive.Parquet;
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
}

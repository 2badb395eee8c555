using Foretier.Core.Samples;

namespace Foretier.Predict.Replay.Events;

/// <summary>The resolutions that a replay knows, by number: 0 is raw samples, the others are rollups.</summary>
public static class Resolutions
{
    public static IReadOnlyList<string> Names { get; } = ["raw", "1m", "5m", "1h", "1d"];

    public static int Count => Names.Count;

    /// <summary>Bytes of a sample, as in a window file, and of a row of a rollup.</summary>
    public const double SampleBytes = 3;
    public const double RowBytes = 24;

    private static readonly long[] _steps = [0, Instant.Minute, 5 * Instant.Minute, Instant.Hour, Instant.Day];

    /// <summary>Seconds of a bucket; 0 for raw samples.</summary>
    public static long SecondsOf(int resolution) => _steps[resolution] / Instant.Second;

    /// <param name="step">µs.</param>
    /// <returns>−1 where it is none of them.</returns>
    public static int IndexOf(long step) => Array.IndexOf(_steps, step);

    /// <summary>Bytes of a series' day: never more rows than samples.</summary>
    /// <param name="rawBytes">Its raw samples on that day.</param>
    public static double BytesOf(int resolution, double rawBytes) =>
        resolution == 0 ? rawBytes : Math.Min(rawBytes / SampleBytes, 86_400.0 / SecondsOf(resolution)) * RowBytes;
}

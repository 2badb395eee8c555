namespace Foretier.Predict.Replay.Events;

/// <summary>
/// What a read takes and what bytes cost on each tier: the assumptions of a replay, of a board with eMMC, a gateway with a hard disk behind a
/// wireless link, and S3 in a region nearby. The same for every policy.
/// </summary>
public static class TierModel
{
    /// <summary>Asking, planning and merging, whatever the tier.</summary>
    private const double QuestionSeconds = 0.001;

    /// <summary>A segment of a day on flash; bytes a second.</summary>
    private const double SsdSegmentSeconds = 0.0002;
    private const double SsdBytesPerSecond = 100e6;

    /// <summary>A round trip to the gateway, a seek for each day, bytes a second.</summary>
    private const double HddSeconds = 0.010;
    private const double HddSegmentSeconds = 0.008;
    private const double HddBytesPerSecond = 80e6;

    /// <summary>A GET for each day, so many at once; bytes a second over the uplink.</summary>
    private const double ArchiveGetSeconds = 0.100;
    private const int ArchiveParallel = 8;
    private const double ArchiveBytesPerSecond = 5e6;

    /// <summary>Decoding and aggregating raw samples where there is no rollup.</summary>
    private const double ScanBytesPerSecond = 100e6;

    /// <summary>USD a GB and month.</summary>
    public const double SsdPrice = 0.10;
    public const double HddPrice = 0.03;
    public const double ArchivePrice = 0.023;

    /// <summary>USD a GB that goes over the uplink.</summary>
    public const double TransferPrice = 0.05;

    /// <summary>Days that the gateway keeps what was shipped to it; what is older is in the archive alone.</summary>
    public const int HddDays = 31;

    /// <summary>How long a read waits that takes these parts, fetched from all tiers at the same time.</summary>
    public static double Seconds(in ReadParts parts)
    {
        var ssd = parts.SsdSegments * SsdSegmentSeconds + parts.SsdBytes / SsdBytesPerSecond;
        var hdd = parts.HddSegments == 0 ? 0 : HddSeconds + parts.HddSegments * HddSegmentSeconds + parts.HddBytes / HddBytesPerSecond;
        var archive = (parts.ArchiveSegments + ArchiveParallel - 1) / ArchiveParallel * ArchiveGetSeconds + parts.ArchiveBytes / ArchiveBytesPerSecond;
        return QuestionSeconds + Math.Max(ssd, Math.Max(hdd, archive)) + parts.ScanBytes / ScanBytesPerSecond;
    }
}

/// <summary>What a read takes from where.</summary>
public record struct ReadParts(int SsdSegments, double SsdBytes, int HddSegments, double HddBytes, int ArchiveSegments, double ArchiveBytes, double ScanBytes);

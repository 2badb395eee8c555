namespace Foretier.Predict.Plan;

/// <summary>How partitions are cut and judged.</summary>
public sealed record PlannerOptions
{
    /// <summary>SSD bytes of a window that a partition is not to outgrow, nine windows out of ten. Default 32 MiB, at least 64 KiB.</summary>
    public long PartitionBytesMax { get; init; } = 32L << 20;

    /// <summary>Series that share a group at most: a membership list has to stay well below what an etcd value holds (1.5 MB). Default 2,048.</summary>
    public int SeriesPerGroupMax { get; init; } = 2_048;

    /// <summary>Windows planned after the open one. Default 1, at most 7.</summary>
    public int WindowsAhead { get; init; } = 1;

    /// <summary>Windows that stay in the map after they have closed. Default 7.</summary>
    public int WindowsKept { get; init; } = 7;

    /// <summary>From this many reads a day on, a partition is read frequently. Default 4.</summary>
    public double FrequentReadsPerDay { get; init; } = 4;

    /// <summary>From this many reads a day on, occasionally; below it, rarely. Default one a week.</summary>
    public double OccasionalReadsPerDay { get; init; } = 1.0 / 7;

    /// <summary>A rollup is made ready from this many expected reads a day on. Default one every two days.</summary>
    public double RollupReadsPerDayMin { get; init; } = 0.5;

    /// <summary>A prediction that moves by less than this share is left as it is. Default 0.1.</summary>
    public double ChangeMin { get; init; } = 0.1;

    /// <summary>The same for a window that is open already, for which room has been made. Default 0.5.</summary>
    public double OpenChangeMin { get; init; } = 0.5;

    /// <exception cref="ArgumentException">A value is impossible; the message names it.</exception>
    public void Validate()
    {
        Require(PartitionBytesMax >= 64 << 10, nameof(PartitionBytesMax), "at least 65536");
        Require(SeriesPerGroupMax is >= 1 and <= 8_192, nameof(SeriesPerGroupMax), "1 to 8192");
        Require(WindowsAhead is >= 1 and <= 7, nameof(WindowsAhead), "1 to 7");
        Require(WindowsKept is >= 0 and <= 400, nameof(WindowsKept), "0 to 400");
        Require(FrequentReadsPerDay > OccasionalReadsPerDay, nameof(FrequentReadsPerDay), $"above {nameof(OccasionalReadsPerDay)}");
        Require(OccasionalReadsPerDay > 0, nameof(OccasionalReadsPerDay), "above 0");
        Require(RollupReadsPerDayMin > 0, nameof(RollupReadsPerDayMin), "above 0");
        Require(ChangeMin is >= 0 and < 1, nameof(ChangeMin), "0 to below 1");
        Require(OpenChangeMin is >= 0 and < 1, nameof(OpenChangeMin), "0 to below 1");
    }

    private static void Require(bool holds, string name, string allowed)
    {
        if (!holds)
        {
            throw new ArgumentException($"{name} must be {allowed}", name);
        }
    }
}

/// <summary>Bytes a sample takes on each tier, as measured; the defaults stand in until there is something to measure.</summary>
/// <param name="Memory">In the open chunks of the agent.</param>
/// <param name="Ssd">In a window file, rollups and file overhead included.</param>
/// <param name="Hdd">In a gateway's file.</param>
/// <param name="Archive">In Parquet.</param>
public readonly record struct SampleBytes(double Memory, double Ssd, double Hdd, double Archive)
{
    public static readonly SampleBytes Unmeasured = new(24, 8, 6, 6);
}

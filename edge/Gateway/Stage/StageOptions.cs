using System.ComponentModel.DataAnnotations;
using Foretier.Predict.Place;

namespace Foretier.Gateway.Stage;

/// <summary>What may be made ahead of reads on the gateway's disk.</summary>
public sealed class StageOptions
{
    /// <summary>Bytes of the disk that copies may take; 0: nothing is made ahead. Default 8 GB.</summary>
    [Range(0, 1L << 50)]
    public long BytesMax { get; set; } = 8_000_000_000;

    /// <summary>Bytes that may be fetched from the archive in an hour. Default 2 GB.</summary>
    [Range(1_000_000, 1L << 50)]
    public long FetchBytesPerHour { get; set; } = 2_000_000_000;

    /// <summary>Share of one core that making copies may take. Default 0.25.</summary>
    [Range(0.01, 1)]
    public double CpuShare { get; set; } = 0.25;

    /// <summary>How reads are weighed against moves and room. A copy on this disk wears nothing: it may wait for a reader who comes every week or two.</summary>
    public PlaceOptions Place { get; set; } = new() { Lead = TimeSpan.FromHours(24), RollupTimeToLive = TimeSpan.FromDays(21) };

    /// <exception cref="ArgumentException">A value is impossible; the message names it.</exception>
    public StageOptions Validated()
    {
        _ = Place.Validated();
        return this;
    }
}

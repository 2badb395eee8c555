using ParquetSharp;

namespace Foretier.Archive.Parquet;

/// <summary>What files of samples and files of rollups have in common: rows sorted by series and time, the first two columns; every page with its CRC.</summary>
internal static class SeriesFiles
{
    private const int Series = 0, Time = 1;

    /// <param name="content">Seekable; not owned.</param>
    /// <exception cref="ParquetException">The content is not a Parquet file.</exception>
    public static ParquetFileReader Open(Stream content)
    {
        using var properties = ReaderProperties.GetDefaultReaderProperties();
        properties.EnablePageChecksumVerification();
        return new(content, properties, leaveOpen: true);
    }

    /// <summary>zstd level 3; what else a kind of file is written with is added to it.</summary>
    public static WriterPropertiesBuilder Writing() => new WriterPropertiesBuilder()
        .Compression(Compression.Zstd).CompressionLevel(3)
        .EnablePageChecksum()
        .SortingColumns([new(Series, false, false), new(Time, false, false)])
        .CreatedBy("foretier");
}

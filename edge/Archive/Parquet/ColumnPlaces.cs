using ParquetSharp;

namespace Foretier.Archive.Parquet;

/// <summary>
/// Where columns lie in a file. A writer leaves no gaps between columns, so that their lengths tell; in a file of another writer they might lie elsewhere,
/// which costs time and nothing else.
/// </summary>
internal static class ColumnPlaces
{
    /// <param name="file">Its metadata has been read.</param>
    /// <param name="columnsOf">Which columns are wanted of a row group with the rows [From, To).</param>
    /// <returns>Offsets [From, To) in the file.</returns>
    public static IEnumerable<(long From, long To)> Of(ParquetFileReader file, Func<long, long, IReadOnlyCollection<int>> columnsOf)
    {
        var (groupStart, offset) = (0L, (long)"PAR1".Length);
        for (var g = 0; g < file.FileMetaData.NumRowGroups; g++)
        {
            using var group = file.RowGroup(g);
            var metadata = group.MetaData;
            var wanted = columnsOf(groupStart, groupStart + metadata.NumRows);
            for (var c = 0; c < metadata.NumColumns; c++)
            {
                using var column = metadata.GetColumnChunkMetaData(c);
                var end = offset + column.TotalCompressedSize;
                if (wanted.Contains(c))
                {
                    yield return (offset, end);
                }
                offset = end;
            }
            groupStart += metadata.NumRows;
        }
    }
}

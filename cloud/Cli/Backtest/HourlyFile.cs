using System.IO.Compression;
using System.Text;
using Foretier.Cli.Import;
using Foretier.Predict.Backtest;

namespace Foretier.Cli.Backtest;

/// <summary>Series read from a file.</summary>
/// <param name="TooFew">Series with too few events to say anything.</param>
internal sealed record HourlyFile(IReadOnlyList<HourlySeries> Series, int TooFew)
{
    /// <summary>Reads either format, plain or gzip: what begins with a brace is hourly JSONL, all else events as CSV.</summary>
    /// <param name="zone">Whose clock the habits in a file of UTC times follow.</param>
    /// <param name="columns">Those that name the series of an event file; empty = found by their names.</param>
    /// <exception cref="CommandException">It is neither; the message names file and line.</exception>
    public static HourlyFile Read(string path, TimeZoneInfo zone, IReadOnlyList<string> columns, string? timeColumn)
    {
        try
        {
            if (!IsJson(path))
            {
                using var rows = CsvRows.Open(path);
                return new EventCounts(path, rows.Columns, columns, timeColumn).Read(rows, zone);
            }
            using var text = OpenText(path);
            return new(HourlyJson.Read(path, text, zone), 0);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.BadUsage, $"{path} cannot be read: {e.Message}");
        }
        catch (InvalidDataException e)
        {
            throw new CommandException(ExitCode.BadUsage, $"{path} is damaged: {e.Message}", "Fetch it again.");
        }
    }

    private static bool IsJson(string path)
    {
        using var text = OpenText(path);
        int next;
        do
        {
            next = text.Read();
        }
        while (next is ' ' or '\t' or '\r' or '\n');
        return next == '{';
    }

    private static StreamReader OpenText(string path)
    {
        var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 128 * 1024, FileOptions.SequentialScan);
        var isGzip = file.ReadByte() == 0x1F && file.ReadByte() == 0x8B;
        file.Position = 0;
        return new(isGzip ? new GZipStream(file, CompressionMode.Decompress) : file, Encoding.UTF8, true, 64 * 1024);
    }
}

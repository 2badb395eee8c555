using System.IO.Compression;
using Foretier.Predict.Replay;
using Foretier.Predict.Replay.Events;

namespace Foretier.Cli.Replay;

/// <summary>What a file holds: reads of resources (t,k), or writes and reads of series. One of the two.</summary>
internal sealed record TraceFile(ReadTrace? Reads, EventTrace? Events)
{
    /// <exception cref="CommandException">It is neither; the message names the line.</exception>
    public static TraceFile Read(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            using Stream plain = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new GZipStream(file, CompressionMode.Decompress) : file;
            using var text = new StreamReader(plain);
            var header = text.ReadLine()?.TrimStart('\uFEFF').TrimEnd('\r').Replace("\"", "", StringComparison.Ordinal);
            var name = Path.GetFileName(path);
            return header switch
            {
                "t,k" => new(ReadTrace.ReadCsv(text, name), null),
                EventCsv.Header => new(null, EventCsv.Read(text, name)),
                _ => throw new InvalidDataException($"line 1 is '{header}' and has to be 't,k' or '{EventCsv.Header}'"),
            };
        }
        catch (InvalidDataException e)
        {
            throw new CommandException(ExitCode.Failed, $"{path}: {e.Message}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Failed, $"{path} cannot be read: {e.Message}");
        }
    }
}

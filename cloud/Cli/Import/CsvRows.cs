using System.IO.Compression;
using System.Text;

namespace Foretier.Cli.Import;

/// <summary>Rows of a CSV file, plain or gzip (told by its first bytes), comma, semicolon or tab (told by its first line); quotes as in RFC 4180.</summary>
internal sealed class CsvRows : IDisposable
{
    private const int RowLengthMax = 64 * 1024;

    private readonly FileStream _file;
    private readonly StreamReader _text;
    private readonly char _separator;
    private readonly List<string> _fields = [];

    private CsvRows(FileStream file, StreamReader text, string header)
    {
        _file = file;
        _text = text;
        _separator = new[] { ',', ';', '\t' }.MaxBy(separator => header.Count(c => c == separator));
        Split(header);
        Columns = [.. _fields.Select(field => field.Trim())];
        Line = 1;
    }

    public IReadOnlyList<string> Columns { get; }

    /// <summary>Of the row last read, as an editor counts.</summary>
    public long Line { get; private set; }

    /// <summary>How much of the file was read, 0..1 (of its bytes as they lie on the disk).</summary>
    public double Fraction => _file.Length == 0 ? 1 : (double)_file.Position / _file.Length;

    /// <exception cref="CommandException">There is no such file, or nothing in it.</exception>
    public static CsvRows Open(string path)
    {
        FileStream? file = null;
        try
        {
            file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 128 * 1024, FileOptions.SequentialScan);
            var gzip = file.ReadByte() == 0x1F && file.ReadByte() == 0x8B;
            file.Position = 0;
            var text = new StreamReader(gzip ? new GZipStream(file, CompressionMode.Decompress) : file, Encoding.UTF8, true, 64 * 1024);
            return text.ReadLine() is { Length: > 0 } header
                ? new(file, text, header)
                : throw new CommandException(ExitCode.BadUsage, $"{path} has no header line");
        }
        catch (Exception e)
        {
            file?.Dispose();
            throw e is FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException
                ? new CommandException(ExitCode.BadUsage, $"{path} cannot be read: {e.Message}") : e;
        }
    }

    /// <summary>The next row's fields; null at the end. The list is used again for the row after.</summary>
    /// <exception cref="InvalidDataException">The compressed data is damaged.</exception>
    public IReadOnlyList<string>? Read()
    {
        while (_text.ReadLine() is { } line)
        {
            Line++;
            if (line.Length == 0)
            {
                continue;
            }
            while (!Split(line) && line.Length < RowLengthMax && _text.ReadLine() is { } more)
            {
                // A quoted field goes on in the next line; a quote that nobody closed must not swallow the file.
                Line++;
                line = $"{line}\n{more}";
            }
            return _fields;
        }
        return null;
    }

    public void Dispose()
    {
        _text.Dispose();
        _file.Dispose();
    }

    /// <summary>False where the line ends inside quotes; the fields are then what there is.</summary>
    private bool Split(string line)
    {
        _fields.Clear();
        for (var at = 0; ;)
        {
            if (at < line.Length && line[at] == '"')
            {
                var field = new StringBuilder();
                for (at++; ; at++)
                {
                    if (at >= line.Length)
                    {
                        _fields.Add(field.ToString());
                        return false;
                    }
                    if (line[at] == '"' && (at + 1 >= line.Length || line[++at] != '"'))
                    {
                        break;
                    }
                    field.Append(line[at]);
                }
                _fields.Add(field.ToString());
                at = line.IndexOf(_separator, Math.Min(at, line.Length));
            }
            else
            {
                var end = line.IndexOf(_separator, at);
                _fields.Add(end < 0 ? line[at..] : line[at..end]);
                at = end;
            }
            if (at < 0)
            {
                return true;
            }
            at++;
        }
    }
}

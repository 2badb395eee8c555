using System.Globalization;
using System.Text.Json;
using Foretier.Protocol.Api;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Foretier.Cli;

/// <summary>
/// Where a command writes. Standard output has the result and nothing else: tables, or with --json exactly one document.
/// Progress, hints and failures go to standard error.
/// </summary>
internal sealed class Terminal
{
    /// <summary>Tables in a pipe or file are not cut at 80 columns.</summary>
    private const int UnboundedWidth = 400;

    private readonly int _width;

    public Terminal(TextWriter output, TextWriter error, bool json)
    {
        (Output, Error, Json) = (output, error, json);
        var watched = ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected;
        _width = watched ? Math.Max(Console.WindowWidth, 40) : UnboundedWidth;
    }

    public TextWriter Output { get; }
    public TextWriter Error { get; }
    public bool Json { get; }

    /// <summary>True where a person watches standard error.</summary>
    public bool IsWatched => ReferenceEquals(Error, Console.Error) && !Console.IsErrorRedirected;

    /// <summary>The result as a document.</summary>
    public void WriteDocument<T>(T document) => Output.WriteLine(JsonSerializer.Serialize(document, ApiJson.Options));

    /// <summary>The result, or part of it, for people.</summary>
    public void WriteLine(string line = "") => Output.WriteLine(line);

    /// <inheritdoc cref="WriteLine"/>
    public void Write(IRenderable what)
    {
        // Rendered aside first: the blanks that fill tables up to their width go no further.
        using var rendered = new StringWriter(CultureInfo.InvariantCulture);
        var console = AnsiConsole.Create(new() { Out = new AnsiConsoleOutput(rendered), Ansi = AnsiSupport.No, Interactive = InteractionSupport.No });
        console.Profile.Width = _width;
        console.Profile.Capabilities.Unicode = true;
        console.Write(what);
        foreach (var line in rendered.ToString().Split('\n').Select(line => line.TrimEnd()).Where(line => line.Length > 0))
        {
            Output.WriteLine(line);
        }
    }

    /// <summary>Something to know besides the result.</summary>
    public void Note(string line) => Error.WriteLine(line);

    public static Table NewTable(params ReadOnlySpan<string> columns)
    {
        var table = new Table().Border(TableBorder.Simple);
        foreach (var column in columns)
        {
            // A leading > aligns to the right, as numbers want it.
            table.AddColumn(column.StartsWith('>') ? new TableColumn(Markup.Escape(column[1..])).RightAligned() : new TableColumn(Markup.Escape(column)));
        }
        return table;
    }

    public static Table AddRow(Table table, params ReadOnlySpan<string?> cells)
    {
        var row = new IRenderable[cells.Length];
        for (var i = 0; i < cells.Length; i++)
        {
            row[i] = new Text(cells[i] ?? "");
        }
        table.AddRow(row);
        return table;
    }
}

using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Spectre.Console;

namespace Foretier.Cli.Ask;

/// <summary><c>foretier explain</c>: how a query is answered, expected and measured.</summary>
internal static class ExplainCommand
{
    /// <summary>Enough of a long list to see what it is made of.</summary>
    private const int ItemsShown = 12;

    public static Command Make()
    {
        var asked = new QuestionOptions();
        var server = new ServerOptions();
        var command = new Command("explain", "Show how a query is answered: which tiers and nodes are read, what that was expected to cost and what it did cost.");
        asked.AddTo(command);
        server.AddTo(command);
        command.SetAction(CommandLine.Run(async (session, parse, cancel) =>
        {
            using var client = server.Open(parse);
            var document = await client.ExplainAsync(asked.Read(parse), cancel).ConfigureAwait(false);
            if (session.Terminal.Json)
            {
                session.Terminal.WriteDocument(document);
            }
            else
            {
                session.Terminal.Write(ToTree(document, parse.CommandResult.Command.Name));
            }
            return ExitCode.Ok;
        }));
        return command;
    }

    /// <summary>Any document as a tree: what a newer server says besides is shown too.</summary>
    public static Tree ToTree(JsonElement document, string title)
    {
        var tree = new Tree(title);
        Add(tree, document);
        return tree;
    }

    private static void Add(IHasTreeNodes parent, JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.Array)
        {
            foreach (var item in element.EnumerateArray().Take(ItemsShown))
            {
                AddNode(parent, "", item);
            }
            if (element.GetArrayLength() > ItemsShown)
            {
                parent.AddNode(new Text($"… {element.GetArrayLength() - ItemsShown} more (--json shows all)"));
            }
            return;
        }
        foreach (var property in element.EnumerateObject())
        {
            AddNode(parent, property.Name, property.Value);
        }
    }

    private static void AddNode(IHasTreeNodes parent, string name, JsonElement element)
    {
        if (Line(element) is { } line)
        {
            parent.AddNode(new Text(name.Length == 0 ? line : $"{name}: {line}"));
            return;
        }
        if (element.ValueKind == JsonValueKind.Array)
        {
            Add(parent.AddNode(new Text($"{name} ({element.GetArrayLength()})")), element);
            return;
        }
        // What is plain stands on the line of its object; what has parts of its own goes below.
        var plain = element.EnumerateObject().Where(p => Line(p.Value) is not null).Select(p => $"{p.Name} {Line(p.Value)}");
        var node = parent.AddNode(new Text($"{name}{(name.Length > 0 ? ": " : "")}{string.Join(" · ", plain)}".TrimEnd(' ', ':')));
        foreach (var property in element.EnumerateObject().Where(p => Line(p.Value) is null))
        {
            AddNode(node, property.Name, property.Value);
        }
    }

    private static string? Line(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => null,
        JsonValueKind.Array => element.GetArrayLength() == 0 ? "none" : null,
        JsonValueKind.Null => "-",
        JsonValueKind.True => "yes",
        JsonValueKind.False => "no",
        JsonValueKind.Number when element.TryGetInt64(out var whole) => whole.ToString(CultureInfo.InvariantCulture),
        _ => element.ToString(),
    };
}

using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Foretier.Cli.Ask;
using Foretier.Cli.Backtest;
using Foretier.Cli.Backup;
using Foretier.Cli.Export;
using Foretier.Cli.Forecast;
using Foretier.Cli.Import;
using Foretier.Cli.Map;
using Foretier.Cli.Models;
using Foretier.Cli.Replay;
using Foretier.Cli.Simulate;
using Foretier.Cli.Up;
using Foretier.Client;
using Foretier.Client.Mqtt;

namespace Foretier.Cli;

/// <summary>What every command works with.</summary>
/// <param name="Force">Cancelled when the user asks a second time to stop.</param>
internal sealed record Session(Terminal Terminal, TimeProvider Clock, CancellationToken Force);

/// <summary>The commands, the options they share, and how they end.</summary>
internal static class CommandLine
{
    private static readonly AsyncLocal<Session?> Current = new();

    public static Option<bool> Json { get; } = new("--json")
    {
        Description = "Exactly one JSON document on standard output, all else on standard error.",
        Recursive = true,
    };

    public static Option<string?> Data { get; } = new("--data")
    {
        Description = $"Data folder of 'foretier up' (default: ${DataFolder.Variable}, else $XDG_DATA_HOME/foretier, else ~/.local/share/foretier).",
        HelpName = "DIR",
        Recursive = true,
    };

    public static RootCommand Root()
    {
        var root = new RootCommand("Foretier: an IoT gateway that keeps sensor data on the tier where it will be read next.\n\n" + ExitCode.Help)
        {
            UpCommand.Make(),
            PublishCommand.Make(),
            ImportCommand.Make(),
            SimulateCommand.Make(),
            QueryCommand.Make(),
            ExplainCommand.Make(),
            SeriesCommand.Make(),
            ExportCommand.Make(),
            BackupCommand.Make(),
            BackupCommand.MakeRestore(),
            TierCommand.Make(),
            LedgerCommand.Make(),
            AccountsCommand.Make(),
            DevicesCommand.Make(),
            MapCommand.Make(),
            ForecastCommand.Make(),
            ScorecardCommand.Make(),
            BacktestCommand.Make(),
            KeysCommand.Make(),
            ModelsCommand.Make(),
            FleetCommand.Make(),
            ReplayCommand.Make(),
            DoctorCommand.Make(),
            Json,
            Data,
        };
        root.HelpName = "foretier";
        var help = root.Options.OfType<HelpOption>().Single();
        help.Action = new BriefHelp((HelpAction)help.Action!);
        return root;
    }

    /// <summary>Parses, runs and says how it went.</summary>
    /// <returns>One of <see cref="ExitCode"/>.</returns>
    public static async Task<int> RunAsync(
        IReadOnlyList<string> arguments, TextWriter output, TextWriter error, TimeProvider clock, CancellationToken stop, CancellationToken force = default)
    {
        var parse = Root().Parse(arguments);
        var terminal = new Terminal(output, error, parse.GetResult(Json) is not null && parse.GetValue(Json));
        if (parse.Errors.Count > 0 && parse.Action is ParseErrorAction)
        {
            var name = string.Join(' ', PathOf(parse.CommandResult.Command));
            var mistakes = parse.Errors.Select(mistake => Describe(mistake, name)).ToList();
            foreach (var mistake in mistakes)
            {
                terminal.Note($"foretier: {mistake}");
            }
            terminal.Note($"See {name} --help");
            Document(terminal, new(ExitCode.BadUsage, string.Join(' ', mistakes), null, $"See {name} --help"), parse.CommandResult.Command.Name);
            return ExitCode.BadUsage;
        }
        Current.Value = new(terminal, clock, force);
        // Signals are ours (see Interruption): the library would end the process two seconds after one.
        var invocation = new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
        try
        {
            return await parse.InvokeAsync(invocation, stop).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return ExitCode.Interrupted;
        }
        catch (Exception e) when (Describe(e) is { } failure)
        {
            Tell(terminal, failure, parse.CommandResult.Command);
            return failure.Code;
        }
    }

    /// <summary>An action with its session.</summary>
    public static Func<ParseResult, CancellationToken, Task<int>> Run(Func<Session, ParseResult, CancellationToken, Task<int>> action) =>
        (parse, cancel) => action(Current.Value!, parse, cancel);

    private sealed record Failure(int Code, string Title, string? Detail, string? Advice);

    /// <summary>What is expected to go wrong; null for our own mistakes, which end the process with their trace.</summary>
    private static Failure? Describe(Exception e) => e switch
    {
        CommandException own => new(own.ExitCode, own.Message, null, own.Advice),
        ServerRefusedException { Problem: var problem } => new(ExitCode.Refused, $"{problem.Title} ({problem.Status})", problem.Detail,
            problem.Status is 401 or 403 ? "Check the key: --key, FORETIER_KEY, or credentials.json of the data folder (--data)." : null),
        MqttRefusedException => new(ExitCode.Refused, e.Message, null, "Check the user and its secret: --user and --secret, or --data."),
        ServerUnreachableException => new(ExitCode.Unreachable, e.Message, null, "Is it running? Start it with: foretier up"),
        UnauthorizedAccessException or IOException => new(ExitCode.Failed, e.Message, null, null),
        _ => null,
    };

    /// <summary>A mistake in what was typed; of a command that only has others below it, which.</summary>
    private static string Describe(ParseError mistake, string name) => mistake.SymbolResult is CommandResult { Command: { Action: null, Subcommands: { Count: > 0 } below } command }
        && !mistake.Message.Contains('\'', StringComparison.Ordinal) && command is not RootCommand
            ? $"what of '{name}'? There are {string.Join(", ", below.Take(below.Count - 1).Select(one => one.Name))} and {below[^1].Name}." : mistake.Message;

    private static void Tell(Terminal terminal, Failure failure, Command command)
    {
        terminal.Note($"{string.Join(' ', PathOf(command))}: {failure.Title}");
        if (failure.Detail is not null)
        {
            terminal.Note($"  {failure.Detail}");
        }
        if (failure.Advice is not null)
        {
            terminal.Note($"  {failure.Advice}");
        }
        Document(terminal, failure, command.Name);
    }

    private static void Document(Terminal terminal, Failure failure, string command)
    {
        // 'up' promises one line when it is ready, and says nothing there before.
        if (terminal.Json && command != "up")
        {
            terminal.WriteDocument(new { error = new { exitCode = failure.Code, title = failure.Title, detail = failure.Detail, advice = failure.Advice } });
        }
    }

    /// <summary>Help that lists commands with the first line of what they say of themselves; their own help says all of it.</summary>
    private sealed class BriefHelp(HelpAction help) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            foreach (var command in parseResult.CommandResult.Command.Subcommands)
            {
                command.Description = command.Description?.Split('\n')[0];
            }
            return help.Invoke(parseResult);
        }
    }

    private static IEnumerable<string> PathOf(Command command) =>
        command is RootCommand ? ["foretier"] : command.Parents.OfType<Command>().Take(1).SelectMany(PathOf).Append(command.Name);
}

using System.CommandLine;
using Foretier.Client;

namespace Foretier.Cli.Ask;

/// <summary>What commands that ask a server one thing have in common.</summary>
internal static class Asking
{
    /// <summary>Gives a command its server options and what it does with the client.</summary>
    public static Command Asks(this Command command, Func<Session, ParseResult, ForetierClient, CancellationToken, Task> ask)
    {
        var server = new ServerOptions();
        server.AddTo(command);
        command.SetAction(CommandLine.Run(async (session, parse, cancel) =>
        {
            using var client = server.Open(parse);
            await ask(session, parse, client, cancel).ConfigureAwait(false);
            return ExitCode.Ok;
        }));
        return command;
    }

    /// <summary>One document with --json, else one line.</summary>
    public static void Tell<T>(this Terminal terminal, T document, string line)
    {
        if (terminal.Json)
        {
            terminal.WriteDocument(document);
            return;
        }
        terminal.WriteLine(line);
    }

    public static Argument<string> DeviceArgument()
    {
        var name = new Argument<string>("ACCOUNT/DEVICE") { Description = "MQTT user name; 'account/*' is a concentrator that publishes for every device of the account." };
        name.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && result.Tokens[0].Value.Split('/') is not [{ Length: > 0 }, { Length: > 0 }])
            {
                result.AddError($"'{result.Tokens[0].Value}' is not ACCOUNT/DEVICE");
            }
        });
        return name;
    }

    public static (string Account, string Device) Split(string name) => (name.Split('/')[0], name.Split('/')[1]);

    /// <summary>Topic patterns, several times or 'default'.</summary>
    public static Option<string[]> Rules(string name, string description) => new(name)
    {
        Description = description + " (repeat it for more; 'default' = its own topics)",
        HelpName = "PATTERN",
        AllowMultipleArgumentsPerToken = true,
    };

    /// <summary>Null where it was not given; empty for 'default'.</summary>
    public static IReadOnlyList<string>? RulesOf(this ParseResult parse, Option<string[]> option) =>
        parse.GetResult(option) is null ? null : parse.GetValue(option) is ["default"] ? [] : parse.GetValue(option);

    /// <summary>A duration, or 'learn' for 0.</summary>
    public static Option<double?> Expect() => new("--expect")
    {
        Description = "How often the device is to be heard, such as 60s; 'learn' = from its gaps.",
        HelpName = "DURATION",
        CustomParser = result => result.Tokens[0].Value == "learn" ? 0
            : Core.Query.Question.TryDuration(result.Tokens[0].Value, out var micros) && micros > 0 ? micros / 1e6
            : ServerOptions.Refuse<double?>(result, $"--expect: '{result.Tokens[0].Value}' is not a duration; use for example 60s, 15m, or learn"),
    };
}

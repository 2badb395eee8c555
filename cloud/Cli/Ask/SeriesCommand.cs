using System.CommandLine;

namespace Foretier.Cli.Ask;

/// <summary><c>foretier series</c>: what there is.</summary>
internal static class SeriesCommand
{
    public static Command Make()
    {
        var glob = new Argument<string?>("GLOB") { Description = "Only those that match, for example 'acme/*/temperature' (default: all).", Arity = ArgumentArity.ZeroOrOne };
        var server = new ServerOptions();
        var command = new Command("series", "List the series there are.") { glob };
        server.AddTo(command);
        command.SetAction(CommandLine.Run(async (session, parse, cancel) =>
        {
            using var client = server.Open(parse);
            var reply = await client.SeriesAsync(parse.GetValue(glob), cancel).ConfigureAwait(false);
            if (session.Terminal.Json)
            {
                session.Terminal.WriteDocument(reply);
                return ExitCode.Ok;
            }
            var table = Terminal.NewTable("series", "kind", "unit", "edge");
            foreach (var series in reply.Series)
            {
                Terminal.AddRow(table, series.Name, series.Kind, series.Unit, series.Edge);
            }
            session.Terminal.Write(table);
            session.Terminal.WriteLine($"{reply.Series.Count} series");
            return ExitCode.Ok;
        }));
        return command;
    }
}

using System.CommandLine;
using System.Globalization;
using Foretier.Cli.Ask;
using Foretier.Protocol.Api;

namespace Foretier.Cli.Models;

/// <summary><c>foretier models</c>: signs, publishes and rolls out models, and shows how boxes stand with them.</summary>
internal static class ModelsCommand
{
    private const string StatusHelp = "How every box stands: what serves, what is fetched, tested or compared, what was refused and why.";

    public static Command Make() => new("models", """
        Models that forecast on the boxes: sign one, publish it, watch boxes try it.
        A box fetches it, tests it, lets it forecast beside the one that serves (a week, FORETIER__UPDATES__SHADOWHOURS), and lets it serve where it is
        better; goes back by itself where it turns out worse.
          foretier models status
        """)
    {
        SignCommand.Make(),
        SignCommand.MakePublish(),
        new Command("list", "Models that were published, and which boxes are to have which.").Asks(async (session, _, client, cancel) => List(session.Terminal, await client.ModelsAsync(cancel).ConfigureAwait(false))),
        MakeStatus(),
        MakePromote(),
        Change("pause", "Boxes go on comparing, fetch nothing and change nothing.", RolloutStage.Paused, "is paused; 'promote' goes on"),
        Change("stop", "Boxes that have not let it serve drop it.", RolloutStage.Stopped, "is stopped; boxes where it serves keep it"),
        Change("rollback", "Boxes where it serves go back to the one before; the others drop it.", RolloutStage.RolledBack, "is taken back"),
    };

    private static Argument<string> Id() => new("MODEL") { Description = "As 'list' names it: volume-lstm." };

    internal static Option<int?> Percent(string description)
    {
        var percent = new Option<int?>("--percent") { Description = description, HelpName = "N" };
        percent.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && (!int.TryParse(result.Tokens[0].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number > 100))
            {
                result.AddError($"--percent: '{result.Tokens[0].Value}' does not lie within 0 and 100");
            }
        });
        return percent;
    }

    internal static Option<string[]> Labels() =>
        new("--label") { Description = "Only boxes with this label (repeat it for more), as their FORETIER__UPDATES__LABELS__0 says.", HelpName = "LABEL", AllowMultipleArgumentsPerToken = true };

    private static Command MakePromote()
    {
        var (id, percent, labels) = (Id(), Percent("Of all boxes, by their names: as it grows the same ones and more (default: 100)."), Labels());
        var version = new Option<int?>("--version") { Description = "Another version that was published.", HelpName = "N" };
        var now = new Option<bool>("--now") { Description = "Boxes that have tested it let it serve without waiting for the comparison; they go back by themselves where it is worse." };
        return new Command("promote", "Roll a model out to more boxes (alone: to all), or go on after a pause.") { id, version, percent, labels, now }.Asks(async (session, parse, client, cancel) =>
        {
            var change = new RolloutChange(RolloutStage.Trial, parse.GetValue(version), parse.GetValue(percent) ?? 100, parse.GetValue(labels) ?? [], parse.GetValue(now));
            var entry = await client.ChangeRolloutAsync(parse.GetRequiredValue(id), change, cancel).ConfigureAwait(false);
            session.Terminal.Tell(entry, Describe(entry));
        });
    }

    private static Command Change(string name, string description, RolloutStage stage, string done)
    {
        var id = Id();
        return new Command(name, description) { id }.Asks(async (session, parse, client, cancel) =>
        {
            var entry = await client.ChangeRolloutAsync(parse.GetRequiredValue(id), new(stage), cancel).ConfigureAwait(false);
            session.Terminal.Tell(entry, $"{entry.Id} {entry.Rollout?.Version} {done}");
        });
    }

    internal static string Describe(ModelEntry entry) => entry.Rollout is not { } rollout ? $"{entry.Id} is not rolled out"
        : $"{entry.Id} {rollout.Version} {(rollout.Stage == RolloutStage.Trial ? "is rolled out" : $"is {Word(rollout.Stage)}")} to {rollout.Percent} % of the boxes"
            + (rollout.Labels.Count > 0 ? $" labelled {string.Join(" or ", rollout.Labels)}" : "") + (rollout.Now ? ", without waiting for the comparison" : "");

    internal static string Word(RolloutStage stage) => stage switch
    {
        RolloutStage.Trial => "rolling out",
        RolloutStage.RolledBack => "rolled back",
        RolloutStage.Paused => "paused",
        _ => "stopped",
    };

    private static void List(Terminal terminal, ModelsReply reply)
    {
        Warn(terminal, reply);
        if (terminal.Json)
        {
            terminal.WriteDocument(reply);
            return;
        }
        var table = Terminal.NewTable("model", ">version", ">bytes", "expires", "digest", "rollout");
        foreach (var model in reply.Models)
        {
            foreach (var version in model.Versions)
            {
                var rollout = model.Rollout is { } is_ && is_.Version == version.Version ? $"{Word(is_.Stage)}, {is_.Percent} %{(is_.Labels.Count > 0 ? " of " + string.Join(", ", is_.Labels) : "")}" : "";
                Terminal.AddRow(table, model.Id, $"{version.Version}{(version.StepsBack ? " (steps back)" : "")}", version.Bytes.ToString("N0", CultureInfo.InvariantCulture), $"{version.Expires}"[..10], version.Digest[..12], rollout);
            }
        }
        terminal.Write(table);
    }

    private static Command MakeStatus() => new Command("status", StatusHelp).Asks(async (session, _, client, cancel) =>
    {
        var reply = await client.ModelsAsync(cancel).ConfigureAwait(false);
        var terminal = session.Terminal;
        Warn(terminal, reply);
        if (terminal.Json)
        {
            terminal.WriteDocument(reply);
            return;
        }
        foreach (var model in reply.Models)
        {
            terminal.WriteLine(Describe(model));
        }
        var table = Terminal.NewTable("box", "model", "serves", "before", "on trial", ">hours", ">wQL", ">serving's", ">baseline's");
        foreach (var (box, model) in reply.Boxes.SelectMany(box => box.Models.Select(model => (box, model))))
        {
            var scores = model.Trial?.Scores ?? model.Serving?.Scores;
            Terminal.AddRow(table, box.Connected ? box.Node : $"{box.Node} (away)", model.Id, Describe(model.Serving) is { Length: > 0 } serves ? serves : "baselines", Describe(model.Before), Describe(model.Trial),
                $"{scores?.Hours}", Number(scores?.Wql), Number(scores?.WqlServing), Number(scores?.WqlBaseline));
        }
        terminal.Write(table);
        foreach (var (box, refused) in reply.Boxes.SelectMany(box => box.Models.SelectMany(model => model.Refused.Select(refused => (box, refused)))))
        {
            terminal.WriteLine($"{box.Node}: version {refused.Version} refused {refused.At}: {refused.Reason}");
        }
    });

    private static string Describe(ServingModel? model) => model is null ? ""
        : model.Version.ToString(CultureInfo.InvariantCulture) + (model.Source == "shipped" ? " (came with the program)" : model.ProbationUntil is { } until ? $" (on probation until {until})" : "");

    private static string Describe(ModelTrialState? trial) => trial is null ? ""
        : $"{trial.Version}, " + trial.Phase switch
        {
            TrialPhase.Fetching => string.Create(CultureInfo.InvariantCulture, $"{100.0 * trial.Bytes / trial.BytesAll:0} % fetched"),
            TrialPhase.Testing => "being tested",
            _ => $"compared until {trial.Until}",
        } + (trial.Problem is { } problem ? $": {problem}" : "");

    private static string Number(double? figure) => figure?.ToString("0.000", CultureInfo.InvariantCulture) ?? "";

    private static void Warn(Terminal terminal, ModelsReply reply)
    {
        if (reply.Problem is { } problem)
        {
            terminal.Note(problem);
        }
    }
}

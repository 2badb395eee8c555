using System.CommandLine;
using System.Globalization;
using Foretier.Cli.Images;

namespace Foretier.Cli.Ask;

/// <summary><c>foretier fleet</c>: every box, in a line.</summary>
internal static class FleetCommand
{
    public static Command Make() => new Command("fleet", """
        List every box: version, image (and the one that is rolled out to it), model, health, how long its flash lasts, when it was last heard.
        A box that is away is listed as it last was, as long as the router runs.
        """) { FleetUpdateCommand.Make() }.Asks(async (session, _, client, cancel) =>
    {
        var reply = await client.FleetAsync(cancel).ConfigureAwait(false);
        if (session.Terminal.Json)
        {
            session.Terminal.WriteDocument(reply);
            return;
        }
        var table = Terminal.NewTable("box", "role", "version", "image", "wanted", "model", "health", ">flash, years left", "last seen");
        foreach (var box in reply.Boxes)
        {
            var health = !box.Connected ? "away" : box.Problems.Count == 0 ? "ok" : box.Problems[0] + (box.Problems.Count > 1 ? $" (and {box.Problems.Count - 1} more)" : "");
            var years = box.FlashYears is { } left ? left > 100 ? "> 100" : left.ToString("0.0", CultureInfo.InvariantCulture) : "";
            Terminal.AddRow(table, box.Node, box.Role, box.Version?.Split('+')[0], box.Image, Wanted(box), box.Model, health, years, box.Connected ? "now" : box.Seen?.ToString() ?? "never");
        }
        session.Terminal.Write(table);
    });

    private static string Wanted(Protocol.Api.FleetEntry box) =>
        box is { Wanted: { } wanted, Update: { } standing } ? $"{wanted} ({FleetUpdateCommand.Describe(standing, box.UpdateDetail)})" : "";
}

using System.CommandLine;
using System.Globalization;
using Foretier.Cli.Ask;
using Foretier.Cli.Models;
using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;

namespace Foretier.Cli.Images;

/// <summary><c>foretier fleet update</c>: publishes signed images of the agent and rolls them out to the boxes.</summary>
internal static class FleetUpdateCommand
{
    public static Command Make() => new("update", """
        Roll out a signed image of the agent: one box first, then as many at once as have it and do well.
        A box fetches over its link what it has not kept of images before, checks all of it, and has its installer start it; where it does not serve, or its
        router does not reach it, the box goes back by itself, and no other begins. A box that is less well with it than before, when it has been watched
        (ten minutes), is told to go back too.
          foretier fleet update publish release-1.1.0 && foretier fleet update start 1.1.0 --percent 10
        """)
    {
        MakePublish(),
        new Command("list", "Images that were published, and which of them is rolled out.").Asks(async (session, _, client, cancel) => List(session.Terminal, await client.ImagesAsync(cancel).ConfigureAwait(false))),
        MakeStart(),
        new Command("status", "How every box stands with the image that is rolled out, and what ended it.").Asks(async (session, _, client, cancel) => Status(session.Terminal, await client.ImagesAsync(cancel).ConfigureAwait(false))),
        Change("pause", "No other box begins, and what is being fetched waits; 'start' goes on.", RolloutStage.Paused),
        Change("stop", "Boxes that have not installed it drop it; those that have keep it.", RolloutStage.Stopped),
        Change("rollback", "Boxes that run it go back to the image before, all at once; the others drop it.", RolloutStage.RolledBack),
    };

    /// <summary>How a box stands, in words.</summary>
    public static string Describe(UpdateStanding standing, string? detail) => standing switch
    {
        UpdateStanding.NotMeant => "not meant",
        UpdateStanding.Newer => "has a later one",
        UpdateStanding.WentBack => "went back",
        _ => standing.ToString().ToLowerInvariant(),
    } + (detail is null ? "" : $": {detail}");

    private static Command MakePublish()
    {
        var folder = new Argument<DirectoryInfo>("RELEASE") { Description = "The folder that scripts/release VERSION --image made: release.json, release.sig, image/." };
        return new Command("publish", "Put a signed image into the archive. Run again after a break, it sends what is missing. Nothing is rolled out by that: see 'start'.") { folder }.Asks(async (session, parse, client, cancel) =>
        {
            var path = parse.GetRequiredValue(folder).FullName;
            byte[] Read(string name) => File.Exists(Path.Combine(path, name)) ? File.ReadAllBytes(Path.Combine(path, name))
                : throw new CommandException(ExitCode.BadUsage, $"there is no {Path.Combine(path, name)}", "Sign the image first: scripts/release VERSION --keys keys --out RELEASE --image IMAGE.tar");
            var signed = new SignedRelease(Read(SignedRelease.DocumentFile), Read(SignedRelease.SignatureFile));
            ImageRelease release;
            try
            {
                release = signed.AsImage();
            }
            catch (ReleaseRefusedException e)
            {
                throw new CommandException(ExitCode.Refused, e.Message);
            }
            var upload = new ImageUpload(signed.Document, signed.Signature);
            var reply = await client.PublishImageAsync(upload, cancel).ConfigureAwait(false);
            foreach (var file in release.Files.Where(file => reply.Missing.Contains(file.Name)))
            {
                var from = Path.Combine(path, ImageRelease.ImageFolder, file.Name);
                if (new FileInfo(from) is not { Exists: true } info || info.Length != file.Bytes)
                {
                    throw new CommandException(ExitCode.Refused, $"{from} is not what was signed");
                }
                session.Terminal.Note(string.Create(CultureInfo.InvariantCulture, $"sending {file.Name}, {file.Bytes:N0} bytes"));
                using var content = File.OpenRead(from);
                await client.PutImageFileAsync(release.Version, file.Name, file.Sha256, content, cancel).ConfigureAwait(false);
            }
            reply = reply.Missing.Count == 0 ? reply : await client.PublishImageAsync(upload, cancel).ConfigureAwait(false);
            if (reply.Missing.Count > 0)
            {
                throw new CommandException(ExitCode.Failed, $"not published: the archive lacks {string.Join(", ", reply.Missing)}");
            }
            session.Terminal.Tell(reply.Image, $"{release.Version} is published; next: foretier fleet update start {release.Version} --percent 10");
        });
    }

    private static Command MakeStart()
    {
        var version = new Argument<string?>("VERSION") { Description = "A version that was published (default: the one that is rolled out).", Arity = ArgumentArity.ZeroOrOne };
        var percent = ModelsCommand.Percent("Of all boxes, by their names: as it grows the same ones and more (default: as before, at first 100).");
        var labels = ModelsCommand.Labels();
        var watch = TimeText.DurationOption("--watch", "How long a box has to do well with it before it counts (default: as before, at first 10m).");
        return new Command("start", "Begin to roll an image out, widen that, or go on after a pause or a stop.") { version, percent, labels, watch }.Asks(async (session, parse, client, cancel) =>
        {
            var change = new ImageChange(RolloutStage.Trial, parse.GetValue(version), parse.GetValue(percent), parse.GetResult(labels) is null ? null : parse.GetValue(labels),
                parse.GetValue(watch) is { } span ? Math.Max(1, (long)span.TotalSeconds) : null);
            var reply = await client.ChangeImageRolloutAsync(change, cancel).ConfigureAwait(false);
            session.Terminal.Tell(reply, Describe(reply.Rollout));
        });
    }

    private static Command Change(string name, string description, RolloutStage stage) => new Command(name, description).Asks(async (session, _, client, cancel) =>
    {
        var reply = await client.ChangeImageRolloutAsync(new(stage), cancel).ConfigureAwait(false);
        session.Terminal.Tell(reply, Describe(reply.Rollout));
    });

    private static string Describe(ImageRollout? rollout) => rollout is null ? "no image is rolled out"
        : $"{rollout.Version} is {ModelsCommand.Word(rollout.Stage)}, {rollout.Percent} % of the boxes" + (rollout.Labels.Count > 0 ? $" labelled {string.Join(" or ", rollout.Labels)}" : "")
            + (rollout.Halt is { } halt ? $"\nstopped by itself {halt.At}: {halt.Node}: {halt.Reason}" : "");

    private static void List(Terminal terminal, ImagesReply reply)
    {
        Warn(terminal, reply);
        if (terminal.Json)
        {
            terminal.WriteDocument(reply);
            return;
        }
        var table = Terminal.NewTable("image", ">bytes", "expires", "digest", "rollout");
        foreach (var version in reply.Versions)
        {
            Terminal.AddRow(table, version.Version, version.Bytes.ToString("N0", CultureInfo.InvariantCulture), $"{version.Expires}"[..10], version.Digest[..12],
                reply.Rollout is { } rollout && rollout.Version == version.Version ? $"{ModelsCommand.Word(rollout.Stage)}, {rollout.Percent} %" : "");
        }
        terminal.Write(table);
    }

    private static void Status(Terminal terminal, ImagesReply reply)
    {
        Warn(terminal, reply);
        if (terminal.Json)
        {
            terminal.WriteDocument(reply);
            return;
        }
        terminal.WriteLine(Describe(reply.Rollout));
        var table = Terminal.NewTable("box", "runs", "state", "labels", "last");
        foreach (var box in reply.Boxes)
        {
            var last = box.Image.Last is { } result ? $"{result.Version} {(result.Outcome == ImageOutcome.WentBack ? "went back" : result.Outcome.ToString().ToLowerInvariant())} {result.At}{Spared(result.BytesKept)}" : "";
            Terminal.AddRow(table, box.Connected ? box.Node : $"{box.Node} (away)", box.Image.Running ?? "no image", Describe(box.Standing, box.Detail), string.Join(", ", box.Labels), last);
        }
        terminal.Write(table);
    }

    private static string Spared(long bytes) => bytes > 0 ? string.Create(CultureInfo.InvariantCulture, $", {bytes / 1e6:0.0} MB not fetched") : "";

    private static void Warn(Terminal terminal, ImagesReply reply)
    {
        if (reply.Problem is { } problem)
        {
            terminal.Note(problem);
        }
    }
}

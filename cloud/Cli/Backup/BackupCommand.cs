using System.CommandLine;
using Foretier.Cli.Up;

namespace Foretier.Cli.Backup;

/// <summary><c>foretier backup</c> and <c>foretier restore</c>: what a lost node needs besides the samples that others have.</summary>
internal static class BackupCommand
{
    public static Command Make()
    {
        var output = new Option<string>("--out") { Description = "File to write; it holds secrets, and is made readable for you alone.", HelpName = "FILE.tar.gz", Required = true };
        var command = new Command("backup", """
            Copy what of a data folder nobody else has: credentials, API keys, accounts, devices, certificates, and what forecasts have learnt.
            Also while it runs. Device secrets are in it. Samples are not: the gateway and the archive have them; catalogs are made again from those.
              foretier backup --out foretier.tar.gz             a folder of 'up'; with --data DIR another one, or that of one node
            """) { output };
        command.SetAction(CommandLine.Run((session, parse, _) =>
        {
            var data = DataFolder.Of(parse.GetValue(CommandLine.Data));
            var path = parse.GetRequiredValue(output);
            var files = Attempt(() => BackupFile.Write(data.Path, path), path);
            if (session.Terminal.Json)
            {
                session.Terminal.WriteDocument(new { file = path, files });
            }
            else
            {
                session.Terminal.Note($"{files.Count} files of {data.Path}: {path}");
            }
            return Task.FromResult(ExitCode.Ok);
        }));
        return command;
    }

    public static Command MakeRestore()
    {
        var file = new Argument<string>("FILE") { Description = "What 'foretier backup' wrote." };
        var replace = new Option<bool>("--replace") { Description = "Also what is still there (default: only what is missing)." };
        var command = new Command("restore", """
            Put back what 'foretier backup' saved, where it is missing: after a node's folder was lost. The nodes must not be running.
            Then start them: a gateway learns from the archive what is there, and its edges send again what it lacks.
              foretier restore foretier.tar.gz
            """) { file, replace };
        command.SetAction(CommandLine.Run((session, parse, _) =>
        {
            var data = DataFolder.Of(parse.GetValue(CommandLine.Data));
            using var held = UpLock.Take(data);
            var path = parse.GetRequiredValue(file);
            var (written, left) = Attempt(() => BackupFile.Restore(path, data.Path, parse.GetValue(replace)), data.Path);
            if (session.Terminal.Json)
            {
                session.Terminal.WriteDocument(new { data = data.Path, written, left });
            }
            else
            {
                session.Terminal.Note($"{written.Count} files put back in {data.Path}{(left.Count == 0 ? "" : $"; {left.Count} were there and are left as they are (--replace)")}");
            }
            return Task.FromResult(ExitCode.Ok);
        }));
        return command;
    }

    private static T Attempt<T>(Func<T> action, string path)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.NotHere, $"{path} cannot be written: {e.Message}");
        }
    }
}

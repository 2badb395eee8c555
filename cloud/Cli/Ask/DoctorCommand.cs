using System.CommandLine;
using Foretier.Client;
using Foretier.Protocol.Api;

namespace Foretier.Cli.Ask;

/// <summary><c>foretier doctor</c>: looks a running system and a data folder over, and says what to do.</summary>
internal static class DoctorCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public static Command Make()
    {
        var server = new ServerOptions();
        var command = new Command("doctor", """
            Look a running system and its data folder over; each line says what is so and what to do.
            Ends with exit code 1 where something fails; warnings do not count.
            """);
        server.AddTo(command);
        command.SetAction(CommandLine.Run(async (session, parse, cancel) =>
        {
            var data = DataFolder.Of(parse.GetValue(CommandLine.Data));
            var reports = new List<NodeReport>();
            if (Directory.Exists(data.Path))
            {
                reports.Add(new("this machine", "", [.. LookAt(data)]));
            }
            reports.AddRange(await AskAsync(server, parse, data, cancel).ConfigureAwait(false));
            var reply = new DoctorReply(reports);
            if (session.Terminal.Json)
            {
                session.Terminal.WriteDocument(reply);
            }
            else
            {
                Show(session.Terminal, reply);
            }
            return reports.Exists(r => r.Checks.Any(c => c.Status == CheckStatus.Fail)) ? ExitCode.Failed : ExitCode.Ok;
        }));
        return command;
    }

    private static async Task<IEnumerable<NodeReport>> AskAsync(ServerOptions server, ParseResult parse, DataFolder data, CancellationToken cancel)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(Patience);
        var where = data.Path;
        try
        {
            using var client = server.Open(parse);
            where = client.Server.ToString();
            var nodes = (await client.DoctorAsync(patience.Token).ConfigureAwait(false)).Nodes;
            return nodes.Select(n => n.Version.Length == 0 || nodes[0].Version.Length == 0 || n.Version == nodes[0].Version ? n
                : n with { Checks = [.. n.Checks, new("version", CheckStatus.Warn, $"{n.Version}, while {nodes[0].Node} is {nodes[0].Version}", "bring all nodes to one version")] });
        }
        catch (CommandException none) when (none.ExitCode == ExitCode.Unreachable)
        {
            return [new("router", "", [new("running", CheckStatus.Fail, none.Message, "start it with: foretier up")])];
        }
        catch (Exception failure) when (failure is ServerUnreachableException or ServerRefusedException || (failure is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            return [new("router", "", [new("running", CheckStatus.Fail, $"no answer from {where}: {failure.Message}", "see that it runs (foretier up), and its log; for another, use --url and --key")])];
        }
    }

    /// <summary>What can be told without asking anyone.</summary>
    private static IEnumerable<Check> LookAt(DataFolder data)
    {
        yield return Writable(data.Path);
        yield return Secret(data.CredentialsFile);
        if (data.ReadRun() is { } run)
        {
            foreach (var (what, address) in new[] { ("MQTT port", run.Mqtt), ("router port", run.Router), ("gateway port", run.Gateway), ("agent port", run.Agent) })
            {
                yield return Port(what, address);
            }
        }
    }

    private static Check Writable(string folder)
    {
        var probe = Path.Combine(folder, $".doctor-{Environment.ProcessId}");
        try
        {
            File.WriteAllBytes(probe, [1]);
            File.Delete(probe);
            return new("data folder", CheckStatus.Ok, $"{folder} can be written");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return new("data folder", CheckStatus.Fail, $"{folder} cannot be written: {failure.Message}", "make it writable for this user, or free space");
        }
    }

    private static Check Secret(string file)
    {
        const UnixFileMode others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        return !File.Exists(file) ? new("credentials", CheckStatus.Ok, $"none kept in {file}")
            : !OperatingSystem.IsWindows() && (File.GetUnixFileMode(file) & others) != 0 ? new("credentials", CheckStatus.Fail, $"others may read {file}", $"chmod 600 {file}")
            : new("credentials", CheckStatus.Ok, $"{file}, for its owner alone");
    }

    private static Check Port(string what, string address)
    {
        var uri = new Uri(address.Contains("://", StringComparison.Ordinal) ? address : "tcp://" + address);
        try
        {
            using var tcp = new System.Net.Sockets.TcpClient();
            return tcp.ConnectAsync(uri.Host, uri.Port).Wait(TimeSpan.FromSeconds(3)) ? new(what, CheckStatus.Ok, $"{uri.Authority} answers")
                : new(what, CheckStatus.Fail, $"{uri.Authority} does not answer within 3 s", "see its log");
        }
        catch (AggregateException failure)
        {
            return new(what, CheckStatus.Fail, $"{uri.Authority}: {failure.InnerException?.Message}", "see that the node runs, and its log");
        }
    }

    private static void Show(Terminal terminal, DoctorReply reply)
    {
        foreach (var node in reply.Nodes)
        {
            terminal.WriteLine(node.Version.Length > 0 ? $"{node.Node} ({node.Version})" : node.Node);
            foreach (var check in node.Checks)
            {
                terminal.WriteLine($"  {check.Status.ToString().ToLowerInvariant(),-4}  {check.Name}: {check.Found}");
                if (check.Advice is not null && check.Status != CheckStatus.Ok)
                {
                    terminal.WriteLine($"        → {check.Advice}");
                }
            }
        }
        var counts = reply.Nodes.SelectMany(n => n.Checks).CountBy(c => c.Status).ToDictionary();
        terminal.WriteLine($"{counts.GetValueOrDefault(CheckStatus.Ok)} ok, {counts.GetValueOrDefault(CheckStatus.Warn)} to look at, {counts.GetValueOrDefault(CheckStatus.Fail)} failing");
    }
}

using System.CommandLine;
using System.Text.Json.Serialization;
using Foretier.Client;

namespace Foretier.Cli.Up;

/// <summary><c>foretier up</c>: the whole path on this machine, until Ctrl-C.</summary>
internal static class UpCommand
{
    public static Command Make()
    {
        var mqtt = NumberText.Option("--mqtt-port", "Where devices publish (MQTT).", 1883, 1, 65_535);
        var http = NumberText.Option("--http-port", "Where the router answers (REST).", 8080, 1, 65_535);
        var mqttTls = NumberText.Option("--mqtt-tls-port", "Where devices publish over TLS, on every address of this machine; 0 for none.", 0, 0, 65_535);
        mqtt.HelpName = mqttTls.HelpName = http.HelpName = "PORT";
        var archive = new Option<string?>("--archive") { Description = "Where history goes for good: a folder, or s3://… (default: archive/ in the data folder).", HelpName = "DIR|s3://…" };
        var clock = new Option<string?>("--clock")
        {
            Description = "For tests: the nodes' time begins at START and passes RATE times as fast, for example 2026-01-01T00:00:00Z@60. Devices have to stamp by it, or not at all.",
            HelpName = "START@RATE",
        };
        var command = new Command("up", """
            Start agent, gateway and router on this machine and keep them running until Ctrl-C.
            Everything is kept in the data folder; the next start goes on from there, with the same account, secret and key.
            With --json: one line {"mqtt","router","gateway","agent","pids","account","device","user","secret","apiKey"[,"mqttTls"]} once all is ready.
            """) { mqtt, mqttTls, http, archive, clock };
        command.SetAction(CommandLine.Run((session, parse, cancel) =>
            RunAsync(session, DataFolder.Of(parse.GetValue(CommandLine.Data)), parse.GetValue(mqtt), parse.GetValue(mqttTls) is > 0 and var tls ? tls : null, parse.GetValue(http), parse.GetValue(archive), parse.GetValue(clock), cancel)));
        return command;
    }

    /// <remarks>
    /// Steps: 1. the folder is ours; 2. nothing of an earlier start is left; 3. ports and credentials; 4. three children, until ready;
    /// 5. the device secret; 6. tell; 7. wait; 8. stop them from the edge upward.
    /// </remarks>
    private static async Task<int> RunAsync(Session session, DataFolder data, int mqttPort, int? mqttTlsPort, int httpPort, string? archive, string? nodesClock, CancellationToken cancel)
    {
        var (terminal, clock) = (session.Terminal, session.Clock);
        using var held = UpLock.Take(data);
        await Leftovers.ClearAsync(data, clock, terminal.Note, cancel).ConfigureAwait(false);
        var ports = Ports.Choose(data, mqttPort, httpPort, mqttTlsPort);
        var credentials = data.ReadCredentials();
        if (credentials is null)
        {
            credentials = Credentials.Create();
            DataFolder.Replace(data.CredentialsFile, credentials);
        }
        var place = ArchivePlace.Of(data, archive);
        var plans = NodePlan.Of(data, NodeExecutables.Find(), credentials, ports, place, nodesClock);

        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        List<NodeProcess> nodes = [];
        List<(Task Task, CancellationTokenSource Stop)> running = [];
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        try
        {
            foreach (var plan in plans)
            {
                Rotate(plan.Log);
                var node = new NodeProcess(plan, http, clock, terminal.Note);
                var stop = new CancellationTokenSource();
                nodes.Add(node);
                running.Add((node.RunAsync(ending.Token, stop.Token, session.Force), stop));
            }
            RunInfo Info() => new(ports.MqttAddress, ports.HttpOf("router"), ports.HttpOf("gateway"), ports.HttpOf("agent"),
                new(nodes[0].Pid, nodes[1].Pid, nodes[2].Pid), Environment.ProcessId);
            var writing = new Lock();
            void WriteRun()
            {
                lock (writing)
                {
                    DataFolder.Replace(data.RunFile, Info());
                }
            }
            // Also before they are ready: whoever cleans up after a kill -9 must know them.
            WriteRun();
            nodes.ForEach(node => node.Restarted = WriteRun);
            await foreach (var ready in Task.WhenEach(nodes.Select(node => node.Ready)).WithCancellation(cancel).ConfigureAwait(false))
            {
                await ready.ConfigureAwait(false);
            }
            await ProvisionAsync(ports, credentials, clock, terminal.Note, cancel).ConfigureAwait(false);
            Tell(session, data, Info(), mqttTlsPort, credentials);
            await Task.Delay(Timeout.InfiniteTimeSpan, cancel).ConfigureAwait(false);
            return ExitCode.Ok;
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            terminal.Note("stopping");
            return ExitCode.Ok;
        }
        finally
        {
            await ending.CancelAsync().ConfigureAwait(false);
            foreach (var (task, stop) in running)
            {
                await stop.CancelAsync().ConfigureAwait(false);
                await task.ConfigureAwait(false);
                stop.Dispose();
            }
            nodes.ForEach(node => node.Dispose());
            File.Delete(data.RunFile);
        }
    }

    /// <summary>The device secret reaches the agent through the router and its links, which come up a moment after the nodes.</summary>
    private static async Task ProvisionAsync(Ports ports, Credentials credentials, TimeProvider clock, Action<string> note, CancellationToken cancel)
    {
        using var router = new ForetierClient(new(ports.HttpOf("router")), credentials.ApiKey);
        var (account, device) = (credentials.User.Split('/')[0], credentials.User.Split('/')[1]);
        for (var tries = 1; ; tries++)
        {
            try
            {
                await router.PutDeviceAsync(account, device, credentials.Secret, cancel).ConfigureAwait(false);
                return;
            }
            catch (Exception e) when (e is ServerUnreachableException || (e is ServerRefusedException refused && refused.Problem.Status is >= 500 or 404))
            {
                if (tries % 100 == 0)
                {
                    note($"the device secret has not reached the agent yet ({e.Message})");
                }
            }
            await Task.Delay(TimeSpan.FromMilliseconds(100), clock, cancel).ConfigureAwait(false);
        }
    }

    private static void Tell(Session session, DataFolder data, RunInfo run, int? mqttTls, Credentials credentials)
    {
        var terminal = session.Terminal;
        // The agent makes its certificate at its first start with TLS.
        var tls = mqttTls is { } port ? new TlsLine($"localhost:{port}", Path.Combine(data.In("agent"), "mqtt-tls.crt")) : null;
        if (terminal.Json)
        {
            terminal.WriteDocument(new UpLine(run.Mqtt, run.Router, run.Gateway, run.Agent, run.Pids,
                credentials.Account, credentials.Device, credentials.User, credentials.Secret, credentials.ApiKey, tls));
            return;
        }
        var folder = data.Path == Path.GetFullPath(DataFolder.DefaultPath) ? "" : $" --data {Invocation.Quote(Invocation.Shorter(data.Path))}";
        var series = $"{credentials.Account}/{credentials.Device}/temperature";
        var foretier = Invocation.Name;
        var (host, plain) = (run.Mqtt.Split(':')[0], run.Mqtt.Split(':')[1]);
        terminal.WriteLine($"""
            Foretier is ready. Data folder: {data.Path}

              MQTT  {run.Mqtt.PadRight(run.Router.Length)}  user {credentials.User}  secret {credentials.Secret}
              REST  {run.Router}  key {credentials.ApiKey}

            Publish a value, query it, see how the query is answered:

              mosquitto_pub -h {host} -p {plain} -V 5 -q 1 -u '{credentials.User}' -P {credentials.Secret} -t v1/{series} -m 21.5
              {foretier} query {series} --from -1h{folder}
              {foretier} explain {series} --from -1h{folder}{(tls is null ? "" : $"""


            Over TLS, from anywhere that reaches port {mqttTls} of this machine; give devices a copy of that certificate to trust:

              mosquitto_pub -h localhost -p {mqttTls} --cafile {Invocation.Quote(Invocation.Shorter(tls.CertificateFile))} -V 5 -q 1 -u '{credentials.User}' -P {credentials.Secret} -t v1/{series} -m 21.5
            """)}

            Without mosquitto-clients: {foretier} publish {series} 21.5{folder}
            Ctrl-C stops all; the next start goes on from here.
            """);
    }

    private static void Rotate(string log)
    {
        if (File.Exists(log))
        {
            File.Move(log, log + ".1", overwrite: true);
        }
    }
}

/// <summary>The line of <c>up --json</c>. Scripts live by these names: none is taken away or changed.</summary>
internal sealed record UpLine(
    string Mqtt, string Router, string Gateway, string Agent, Pids Pids, string Account, string Device, string User, string Secret, string ApiKey,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] TlsLine? MqttTls = null);

/// <param name="CertificateFile">What devices need to trust.</param>
internal sealed record TlsLine(string Address, string CertificateFile);

using System.Buffers;
using System.CommandLine;
using System.Globalization;
using System.Text;
using Foretier.Client.Mqtt;
using Foretier.Core.Samples;

namespace Foretier.Cli.Simulate;

/// <summary><c>foretier simulate</c>: a fleet of devices to look at, to load a machine with, to test against.</summary>
internal static class SimulateCommand
{
    /// <summary>Each series is read so often unless --rate says otherwise.</summary>
    private const double SecondsBetweenReadings = 10;
    private static readonly TimeSpan ReportEvery = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(5);

    public static Command Make()
    {
        var devices = new Argument<int>("N")
        {
            Description = "Devices, 1 to 1,000,000; each has " + string.Join(", ", Fleet.Measurements.Select(m => m.Name)) + ".",
            CustomParser = result => NumberText.Parse(result, "N", 1, 1_000_000),
        };
        var seed = NumberText.Option("--seed", "The same seed gives the same readings.", 1, int.MinValue, int.MaxValue);
        var rate = new Option<double?>("--rate")
        {
            Description = "Messages per second in all (default: every series each 10 s).",
            HelpName = "N",
            CustomParser = result => NumberText.ParsePositive(result, "--rate"),
        };
        var duration = TimeText.DurationOption("--duration", "Stop after so long (default: on Ctrl-C).");
        var backfill = TimeText.DurationOption("--backfill", "Publish the readings of the past so long, as fast as they are acknowledged, and stop. A bare number is hours.");
        backfill.CustomParser = result => Hours(result.Tokens[0].Value) ?? ServerOptions.Refuse<TimeSpan?>(result, $"--backfill: '{result.Tokens[0].Value}' is not a duration; use for example 24 (hours), 24h or 7d");
        var account = new Option<string?>("--account") { Description = "Account (default: that of the user).", HelpName = "NAME" };
        var window = NumberText.Option("--window", "Messages in flight on each connection, 1 to 65535.", 100, 1, 65_535);
        var connections = NumberText.Option("--connections", "Connections, 1 to 64; the readings of a series stay on one.", 4, 1, 64);
        var broker = new BrokerOptions();
        var command = new Command("simulate", "Publish readings of a fleet of devices that follow the day, the same for the same seed.")
        {
            devices, seed, rate, duration, backfill, account, window, connections,
        };
        broker.AddTo(command);
        command.SetAction(CommandLine.Run(async (session, parse, cancel) =>
        {
            var target = broker.Resolve(parse, "simulate");
            var of = parse.GetValue(account) ?? target.User?.Split('/')[0]
                ?? throw new CommandException(ExitCode.BadUsage, "no account is known", "Name it with --account, or the user with --user ACCOUNT/DEVICE.");
            var fleet = new Fleet(parse.GetValue(devices), parse.GetValue(seed));
            var perSecond = parse.GetValue(rate) ?? fleet.Series / SecondsBetweenReadings;
            var past = parse.GetValue(backfill);
            var span = past ?? parse.GetValue(duration);
            var progress = new ProgressLine(session.Terminal, "messages acknowledged", session.Clock);
            var options = target with { Window = parse.GetValue(window), StartPatience = StartPatience, Status = progress.Note };
            var run = new SimulateRun(fleet, of, perSecond, Instant.Now(session.Clock) - (long)(past?.TotalMicroseconds ?? 0), span, past is null, session.Clock);
            var started = session.Clock.GetTimestamp();
            await using (var publisher = await MqttPublisherGroup.ConnectAsync(options, parse.GetValue(connections), run.Acknowledged, session.Clock, cancel).ConfigureAwait(false))
            {
                using var ended = new CancellationTokenSource();
                var reporting = ReportAsync(run, progress, session.Clock, ended.Token);
                try
                {
                    await run.PublishAsync(publisher, cancel).ConfigureAwait(false);
                }
                catch (OperationCanceledException) when (cancel.IsCancellationRequested)
                {
                    // Ctrl-C is how a simulation without an end is ended.
                }
                finally
                {
                    await DrainAsync(publisher, session.Clock).ConfigureAwait(false);
                    await ended.CancelAsync().ConfigureAwait(false);
                    await reporting.ConfigureAwait(false);
                    progress.End();
                }
            }
            return Tell(session.Terminal, run, session.Clock.GetElapsedTime(started));
        }));
        return command;
    }

    private static int Tell(Terminal terminal, SimulateRun run, TimeSpan elapsed)
    {
        var (published, acknowledged, refused) = run.Counts;
        if (terminal.Json)
        {
            terminal.WriteDocument(new { published, acknowledged, refused, refusedBy = run.RefusedBy, seconds = elapsed.TotalSeconds });
        }
        else
        {
            terminal.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"published {published:N0}, acknowledged {acknowledged:N0}, refused {refused:N0} in {elapsed.TotalSeconds:0.0} s"));
            foreach (var (reason, count) in run.RefusedBy)
            {
                terminal.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  refused {count:N0}: {reason}"));
            }
        }
        return acknowledged == published ? ExitCode.Ok : ExitCode.Failed;
    }

    private static async Task DrainAsync(MqttPublisherGroup publisher, TimeProvider clock)
    {
        using var patience = new CancellationTokenSource(EndPatience, clock);
        try
        {
            await publisher.DrainAsync(patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // What is still open is seen in the counts.
        }
    }

    private static async Task ReportAsync(SimulateRun run, ProgressLine progress, TimeProvider clock, CancellationToken ended)
    {
        var told = false;
        using var timer = new PeriodicTimer(ReportEvery, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(ended).ConfigureAwait(false))
            {
                progress.Report(run.Counts.Acknowledged, run.Fraction);
                if (!told && run.RefusedBy.FirstOrDefault() is { Key: { } reason })
                {
                    told = true;
                    progress.Note($"messages are refused: {reason}{(reason.Contains("bad_time", StringComparison.Ordinal) ? " (readings are stamped by this machine's clock)" : "")}");
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The simulation is over.
        }
    }

    private static TimeSpan? Hours(string text)
    {
        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var hours))
        {
            return hours is > 0 and < 1e6 ? TimeSpan.FromHours(hours) : null;
        }
        return Core.Query.Question.TryDuration(text, out var micros) && micros > 0 ? TimeSpan.FromMicroseconds(micros) : null;
    }
}

using System.CommandLine;
using System.Globalization;
using Foretier.Client.Mqtt;
using Foretier.Core.Samples;

namespace Foretier.Cli.Import;

/// <summary><c>foretier import</c>: a CSV file, published over MQTT.</summary>
internal static class ImportCommand
{
    private static readonly TimeSpan ReportEvery = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(10);

    public static Command Make()
    {
        var file = new Argument<string>("FILE") { Description = "CSV with a header, plain or .gz." };
        var series = new Option<string?>("--series-column") { Description = "Column with the name of the series (default: series, sensor, name, …).", HelpName = "NAME" };
        var time = new Option<string?>("--time-column") { Description = "Column with the time: epoch or RFC 3339 (default: t, time, timestamp, …).", HelpName = "NAME" };
        var value = new Option<string?>("--value-column") { Description = "Column with the value (default: v, value, …).", HelpName = "NAME" };
        var device = new Option<string?>("--device") { Description = "Device whose measurements the series become (default: the file's name).", HelpName = "NAME" };
        var account = new Option<string?>("--account") { Description = "Account (default: that of the user).", HelpName = "NAME" };
        var batch = NumberText.Option("--batch", "Readings of one series in a message. 1 to 10000.", 1, 1, 10_000);
        var window = NumberText.Option("--window", "Messages in flight on each connection. 1 to 65535.", 100, 1, 65_535);
        var connections = NumberText.Option("--connections", "Connections; the readings of a series stay on one, in order. 1 to 64.", 4, 1, 64);
        var states = new Option<bool>("--states") { Description = "Publish texts that are no numbers as states; else such a row is bad." };
        var broker = new BrokerOptions();
        var command = new Command("import", """
            Publish a CSV file over MQTT, QoS 1. Every row is a reading; its series becomes a measurement of the device.
              foretier import readings.csv.gz --series-column sensor --device house-1
            Interrupted or killed, the same command goes on where the acknowledgements ended.
            Ends with exit code 0 only if every row is acknowledged.
            """) { file, series, time, value, device, account, batch, window, connections, states };
        broker.AddTo(command);
        command.SetAction(CommandLine.Run(async (session, parse, cancel) =>
        {
            var path = parse.GetRequiredValue(file);
            var target = broker.Resolve(parse, "import");
            var (ofAccount, ofDevice) = Place(path, parse.GetValue(account), parse.GetValue(device), target.User);
            using var rows = CsvRows.Open(path);
            var columns = new ReadingColumns(
                rows.Columns, parse.GetValue(series), parse.GetValue(time), parse.GetValue(value), ofAccount, ofDevice, parse.GetValue(states));

            var data = DataFolder.Of(parse.GetValue(CommandLine.Data));
            var bookmark = await Bookmark.OfAsync(data.Imports, path,
                [Broker(data, target), ofAccount, ofDevice, columns.Series, columns.Time, columns.Value], cancel).ConfigureAwait(false);
            var progress = new ProgressLine(session.Terminal, "rows acknowledged", session.Clock);
            var importer = new Importer(rows, columns, bookmark, Path.GetFileName(path), parse.GetValue(batch), session.Clock, progress.Note);
            var options = target with { Window = parse.GetValue(window), StartPatience = StartPatience, Status = progress.Note };
            ImportResult result;
            await using (var publisher = await MqttPublisherGroup.ConnectAsync(options, parse.GetValue(connections), importer.Acknowledged, session.Clock, cancel).ConfigureAwait(false))
            {
                result = await RunAsync(importer, publisher, rows, bookmark, progress, session.Clock, cancel).ConfigureAwait(false);
            }
            Tell(session.Terminal, result);
            return result.IsComplete ? ExitCode.Ok : ExitCode.Failed;
        }));
        return command;
    }

    private static async Task<ImportResult> RunAsync(
        Importer importer, MqttPublisherGroup publisher, CsvRows rows, Bookmark bookmark, ProgressLine progress, TimeProvider clock, CancellationToken cancel)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var reporting = ReportAsync(importer, rows, progress, clock, ended.Token);
        var finished = false;
        try
        {
            var result = await importer.RunAsync(publisher, cancel).ConfigureAwait(false);
            finished = true;
            return result;
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            await reporting.ConfigureAwait(false);
            progress.End();
            if (finished)
            {
                bookmark.Delete();
            }
            else
            {
                importer.Save();
                progress.Note($"stopped after {importer.AcknowledgedNow.ToString("N0", CultureInfo.InvariantCulture)} rows acknowledged in this run; the same command goes on from there");
            }
        }
    }

    private static async Task ReportAsync(Importer importer, CsvRows rows, ProgressLine progress, TimeProvider clock, CancellationToken ended)
    {
        using var timer = new PeriodicTimer(ReportEvery, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(ended).ConfigureAwait(false))
            {
                importer.Save();
                progress.Report(importer.AcknowledgedNow, rows.Fraction, importer.StartFraction);
            }
        }
        catch (OperationCanceledException)
        {
            // The import is over.
        }
    }

    private static void Tell(Terminal terminal, ImportResult result)
    {
        if (terminal.Json)
        {
            terminal.WriteDocument(result);
            return;
        }
        terminal.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"published {result.Published:N0}, acknowledged {result.Acknowledged:N0}, refused {result.Refused:N0}, bad rows {result.Bad:N0} of {result.Rows:N0} rows in {result.Seconds:0.0} s"));
        foreach (var (reason, count) in result.RefusedBy)
        {
            terminal.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  refused {count:N0}: {reason}"));
        }
    }

    private static (string Account, string Device) Place(string file, string? account, string? device, string? user)
    {
        var parts = user?.Split('/');
        var stem = Path.GetFileName(file);
        stem = stem.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? stem[..^3] : stem;
        account ??= parts?[0] ?? throw new CommandException(ExitCode.BadUsage, "no account is known", "Name it with --account, or the user with --user ACCOUNT/DEVICE.");
        device ??= parts is [_, var own] && own != "*" ? own : SeriesKey.Encode(Path.GetFileNameWithoutExtension(stem)) ?? "import";
        return SeriesKey.IsValidPart(account) && SeriesKey.IsValidPart(device) ? (account, device)
            : throw new CommandException(ExitCode.BadUsage, $"'{account}/{device}' is not account/device: use A-Z a-z 0-9 _ . : @ - and percent-encoding");
    }

    /// <summary>The broker of the data folder is the same one whatever its port today.</summary>
    private static string Broker(DataFolder data, MqttPublisherOptions target)
    {
        var address = $"{target.Host}:{target.Port}";
        return data.ReadRun()?.Mqtt == address ? "local" : address;
    }
}

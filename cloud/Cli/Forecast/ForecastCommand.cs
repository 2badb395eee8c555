using System.CommandLine;
using System.Globalization;
using System.Text;
using Foretier.Core.Samples;
using Foretier.Protocol.Api;

namespace Foretier.Cli.Forecast;

/// <summary><c>foretier forecast</c>: what is expected of a series, drawn beside what came.</summary>
internal static class ForecastCommand
{
    /// <summary>Reads less likely than this are told with --json alone.</summary>
    private const double ProbabilityTold = 0.05;

    public static Command Make()
    {
        var series = new Argument<string>("SERIES") { Description = "account/device/measurement" };
        var html = new Option<string?>("--html") { Description = "Draw it into this file, a page for a browser that needs nothing else.", HelpName = "FILE" };
        var server = new ServerOptions();
        var command = new Command("forecast", """
            Draw what is expected of a series: samples an hour, P10, P50 and P90 of the next 24 hours, beside what came in the last 48 and what had been said of it; and who is expected to read it.
              foretier forecast acme/boiler-1/temperature --html forecast.html
            """) { series, html };
        server.AddTo(command);
        command.SetAction(CommandLine.Run(async (session, parse, cancel) =>
        {
            using var client = server.Open(parse);
            var reply = await client.ForecastAsync(parse.GetRequiredValue(series), cancel).ConfigureAwait(false);
            var file = parse.GetValue(html);
            if (file is not null)
            {
                await File.WriteAllTextAsync(file, ForecastPage.Draw(reply), new UTF8Encoding(false), cancel).ConfigureAwait(false);
            }
            if (session.Terminal.Json)
            {
                session.Terminal.WriteDocument(reply);
                return ExitCode.Ok;
            }
            foreach (var line in ForecastChart.Draw(reply))
            {
                session.Terminal.WriteLine(line);
            }
            session.Terminal.WriteLine(Summary(reply));
            foreach (var reads in reply.Reads.Where(reads => reads.Probability >= ProbabilityTold))
            {
                session.Terminal.WriteLine(Told(reads));
            }
            if (file is not null)
            {
                session.Terminal.Note($"drawn to {file}");
            }
            return ExitCode.Ok;
        }));
        return command;
    }

    private static string Told(ExpectedRead reads)
    {
        var readers = string.Concat(reads.Readers.Select(reader => string.Create(CultureInfo.InvariantCulture,
            $"; {reader.Kind} next {Instant.Format(reader.Next.Micros)} ({reader.Confidence:0.00})")));
        return string.Create(CultureInfo.InvariantCulture, $"reads of {reads.Resolution} since {Instant.Format(reads.From.Micros)}: {reads.ReadsPerDay:0.##} expected, probability {reads.Probability:0.00}{readers}");
    }

    private static string Summary(ForecastReply reply)
    {
        var said = reply.Past.Where(hour => hour is { Count: not null, Expected: not null }).ToList();
        var within = said.Count(hour => hour.Count <= hour.Expected!.P90);
        var believed = string.Join(", ", reply.WeightsP50.Where(w => w.Value >= 0.05).Select(w => string.Create(CultureInfo.InvariantCulture, $"{w.Key} {w.Value:0.00}")));
        return string.Create(CultureInfo.InvariantCulture,
            $"next 24 h: {reply.Coming.Sum(hour => hour.Mean):0} samples expected; last 48 h: {within} of {said.Count} hours forecast stayed within their P90\nby {reply.Model ?? "seasonal baselines alone"} at {reply.Edge} ({reply.Zone}); weights: {believed}");
    }
}

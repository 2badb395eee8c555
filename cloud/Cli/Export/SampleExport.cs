using System.Globalization;
using Foretier.Cli.Ask;
using Foretier.Client;
using Foretier.Core.Samples;
using Foretier.Protocol.Api;

namespace Foretier.Cli.Export;

/// <summary>Samples of a running system, from whatever tier has them, page by page into a file. A file appears whole or not at all.</summary>
internal sealed class SampleExport(ForetierClient client, Terminal terminal, TimeProvider clock)
{
    /// <summary>Points of one page: an answer of about 1 MB.</summary>
    private const int PagePoints = 50_000;

    /// <param name="file">Null for standard output.</param>
    /// <param name="to">Exclusive; fixed, so that what arrives meanwhile is in no page.</param>
    /// <returns>Series that had samples, and samples.</returns>
    /// <exception cref="CommandException">An answer is partial, or the file cannot be written.</exception>
    public async Task<(long Series, long Samples)> RunAsync(string? glob, string format, string? file, string from, string to, CancellationToken cancel)
    {
        var names = (await client.SeriesAsync(glob, cancel).ConfigureAwait(false)).Series.GroupBy(entry => entry.Name, StringComparer.Ordinal)
            .Select(same => same.Last()).OrderBy(entry => entry.Name, StringComparer.Ordinal).ToList();
        var temporary = file is null ? null : file + ".part";
        var progress = new ProgressLine(terminal, "samples", clock);
        try
        {
            long series = 0, samples = 0;
            var into = temporary is null ? Console.OpenStandardOutput() : new FileStream(temporary, FileMode.Create, FileAccess.ReadWrite);
            var writer = SampleWriter.Of(format, into, file?.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) == true);
            await using (writer.ConfigureAwait(false))
            {
                for (var i = 0; i < names.Count; i++)
                {
                    var before = samples;
                    await foreach (var page in PagesAsync(names[i].Name, from, to, cancel).ConfigureAwait(false))
                    {
                        await writer.WriteAsync(names[i], page, cancel).ConfigureAwait(false);
                        samples += page.Count;
                        progress.Report(samples, (double)i / names.Count);
                    }
                    series += samples > before ? 1 : 0;
                }
                await writer.CompleteAsync(cancel).ConfigureAwait(false);
            }
            progress.End();
            if (temporary is not null)
            {
                File.Move(temporary, file!, overwrite: true);
            }
            if (writer.Unsayable > 0)
            {
                terminal.Note($"{writer.Unsayable} infinite numbers are left out: line protocol cannot say them");
            }
            return (series, samples - writer.Unsayable);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.NotHere, $"{file ?? "standard output"} cannot be written: {e.Message}");
        }
        finally
        {
            progress.End();
            if (temporary is not null)
            {
                File.Delete(temporary);
            }
        }
    }

    private async IAsyncEnumerable<IReadOnlyList<ApiPoint>> PagesAsync(
        string name, string from, string to, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
    {
        for (string? cursor = null; ;)
        {
            var reply = await client.QueryAsync(new() { Series = name, From = from, To = to, Fn = "raw", Limit = PagePoints, Cursor = cursor }, cancel).ConfigureAwait(false);
            if (reply.Meta.Partial)
            {
                throw new CommandException(ExitCode.Failed, $"{name} is not all there now: {QueryCommand.Provenance(reply.Meta)}",
                    "Nothing was written; try again when its source is back, or choose another range.");
            }
            foreach (var result in reply.Results)
            {
                yield return result.Points;
            }
            if (reply.Meta.Next is null)
            {
                yield break;
            }
            cursor = reply.Meta.Next;
        }
    }

    /// <summary>Now, on the clock of this machine, as a time of the interface.</summary>
    public static string Now(TimeProvider clock) => Instant.Now(clock).ToString(CultureInfo.InvariantCulture);
}

using System.Globalization;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>
/// How many files the system lets this process open. Each connection is one; the journal, the window files and the HTTP side need some too,
/// and a journal that cannot open its next file stops everything, so connections get what is left over.
/// </summary>
internal static class FileLimit
{
    /// <summary>Kept for everything but MQTT connections.</summary>
    public const int Headroom = 256;

    /// <summary>Files the process has open now; null where the system does not tell.</summary>
    public static int? Open()
    {
        const string open = "/proc/self/fd";
        return Directory.Exists(open) ? Directory.EnumerateFileSystemEntries(open).Count() : null;
    }

    /// <summary>The lower one of what was chosen (0: nothing was) and what the system allows.</summary>
    public static int? Of(int chosen, int? process) => chosen == 0 ? process : Math.Min(chosen, process ?? int.MaxValue);

    /// <summary>The soft limit, which .NET has raised to the hard one at its start; null where the system tells of none.</summary>
    public static int? OfProcess()
    {
        const string limits = "/proc/self/limits";
        return File.Exists(limits) ? Parse(File.ReadAllLines(limits)) : null;
    }

    internal static int? Parse(IEnumerable<string> lines)
    {
        const string name = "Max open files";
        var line = lines.FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal));
        var soft = line?[name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0];
        return long.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) ? (int)Math.Min(limit, int.MaxValue) : null;
    }

    /// <summary>Connections that fit.</summary>
    /// <exception cref="ArgumentException">Hardly any does; the message says what to raise.</exception>
    public static int ConnectionsWithin(int wanted, int? files)
    {
        if (files is not { } limit)
        {
            return wanted;
        }
        var fit = limit - Headroom;
        return fit >= 16 ? Math.Min(wanted, fit)
            : throw new ArgumentException($"Mqtt:ConnectionsMax cannot be met: this process may open {limit} files, and {Headroom} of them are needed "
                + "besides connections: raise the limit (Mqtt:FilesMax, ulimit -n, or LimitNOFILE= of its service)");
    }
}

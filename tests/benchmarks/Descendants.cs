using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Foretier.Tests.Benchmarks;

/// <summary>All that this program has started, and what that has started: it is not to outlive this one when it is told to end.</summary>
internal static class Descendants
{
    /// <summary>From now on Ctrl-C, a closed terminal and SIGTERM end them, and then this program.</summary>
    public static IDisposable EndWithThis() => new Registrations([.. new[] { PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGHUP }.Select(signal => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        // One that starts another at this moment is found in the second round.
        for (var round = 0; round < 2; round++)
        {
            foreach (var pid in Of(Environment.ProcessId))
            {
                End(pid);
            }
        }
        // As a shell tells of the signal.
        Environment.Exit(128 + signal switch { PosixSignal.SIGINT => 2, PosixSignal.SIGHUP => 1, _ => 15 });
    }))]);

    /// <summary>Whoever may start another again comes before it.</summary>
    private static List<int> Of(int parent)
    {
        var children = Directory.Exists("/proc") ? Directory.EnumerateDirectories("/proc").Select(folder => int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) ? pid : 0)
            .Where(pid => pid > 0).ToLookup(ParentOf) : Enumerable.Empty<int>().ToLookup(_ => 0);
        List<int> found = [];
        void Add(int of)
        {
            foreach (var child in children[of])
            {
                found.Add(child);
                Add(child);
            }
        }
        Add(parent);
        return found;
    }

    /// <returns>0 where it has ended.</returns>
    private static int ParentOf(int pid)
    {
        try
        {
            // "12 (name) S 1 …", and names may have brackets.
            var text = File.ReadAllText($"/proc/{pid}/stat");
            return int.Parse(text[(text.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
        }
        catch (Exception ended) when (ended is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }

    private static void End(int pid)
    {
        try
        {
            using var process = Process.GetProcessById(pid);
            process.Kill();
        }
        catch (Exception ended) when (ended is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            // By itself.
        }
    }

    private sealed class Registrations(IReadOnlyList<PosixSignalRegistration> all) : IDisposable
    {
        public void Dispose()
        {
            foreach (var one in all)
            {
                one.Dispose();
            }
        }
    }
}

using System.Globalization;

namespace Foretier.Tests.Benchmarks.Ingest;

/// <summary>What the kernel says of a process.</summary>
internal static class ProcessFigures
{
    private const double TicksPerSecond = 100;

    /// <summary>User and system time so far, seconds.</summary>
    public static double CpuSeconds(int pid)
    {
        var text = File.ReadAllText($"/proc/{pid}/stat");
        var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
        return (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)) / TicksPerSecond;
    }

    /// <summary>Resident memory now, MB.</summary>
    public static double ResidentMegabytes(int pid) => StatusKilobytes(pid, "VmRSS") / 1024;

    /// <summary>Largest resident memory so far, MB.</summary>
    public static double PeakMegabytes(int pid) => StatusKilobytes(pid, "VmHWM") / 1024;

    private static double StatusKilobytes(int pid, string name) => double.Parse(
        File.ReadLines($"/proc/{pid}/status").First(l => l.StartsWith(name, StringComparison.Ordinal)).Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture);
}

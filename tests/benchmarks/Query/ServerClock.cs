using System.Runtime.InteropServices;

namespace Foretier.Tests.Benchmarks.Query;

/// <summary>The CPU time of other processes in nanoseconds, of all their threads, those that ended too.</summary>
internal static class ServerClock
{
    public static double Seconds(IEnumerable<int> pids) => pids.Sum(Seconds);

    private static double Seconds(int pid)
    {
        // CPUCLOCK_SCHED of a process, as MAKE_PROCESS_CPUCLOCK of the kernel makes it.
        var clock = (~pid << 3) | 2;
        return ClockGetTime(clock, out var time) == 0 ? time.Seconds + time.Nanoseconds / 1e9 : throw new InvalidOperationException($"process {pid} has ended");
    }

    [DllImport("libc", EntryPoint = "clock_gettime")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int ClockGetTime(int clock, out TimeSpec time);

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}

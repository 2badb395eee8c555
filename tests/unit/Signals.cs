using System.Diagnostics;
using System.Globalization;

namespace Foretier.Tests;

/// <summary>What a user's shell sends to a program; killing it is <see cref="Process.Kill()"/>.</summary>
internal static class Signals
{
    /// <param name="process">It may be stopped.</param>
    /// <param name="signal">As kill names it: TERM, INT, STOP, CONT.</param>
    public static void Send(this Process process, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }
}

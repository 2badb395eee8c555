using System.Runtime.InteropServices;

namespace Foretier.Cli;

/// <summary>
/// Ctrl-C, a closed terminal or SIGTERM: the first asks the command to stop in good order, a second one to stop at once.
/// </summary>
internal sealed partial class Interruption : IDisposable
{
    /// <summary>
    /// Signals this close together are one: a terminal or 'timeout' signals the whole process group, and 'dotnet run' passes its own on.
    /// </summary>
    private static readonly TimeSpan OneSignal = TimeSpan.FromSeconds(1);

    private const int Sigint = 2;
    private const nint SignalDefault = 0;
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _force = new();
    private readonly PosixSignalRegistration[] _registrations;
    private long _stoppedAt;

    public Interruption()
    {
        // A shell script starts its background commands with SIGINT ignored, and the runtime keeps to that; who sends one means it.
        if (!OperatingSystem.IsWindows())
        {
            Signal(Sigint, SignalDefault);
        }
        _registrations = [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP }.Select(signal => PosixSignalRegistration.Create(signal, Handle))];
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Stop => _stop.Token;

    /// <summary>Cancelled by the second.</summary>
    public CancellationToken Force => _force.Token;

    public void Dispose()
    {
        foreach (var registration in _registrations)
        {
            registration.Dispose();
        }
        _stop.Dispose();
        _force.Dispose();
    }

    private void Handle(PosixSignalContext context)
    {
        context.Cancel = true;
        if (Interlocked.CompareExchange(ref _stoppedAt, TimeProvider.System.GetTimestamp(), 0) is var first and not 0)
        {
            if (TimeProvider.System.GetElapsedTime(first) >= OneSignal)
            {
                _force.Cancel();
            }
            return;
        }
        _stop.Cancel();
    }

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint Signal(int signal, nint handler);
}

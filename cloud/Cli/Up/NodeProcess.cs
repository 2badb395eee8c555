using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Foretier.Cli.Up;

/// <summary>
/// One node as a child process: started, watched until it is ready, started again when it dies, and stopped in good order.
/// Its output goes straight to its log file, so that neither waits for the other.
/// </summary>
internal sealed partial class NodeProcess(NodePlan plan, HttpClient http, TimeProvider clock, Action<string> say) : IDisposable
{
    private const int DeathsAtStartMax = 5;

    /// <summary>What a node says of settings that cannot be: trying again does not change them.</summary>
    private const int BadConfiguration = 2;
    private const int Sigterm = 15;
    private static readonly TimeSpan BackoffMin = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan BackoffMax = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan PollEvery = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan StillStartingEvery = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(10);

    /// <summary>One that lived so long did not die of how it was started.</summary>
    private static readonly TimeSpan Sound = TimeSpan.FromSeconds(10);

    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Process? _process;

    public string Role => plan.Role;

    /// <summary>0 while there is none.</summary>
    public int Pid { get; private set; }

    /// <summary>Completes when the node answers for the first time; fails when it cannot be started.</summary>
    public Task Ready => _ready.Task;

    /// <summary>Told when the process id has changed.</summary>
    public Action? Restarted { get; set; }

    /// <summary>Keeps the node running until <paramref name="stop"/>, then stops it; <paramref name="force"/> ends the patience in that.</summary>
    /// <param name="ending">All are about to stop: who ends now (Ctrl-C reaches every process of a terminal) is not started again.</param>
    /// <param name="stop">It is this one's turn.</param>
    /// <param name="force">The user has asked a second time.</param>
    public async Task RunAsync(CancellationToken ending, CancellationToken stop, CancellationToken force)
    {
        var backoff = BackoffMin;
        for (var deaths = 0; !ending.IsCancellationRequested;)
        {
            var started = clock.GetTimestamp();
            try
            {
                Start();
            }
            catch (Exception e) when (e is System.ComponentModel.Win32Exception or IOException or UnauthorizedAccessException)
            {
                _ready.TrySetException(new CommandException(ExitCode.NotHere, $"{plan.Role} cannot be started: {e.Message}"));
                return;
            }
            using var life = CancellationTokenSource.CreateLinkedTokenSource(stop);
            var readiness = WatchReadinessAsync(life.Token);
            try
            {
                await _process!.WaitForExitAsync(stop).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                await StopAsync(force).ConfigureAwait(false);
            }
            await life.CancelAsync().ConfigureAwait(false);
            await readiness.ConfigureAwait(false);
            if (ending.IsCancellationRequested)
            {
                break;
            }
            var how = $"{plan.Role} (pid {Pid}) ended with exit code {_process!.ExitCode}";
            if (!_ready.Task.IsCompleted && (++deaths >= DeathsAtStartMax || _process.ExitCode == BadConfiguration))
            {
                var times = deaths == 1 ? "" : $", {deaths} times";
                _ready.TrySetException(new CommandException(ExitCode.Failed, $"{how}{times} before it was ready. The end of {plan.Log}:\n{LastLines()}"));
                return;
            }
            backoff = clock.GetElapsedTime(started) >= Sound ? BackoffMin : backoff;
            say($"{how}; starting it again");
            try
            {
                await Task.Delay(backoff, clock, ending).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                break;
            }
            backoff = backoff * 2 < BackoffMax ? backoff * 2 : BackoffMax;
        }
        _ready.TrySetCanceled(ending);
    }

    public void Dispose() => _process?.Dispose();

    private void Start()
    {
        _process?.Dispose();
        var start = new ProcessStartInfo { UseShellExecute = false };
        if (OperatingSystem.IsWindows())
        {
            start.FileName = plan.Executable;
        }
        else
        {
            // exec: the process is the node itself, its output is the file.
            start.FileName = "/bin/sh";
            start.ArgumentList.Add("-c");
            start.ArgumentList.Add("exec \"$1\" </dev/null >>\"$2\" 2>&1");
            start.ArgumentList.Add("sh");
            start.ArgumentList.Add(plan.Executable);
            start.ArgumentList.Add(plan.Log);
        }
        foreach (var (key, value) in plan.Environment)
        {
            start.Environment[key] = value;
        }
        _process = Process.Start(start)!;
        var again = Pid != 0;
        Pid = _process.Id;
        if (again)
        {
            Restarted?.Invoke();
        }
    }

    /// <summary>Asks /readyz until it says yes, the node ends or the wait is over.</summary>
    private async Task WatchReadinessAsync(CancellationToken life)
    {
        var again = _ready.Task.IsCompleted;
        var begun = clock.GetTimestamp();
        var noted = TimeSpan.Zero;
        try
        {
            while (true)
            {
                try
                {
                    using var response = await http.GetAsync(new Uri(plan.Http, "/readyz"), life).ConfigureAwait(false);
                    if (response.IsSuccessStatusCode)
                    {
                        break;
                    }
                }
                catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !life.IsCancellationRequested)
                {
                    // Not listening yet, or too busy starting to answer.
                }
                var elapsed = clock.GetElapsedTime(begun);
                if (elapsed - noted > StillStartingEvery)
                {
                    noted = elapsed;
                    say($"{plan.Role} (pid {Pid}) is not ready after {elapsed.TotalSeconds:0} s; see {plan.Log}");
                }
                await Task.Delay(PollEvery, clock, life).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }
        if (again)
        {
            say($"{plan.Role} is back (pid {Pid})");
        }
        _ready.TrySetResult();
    }

    private async Task StopAsync(CancellationToken force)
    {
        if (OperatingSystem.IsWindows() || Kill(_process!.Id, Sigterm) != 0)
        {
            _process!.Kill();
        }
        using var patience = new CancellationTokenSource(StopPatience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, force);
        try
        {
            await _process.WaitForExitAsync(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            say($"{plan.Role} (pid {Pid}) did not stop; killing it");
            _process.Kill();
            await _process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        }
    }

    private string LastLines()
    {
        try
        {
            return string.Join('\n', File.ReadLines(plan.Log).TakeLast(15).Select(line => "  " + line));
        }
        catch (IOException e)
        {
            return "  " + e.Message;
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);
}

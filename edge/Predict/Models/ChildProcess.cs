using System.ComponentModel;
using System.Diagnostics;
using System.Reflection;

namespace Foretier.Predict.Models;

/// <summary>This program started again as an inference child: with nothing of the parent's environment but what the runtime itself needs.</summary>
internal sealed class ChildProcess
{
    /// <summary>
    /// Handed down. Everything else stays, secrets above all: settings of nodes are environment variables.
    /// </summary>
    private static readonly string[] Inherited = ["PATH", "TMPDIR", "LD_LIBRARY_PATH", "DOTNET_ROOT", "DOTNET_ROOT_X64", "DOTNET_ROOT_ARM64", "SystemRoot", "TEMP", "TMP"];

    /// <summary>
    /// 32 MB (hexadecimal) of managed memory in all, collected early; code in memory once; one native heap; no debugger's socket.
    /// </summary>
    private static readonly (string Name, string Value)[] Given =
    [
        (OnnxTelemetry.Variable, "1"),
        ("DOTNET_gcServer", "0"), ("DOTNET_gcConcurrent", "0"), ("DOTNET_GCHeapHardLimit", "2000000"), ("DOTNET_GCgen0size", "400000"),
        ("DOTNET_EnableWriteXorExecute", "0"), ("DOTNET_TieredPGO", "0"), ("DOTNET_EnableDiagnostics", "0"), ("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1"),
        ("MALLOC_ARENA_MAX", "1"),
    ];

    private const int ErrorCharsMax = 400;

    private readonly Process _process;
    private readonly Task<string> _errors;

    private ChildProcess(Process process)
    {
        _process = process;
        _errors = LastOf(process.StandardError);
    }

    public int Id => _process.Id;

    public Stream Input => _process.StandardInput.BaseStream;

    public Stream Output => _process.StandardOutput.BaseStream;

    /// <exception cref="InferenceException">The program cannot be started.</exception>
    public static ChildProcess Start(ChildOptions options)
    {
        var program = options.Program ?? Self();
        var start = new ProcessStartInfo(program[0])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            CreateNoWindow = true,
            WorkingDirectory = AppContext.BaseDirectory,
        };
        foreach (var argument in program.Skip(1).Append(InferenceChild.Verb))
        {
            start.ArgumentList.Add(argument);
        }
        foreach (var name in start.Environment.Keys.Except(Inherited).ToList())
        {
            start.Environment.Remove(name);
        }
        foreach (var (name, value) in Given)
        {
            start.Environment[name] = value;
        }
        try
        {
            return new(Process.Start(start) ?? throw new Win32Exception("no process was made"));
        }
        catch (Exception e) when (e is Win32Exception or IOException)
        {
            throw new InferenceException(InferenceFailure.Missing, $"the child process for inference cannot be started ({program[0]}): {e.Message}", e);
        }
    }

    public void Kill()
    {
        try
        {
            _process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }
    }

    /// <summary>Closes its input, which tells it to end, waits so long, and ends it.</summary>
    public async ValueTask EndAsync(TimeSpan within, TimeProvider clock)
    {
        try
        {
            await _process.StandardInput.DisposeAsync().ConfigureAwait(false);
        }
        catch (IOException)
        {
            // It is gone already.
        }
        await WaitAsync(within, clock).ConfigureAwait(false);
        Kill();
        await _process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        _process.Dispose();
    }

    /// <summary>How it ended, for the operator: exit code or signal, and the last that it printed.</summary>
    public async Task<string> EndingAsync(TimeSpan within, TimeProvider clock)
    {
        if (!await WaitAsync(within, clock).ConfigureAwait(false))
        {
            return " its output and runs on";
        }
        var said = await _errors.ConfigureAwait(false);
        var code = _process.ExitCode;
        return (code > 128 && !OperatingSystem.IsWindows() ? $" by signal {code - 128}" : $" with exit code {code}") + (said.Length > 0 ? $": {said}" : "");
    }

    private async Task<bool> WaitAsync(TimeSpan within, TimeProvider clock)
    {
        try
        {
            await _process.WaitForExitAsync(CancellationToken.None).WaitAsync(within, clock).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    /// <summary>The executable itself, or, where the framework's host runs a library, both.</summary>
    private static string[] Self()
    {
        var path = Environment.ProcessPath ?? throw new InferenceException(InferenceFailure.Missing, "this program does not know its own path, so that it cannot start itself for inference");
        var entry = Assembly.GetEntryAssembly()?.Location;
        return Path.GetFileNameWithoutExtension(path) == "dotnet" && entry is { Length: > 0 } ? [path, "exec", entry] : [path];
    }

    private static async Task<string> LastOf(StreamReader from)
    {
        var last = "";
        while (await from.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            last = line.Length <= ErrorCharsMax ? line : line[..ErrorCharsMax];
        }
        return last.Trim();
    }
}

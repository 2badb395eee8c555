using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Foretier.Tests.Integration.Cli;

/// <summary>A <c>foretier up --json</c> as a script would start it, on a folder of its own.</summary>
internal sealed class RunningUp : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "foretier");

    private RunningUp(Process process, JsonElement line) => (Process, Line) = (process, line);

    public Process Process { get; }

    /// <summary>The line it printed.</summary>
    public JsonElement Line { get; }

    public int Pid(string role) => Line.GetProperty("pids").GetProperty(role).GetInt32();

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public static Task<RunningUp> StartAsync(string folder, int mqtt, int http, params string[] more) =>
        ReadyAsync(Start([.. Arguments(folder, mqtt, http), .. more]));

    /// <summary>As a shell script starts it with &amp;: SIGINT is ignored from the start.</summary>
    public static Task<RunningUp> StartInBackgroundAsync(string folder, int mqtt, int http) =>
        ReadyAsync(StartProgram("/bin/sh", ["-c", "trap '' INT; exec \"$@\"", "sh", Program, .. Arguments(folder, mqtt, http)]));

    private static string[] Arguments(string folder, int mqtt, int http) => ["up", "--data", folder, "--mqtt-port", $"{mqtt}", "--http-port", $"{http}", "--json"];

    private static async Task<RunningUp> ReadyAsync(Process process)
    {
        var line = await process.StandardOutput.ReadLineAsync(new CancellationTokenSource(Patience).Token);
        if (line is null)
        {
            throw new InvalidOperationException("up ended without its line: " + await process.StandardError.ReadToEndAsync());
        }
        // Its notes must not fill the pipe.
        _ = process.StandardError.ReadToEndAsync();
        return new(process, JsonDocument.Parse(line).RootElement);
    }

    /// <summary>Runs any command to its end.</summary>
    public static async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using var process = Start(arguments);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync(new CancellationTokenSource(Patience).Token);
        return (process.ExitCode, await output, await error);
    }

    /// <summary>Sends the signal; returns the exit code.</summary>
    public async Task<int> StopAsync(string signal = "TERM")
    {
        Process.Send(signal);
        await Process.WaitForExitAsync(new CancellationTokenSource(Patience).Token);
        return Process.ExitCode;
    }

    public static bool IsAlive(int pid)
    {
        try
        {
            using var process = Process.GetProcessById(pid);
            // An orphan that has ended stays in the table until someone asks how.
            return !process.HasExited && !File.ReadAllText($"/proc/{pid}/stat").Contains(") Z ", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is ArgumentException or IOException)
        {
            return false;
        }
    }

    public static async Task UntilAsync(Func<Task<bool>> isSo, string what)
    {
        for (var started = Stopwatch.StartNew(); !await isSo(); await Task.Delay(50))
        {
            Assert.True(started.Elapsed < Patience, $"not so after {Patience}: {what}");
        }
    }

    public void Dispose()
    {
        if (!Process.HasExited)
        {
            // The nodes follow by themselves.
            Process.Kill();
            Process.WaitForExit();
        }
        Process.Dispose();
    }

    private static Process Start(params string[] arguments) => StartProgram(Program, arguments);

    private static Process StartProgram(string program, string[] arguments) =>
        Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
}

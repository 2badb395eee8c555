using System.Diagnostics;
using System.Text.Json;

namespace Foretier.Tests.Integration.Ingest;

/// <summary>A Python client of its own process (paho_peer.py), which can be killed.</summary>
internal sealed class PahoPeer : IDisposable
{
    /// <summary>Debian's, whose packages are where the test looks for them.</summary>
    public const string Python = "/usr/bin/python3";
    public const string Package = "python3-paho-mqtt";
    public const string Library = "/usr/lib/python3/dist-packages/paho";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;

    public PahoPeer()
    {
        _process = Process.Start(new ProcessStartInfo(Python, [Path.Combine(Repository.Root, "tests", "integration", "Ingest", "paho_peer.py")])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
    }

    public async Task TellAsync(object command)
    {
        await _process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(command));
        await _process.StandardInput.FlushAsync();
    }

    /// <summary>The next event of this name; others before it are dropped.</summary>
    public async Task<JsonElement> HearAsync(string name)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (await _process.StandardOutput.ReadLineAsync(patience.Token) is { } line)
        {
            var heard = JsonDocument.Parse(line).RootElement;
            if (heard.GetProperty("event").GetString() == name)
            {
                return heard;
            }
        }
        throw new InvalidOperationException($"the client ended before it told of '{name}'");
    }

    /// <summary>SIGKILL: nothing is said to the server.</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            Kill();
        }
        _process.Dispose();
    }
}

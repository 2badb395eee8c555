using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Foretier.Tests.Map;

/// <summary>An etcd of one or more members as real processes on free ports, with their data in a temporary folder.</summary>
internal sealed class RunningEtcd : IAsyncDisposable
{
    private static readonly TimeSpan StartMax = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-etcd-").FullName;
    private readonly List<Member> _members = [];

    private RunningEtcd()
    {
    }

    private sealed record Member(string Name, string Client, string Peer)
    {
        public Process? Process { get; set; }
    }

    /// <summary>As FORETIER__ETCD__ENDPOINTS wants it.</summary>
    public string Endpoints => string.Join(',', _members.Select(member => member.Client));

    public IReadOnlyList<string> Addresses => [.. _members.Select(member => member.Client)];

    /// <summary>Resident memory of the members, bytes.</summary>
    public long ResidentBytes => _members.Sum(member =>
    {
        member.Process!.Refresh();
        return member.Process.WorkingSet64;
    });

    /// <param name="members">One, or an odd number.</param>
    /// <param name="scheme">https with the files that <paramref name="more"/> names.</param>
    /// <param name="more">Further arguments of each member.</param>
    public static async Task<RunningEtcd> StartAsync(int members = 1, string scheme = "http", params string[] more)
    {
        if (!(Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, "etcd"))))
        {
            throw new InvalidOperationException("etcd is not there: run scripts/prepare, or apt-get install etcd-server");
        }
        var etcd = new RunningEtcd();
        for (var i = 1; i <= members; i++)
        {
            etcd._members.Add(new($"m{i}", $"{scheme}://127.0.0.1:{FreePort()}", $"http://127.0.0.1:{FreePort()}"));
        }
        foreach (var member in etcd._members)
        {
            etcd.Run(member, more);
        }
        foreach (var member in etcd._members)
        {
            await UntilListeningAsync(member);
        }
        return etcd;
    }

    /// <summary>Polls until it is so, at most a minute.</summary>
    public static async Task UntilAsync(Func<bool> isSo)
    {
        for (var waited = Stopwatch.StartNew(); !isSo(); await Task.Delay(20))
        {
            if (waited.Elapsed > StartMax)
            {
                throw new TimeoutException("waited a minute for it");
            }
        }
    }

    /// <summary>SIGKILL.</summary>
    public void Kill(string client)
    {
        var process = ProcessOf(client);
        process.Kill();
        process.WaitForExit();
    }

    /// <summary>SIGSTOP: it keeps its connections and answers nothing.</summary>
    public void Pause(string client) => ProcessOf(client).Send("STOP");

    public void Resume(string client) => ProcessOf(client).Send("CONT");

    /// <summary>Starts a member again on its data, or with none.</summary>
    public async Task RestartAsync(string client, bool isEmpty = false)
    {
        var member = _members.Single(one => one.Client == client);
        if (isEmpty)
        {
            Directory.Delete(Path.Combine(_folder, member.Name), recursive: true);
        }
        Run(member, []);
        await UntilListeningAsync(member);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var member in _members)
        {
            if (member.Process is { HasExited: false } process)
            {
                process.Kill();
                await process.WaitForExitAsync();
            }
            member.Process?.Dispose();
        }
        Directory.Delete(_folder, recursive: true);
    }

    private Process ProcessOf(string client) => _members.Single(member => member.Client == client).Process!;

    private void Run(Member member, string[] more)
    {
        member.Process?.Dispose();
        member.Process = Process.Start(new ProcessStartInfo("etcd",
            ["--name", member.Name, "--data-dir", Path.Combine(_folder, member.Name), "--listen-client-urls", member.Client, "--advertise-client-urls", member.Client,
                "--listen-peer-urls", member.Peer, "--initial-advertise-peer-urls", member.Peer, "--initial-cluster", string.Join(',', _members.Select(m => $"{m.Name}={m.Peer}")),
                "--logger", "zap", "--log-level", "error", "--log-outputs", Path.Combine(_folder, member.Name + ".log"), .. more]))!;
    }

    private static async Task UntilListeningAsync(Member member)
    {
        var address = new Uri(member.Client);
        for (var waited = Stopwatch.StartNew(); ; await Task.Delay(50))
        {
            try
            {
                using var socket = new TcpClient();
                await socket.ConnectAsync(address.Host, address.Port);
                return;
            }
            catch (SocketException) when (waited.Elapsed < StartMax && !member.Process!.HasExited)
            {
                // Not yet.
            }
        }
    }

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}

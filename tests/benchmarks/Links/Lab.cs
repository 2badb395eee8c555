using System.Diagnostics;
using System.Net.NetworkInformation;

namespace Foretier.Tests.Benchmarks.Links;

/// <summary>
/// Hosts on this machine: a network namespace each, with a line of the operator's (10.77.0.0/24, on which nothing goes wrong) and cables between them
/// that misbehave. All of it stands in a namespace that the script made and goes with it.
/// </summary>
internal sealed class Lab : IDisposable
{
    private const string Bridge = "operator";
    private readonly List<Cable> _cables = [];
    private int _hosts;

    /// <exception cref="InvalidOperationException">This is not a network of our own.</exception>
    public Lab()
    {
        if (NetworkInterface.GetAllNetworkInterfaces().Any(card => card.NetworkInterfaceType != NetworkInterfaceType.Loopback))
        {
            throw new InvalidOperationException("this is the machine's own network; scripts/link-faults gives the campaign one of its own");
        }
        Run("link set lo up");
        Run($"link add {Bridge} type bridge");
        Run($"addr add 10.77.0.254/24 dev {Bridge}");
        Run($"link set {Bridge} up");
    }

    /// <returns>Its address on the operator's line.</returns>
    public string AddHost(string host)
    {
        var address = $"10.77.0.{++_hosts}";
        Run($"netns add {host}");
        Run($"link add line{_hosts} type veth peer name operator netns {host}");
        Run($"link set line{_hosts} master {Bridge} up");
        Run($"-n {host} link set lo up");
        Run($"-n {host} addr add {address}/24 dev operator");
        Run($"-n {host} link set operator up");
        return address;
    }

    /// <returns>The cable, its name at both ends, and the upper end's address on it.</returns>
    public (Cable Cable, string Name, string Address) Connect(string lower, string upper, int seed)
    {
        var number = _cables.Count + 1;
        TunDevice End(string host, string side, string own, string peer)
        {
            var device = new TunDevice($"{side}{number}");
            Run($"link set {side}{number} netns {host} name cable{number}");
            Run($"-n {host} addr add {own} peer {peer} dev cable{number}");
            Run($"-n {host} link set cable{number} up");
            return device;
        }
        var (below, above) = ($"10.77.{number}.2", $"10.77.{number}.1");
        var cable = new Cable(End(lower, "lower", below, above), End(upper, "upper", above, below), seed);
        _cables.Add(cable);
        return (cable, $"cable{number}", above);
    }

    /// <summary>Pulls a plug out, or puts it in again: the host itself sees that.</summary>
    public static void Plug(string host, string cable, bool isIn) => Run($"-n {host} link set {cable} {(isIn ? "up" : "down")}");

    /// <summary>Starts a program on a host, its output at the end of a file. The process is the program itself: a signal to it is one to the program.</summary>
    public static Process Start(string host, string log, string program, IEnumerable<string> arguments, IEnumerable<KeyValuePair<string, string>> environment)
    {
        var start = new ProcessStartInfo("ip", ["netns", "exec", host, "sh", "-c", "exec \"$0\" \"$@\" >>\"$LOG\" 2>&1", program, .. arguments]);
        start.Environment["LOG"] = log;
        foreach (var (key, value) in environment)
        {
            start.Environment[key] = value;
        }
        return Process.Start(start)!;
    }

    public void Dispose() => _cables.ForEach(cable => cable.Dispose());

    private static void Run(string command)
    {
        using var ip = Process.Start(new ProcessStartInfo("ip", command) { RedirectStandardError = true })!;
        var error = ip.StandardError.ReadToEnd();
        ip.WaitForExit();
        if (ip.ExitCode != 0)
        {
            throw new InvalidOperationException($"ip {command}: {error.Trim()}");
        }
    }
}

using System.Security.Cryptography;
using System.Text;

namespace Foretier.Cli.Up;

/// <summary>How one node is started.</summary>
/// <param name="Role">agent, gateway or router.</param>
/// <param name="Http">Where its REST interface will listen.</param>
/// <param name="Environment">Its settings.</param>
internal sealed record NodePlan(string Role, string Executable, Uri Http, string Log, IReadOnlyDictionary<string, string> Environment)
{
    /// <summary>
    /// What the runtime is told by its environment alone. Who answers questions collects after 32 MB (hexadecimal) instead of 2: measured, that halved the
    /// processor time of an answer. What outlives one such collection is looked at again after 6 MB more, as by default where the runtime collects beside the work,
    /// instead of 200: measured, a router to which a fleet dials in stayed 100 MB smaller. An agent is to be small: 3 MB, so that fewer than one small question in a hundred
    /// waits for a collection. Their images say the same.
    /// </summary>
    public static IReadOnlyList<(string Key, string Value)> RuntimeOf(string role) => role == "agent" ? [("DOTNET_GCgen0size", "300000")]
        : [("DOTNET_GCgen0size", "2000000"), ("DOTNET_GCGen1MaxBudget", "600000")];

    /// <summary>The three nodes of one machine, in the order in which they stop: nobody loses its upstream before it has stopped.</summary>
    public static IReadOnlyList<NodePlan> Of(DataFolder data, NodeExecutables executables, Credentials credentials, Ports ports, string archive, string? clock)
    {
        Dictionary<string, string> Common(string role)
        {
            var settings = new Dictionary<string, string>
            {
                ["FORETIER__NODE"] = $"{(role == "agent" ? "edge" : role)}-1",
                ["FORETIER__DATA"] = data.In(role),
                ["FORETIER__HTTP"] = ports.HttpOf(role),
                ["FORETIER__LINK__TOKEN"] = credentials.LinkToken,
                ["FORETIER__KEYS__BOOTSTRAP"] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(credentials.ApiKey))),
                ["FORETIER__PARENTPID"] = System.Environment.ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture),
            };
            if (clock is not null)
            {
                settings["FORETIER__CLOCK"] = clock;
            }
            if (NodeExecutables.DotnetRoot() is { } root && System.Environment.GetEnvironmentVariable("DOTNET_ROOT") is null)
            {
                settings["DOTNET_ROOT"] = root;
            }
            return settings;
        }
        NodePlan Plan(string role, string executable, params ReadOnlySpan<(string Key, string Value)> more)
        {
            var settings = Common(role);
            foreach (var (key, value) in more)
            {
                settings["FORETIER__" + key] = value;
            }
            foreach (var (key, value) in RuntimeOf(role))
            {
                settings[key] = value;
            }
            return new(role, executable, new(ports.HttpOf(role)), Path.Combine(data.Logs, role + ".log"), settings);
        }
        static string Number(int port) => port.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return
        [
            Plan("agent", executables.Agent,
                [("MQTT__PORT", Number(ports.Mqtt)), ("UPSTREAM", ports.HttpOf("gateway")), .. ports.MqttTls is { } tls ? [("MQTT__TLS__PORT", Number(tls))] : Array.Empty<(string, string)>()]),
            Plan("gateway", executables.Gateway, ("UPSTREAM", ports.HttpOf("router")), ("SITE", "site-1"), ("ARCHIVE", archive)),
            Plan("router", executables.Router, ("ARCHIVE", archive)),
        ];
    }
}

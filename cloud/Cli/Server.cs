using System.CommandLine;
using System.Globalization;
using Foretier.Client;
using Foretier.Client.Mqtt;

namespace Foretier.Cli;

/// <summary>The router to ask: named by options, by the environment, or the one that 'foretier up' runs on the data folder.</summary>
internal sealed class ServerOptions
{
    private readonly Option<Uri?> _url = new("--url")
    {
        Description = "Router to ask (default: $FORETIER_URL, else the one running on the data folder).",
        HelpName = "URL",
        CustomParser = result => Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            ? uri
            : Refuse<Uri?>(result, "--url: give http://HOST:PORT"),
    };

    private readonly Option<string?> _key = new("--key") { Description = "API key (default: $FORETIER_KEY, else that of the data folder).", HelpName = "KEY" };

    public void AddTo(Command command)
    {
        command.Add(_url);
        command.Add(_key);
    }

    /// <exception cref="CommandException">None is named and none is running.</exception>
    public ForetierClient Open(ParseResult parse)
    {
        var data = DataFolder.Of(parse.GetValue(CommandLine.Data));
        var url = parse.GetValue(_url) ?? (Environment.GetEnvironmentVariable("FORETIER_URL") is { Length: > 0 } variable ? new Uri(variable) : null);
        var key = parse.GetValue(_key) ?? (Environment.GetEnvironmentVariable("FORETIER_KEY") is { Length: > 0 } secret ? secret : null);
        return new(url ?? new Uri(Running(data).Router), key ?? data.ReadCredentials()?.ApiKey);
    }

    internal static RunInfo Running(DataFolder data) => data.ReadRun()
        ?? throw new CommandException(ExitCode.Unreachable, $"nothing runs on the data folder {data.Path}",
            "Start it with 'foretier up', name its folder with --data, or name a server (see --help).");

    internal static T Refuse<T>(System.CommandLine.Parsing.ArgumentResult result, string message)
    {
        result.AddError(message);
        return default!;
    }
}

/// <summary>The MQTT broker to publish to and as whom; found in the same way.</summary>
internal sealed class BrokerOptions
{
    private readonly Option<string?> _mqtt = new("--mqtt") { Description = "Broker (default: $FORETIER_MQTT, else the agent running on the data folder).", HelpName = "HOST:PORT" };
    private readonly Option<string?> _user = new("--user") { Description = "account/device, or account/* (default: $FORETIER_USER, else that of the data folder).", HelpName = "USER" };
    private readonly Option<string?> _secret = new("--secret") { Description = "Its secret (default: $FORETIER_SECRET, else that of the data folder).", HelpName = "SECRET" };

    public void AddTo(Command command)
    {
        command.Add(_mqtt);
        command.Add(_user);
        command.Add(_secret);
    }

    /// <param name="parse">The command line.</param>
    /// <param name="name">Of the client, unique on the broker.</param>
    /// <exception cref="CommandException">None is named and none is running, or the address is none.</exception>
    public MqttPublisherOptions Resolve(ParseResult parse, string name)
    {
        static string? Or(string? option, string variable) =>
            option ?? (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null);

        var data = DataFolder.Of(parse.GetValue(CommandLine.Data));
        var address = Or(parse.GetValue(_mqtt), "FORETIER_MQTT") ?? ServerOptions.Running(data).Mqtt;
        var user = Or(parse.GetValue(_user), "FORETIER_USER");
        var secret = Or(parse.GetValue(_secret), "FORETIER_SECRET");
        if (user is null && data.ReadCredentials() is { } credentials)
        {
            (user, secret) = (credentials.User, secret ?? credentials.Secret);
        }
        var colon = address.LastIndexOf(':');
        if (colon < 1 || !int.TryParse(address.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port is < 1 or > 65535)
        {
            throw new CommandException(ExitCode.BadUsage, $"'{address}' is not HOST:PORT");
        }
        return new()
        {
            Host = address[..colon],
            Port = port,
            User = user,
            Secret = secret,
            ClientId = $"foretier-{name}-{Environment.ProcessId}",
        };
    }
}

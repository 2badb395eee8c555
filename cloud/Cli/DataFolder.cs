using System.Security.Cryptography;
using System.Text.Json;
using Foretier.Protocol.Api;

namespace Foretier.Cli;

/// <summary>The folder in which one <c>foretier up</c> keeps everything, and in which the other commands look for a running one.</summary>
internal sealed class DataFolder(string path)
{
    public const string Variable = "FORETIER_DATA_DIR";

    public string Path { get; } = System.IO.Path.GetFullPath(path);
    public string CredentialsFile => In("credentials.json");
    public string RunFile => In("run.json");
    public string LockFile => In("up.lock");
    public string PortsFile => In("ports.json");
    public string Logs => In("logs");
    public string Imports => In("imports");

    public static string DefaultPath
    {
        get
        {
            var home = Environment.GetEnvironmentVariable("XDG_DATA_HOME");
            return System.IO.Path.Combine(
                string.IsNullOrEmpty(home) ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify) : home,
                "foretier");
        }
    }

    /// <summary>The option's folder, else the environment's, else the default.</summary>
    public static DataFolder Of(string? option) =>
        new(option ?? (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } variable ? variable : DefaultPath));

    public string In(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Null where there is none.</summary>
    public Credentials? ReadCredentials() => Read<Credentials>(CredentialsFile);

    /// <summary>What is running on this folder; null where nothing is.</summary>
    public RunInfo? ReadRun() => Read<RunInfo>(RunFile);

    /// <summary>Null where the file is absent.</summary>
    /// <exception cref="CommandException">It cannot be read or is no such document.</exception>
    public static T? Read<T>(string file)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize<T>(File.ReadAllText(file), ApiJson.Options);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new CommandException(ExitCode.NotHere, $"{file} cannot be read: {e.Message}", "Repair it, or move it away.");
        }
    }

    /// <summary>Replaces a file whole, readable for its owner alone: a reader sees the old or the new one, never half of it.</summary>
    public static void Replace<T>(string file, T document)
    {
        var temporary = file + ".new";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }
        using (var stream = new FileStream(temporary, options))
        {
            JsonSerializer.Serialize(stream, document, ApiJson.Indented);
            stream.Flush(flushToDisk: true);
        }
        File.Move(temporary, file, overwrite: true);
    }
}

/// <summary>The first account, made at the first start and kept.</summary>
/// <param name="Device">An example device for the commands shown.</param>
/// <param name="User">MQTT user name, a concentrator of the account.</param>
/// <param name="Secret">Its password.</param>
/// <param name="ApiKey">For REST; may do everything.</param>
/// <param name="LinkToken">What the nodes show each other.</param>
internal sealed record Credentials(string Account, string Device, string User, string Secret, string ApiKey, string LinkToken)
{
    public static Credentials Create() => new("acme", "boiler-1", "acme/*", Random(16), "ft_" + Random(20), Random(24));

    private static string Random(int bytes) => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(bytes));
}

/// <summary>What <c>up</c> is running now.</summary>
/// <param name="Up">Process id of <c>up</c> itself.</param>
internal sealed record RunInfo(string Mqtt, string Router, string Gateway, string Agent, Pids Pids, int Up);

internal sealed record Pids(int Agent, int Gateway, int Router);

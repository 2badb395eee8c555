using System.Reflection;
using System.Runtime.InteropServices;

namespace Foretier.Cli.Up;

/// <summary>The programs of the three nodes, found beside this one.</summary>
internal sealed record NodeExecutables(string Agent, string Gateway, string Router)
{
    /// <summary>
    /// Looks where the build put them (remembered in this assembly, relative to its own folder), then for a packed installation:
    /// folders <c>agent</c>, <c>gateway</c> and <c>router</c> beside this program, or all in one folder.
    /// </summary>
    /// <exception cref="CommandException">One is missing.</exception>
    public static NodeExecutables Find(string baseFolder, Func<string, string?> builtAt) => new(
        Find(baseFolder, builtAt, "Foretier.Agent", "agent"),
        Find(baseFolder, builtAt, "Foretier.Gateway", "gateway"),
        Find(baseFolder, builtAt, "Foretier.Router", "router"));

    public static NodeExecutables Find() => Find(AppContext.BaseDirectory, BuiltAt);

    /// <summary>The .NET that runs this program, for children whose own search would not find it; null where it is not known.</summary>
    public static string? DotnetRoot()
    {
        // …/shared/Microsoft.NETCore.App/10.0.0/
        var root = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        return Directory.Exists(Path.Combine(root, "host", "fxr")) ? root : null;
    }

    private static string Find(string baseFolder, Func<string, string?> builtAt, string name, string folder)
    {
        var file = OperatingSystem.IsWindows() ? name + ".exe" : name;
        var places = new List<string> { Path.Combine(baseFolder, folder, file), Path.Combine(baseFolder, file) };
        if (builtAt(name) is { } built)
        {
            places.Insert(0, Path.Combine(baseFolder, Path.GetDirectoryName(built)!, file));
        }
        // A library is copied beside a test that uses it, without what it needs to run: the settings file tells the two apart.
        return places.Select(Path.GetFullPath).FirstOrDefault(place => File.Exists(place) && File.Exists(Path.Combine(Path.GetDirectoryName(place)!, name + ".runtimeconfig.json")))
            ?? throw new CommandException(ExitCode.NotHere, $"{name} was not found in {string.Join(", ", places.Select(Path.GetFullPath))}",
                "Build it: dotnet build cloud/Cli -c Release");
    }

    private static string? BuiltAt(string name) => typeof(NodeExecutables).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>().FirstOrDefault(metadata => metadata.Key == name)?.Value;
}

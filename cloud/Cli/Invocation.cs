namespace Foretier.Cli;

/// <summary>How this program was called, so that the commands it prints work when they are pasted.</summary>
internal static class Invocation
{
    /// <summary>Set by scripts/foretier to its own name.</summary>
    private const string Variable = "FORETIER_INVOKED_AS";

    public static string Name
    {
        get
        {
            if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } name)
            {
                return Quote(name);
            }
            var program = Environment.ProcessPath ?? "foretier";
            return Path.GetFileNameWithoutExtension(program) == "dotnet"
                ? $"dotnet {Quote(Shorter(typeof(Invocation).Assembly.Location))}"
                : Quote(Shorter(program));
        }
    }

    /// <summary>The path from the current folder where that is the shorter one.</summary>
    public static string Shorter(string path)
    {
        var relative = Path.GetRelativePath(Environment.CurrentDirectory, path);
        // A bare name would be looked up on the search path instead.
        relative = relative.Contains('/', StringComparison.Ordinal) ? relative : "./" + relative;
        return relative.Length < path.Length ? relative : path;
    }

    /// <summary>As a POSIX shell wants it.</summary>
    public static string Quote(string text) => text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || "/._-:=@%+,".Contains(c, StringComparison.Ordinal))
        ? text : $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}

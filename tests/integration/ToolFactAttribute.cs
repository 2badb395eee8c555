namespace Foretier.Tests.Integration;

/// <summary>
/// A test that needs a program of the machine. Where it is missing the test is skipped with a message; under scripts/test, which installs it
/// first, it fails.
/// </summary>
/// <param name="tool">The name of a program, or the path of any file.</param>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class ToolFactAttribute : FactAttribute
{
    public ToolFactAttribute(string tool, string package)
    {
        if (Environment.GetEnvironmentVariable("FORETIER_TOOLS_REQUIRED") == "1")
        {
            return;
        }
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        if (!folders.Any(folder => File.Exists(Path.Combine(folder, tool))) && !Path.Exists(tool))
        {
            Skip = $"{tool} is not there (apt-get install {package}, or run scripts/prepare)";
        }
    }
}

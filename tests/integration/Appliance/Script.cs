using System.Diagnostics;

namespace Foretier.Tests.Integration.Appliance;

/// <summary>A script of the appliance, run to its end.</summary>
internal sealed record Script(int ExitCode, string Output, string Errors)
{
    public static async Task<Script> RunAsync(string name, IEnumerable<string> arguments, params (string Key, string Value)[] environment)
    {
        var start = new ProcessStartInfo(Path.Combine(Repository.Root, "scripts", name), arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (key, value) in environment)
        {
            start.Environment[key] = value;
        }
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return new(process.ExitCode, output, await errors);
    }
}

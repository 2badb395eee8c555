using System.Diagnostics;
using System.Runtime.InteropServices;
using Foretier.Tests.Benchmarks.Ingest;

namespace Foretier.Tests.Benchmarks;

/// <summary>The agent as it is published for a box (Properties/PublishProfiles/Appliance.pubxml), here for this machine: compiled ahead, unused parts of the framework left out.</summary>
internal static class PublishedAgent
{
    private static readonly Lazy<string> Made = new(Publish);

    /// <summary>Path of the program; made at the first call, which takes a minute.</summary>
    public static string Program => Made.Value;

    private static string Publish()
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "published-agent");
        Console.WriteLine("publishing the agent as for a box");
        using var publish = Process.Start("dotnet", ["publish", Path.Combine(LoneNode.Root(), "edge/Agent"), "-c", "Release", "-r", RuntimeInformation.RuntimeIdentifier,
            "-p:PublishProfile=Appliance", "--nologo", "-v", "quiet", "-o", folder]);
        publish.WaitForExit();
        return publish.ExitCode == 0 ? Path.Combine(folder, "Foretier.Agent") : throw new InvalidOperationException("publishing the agent failed");
    }
}

using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace Foretier.Node.Hosting;

/// <summary>What <c>--healthcheck</c> does: asks the node that runs under the same settings whether it serves. For images without a shell or curl.</summary>
internal static class HealthCheck
{
    public const string Verb = "--healthcheck";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <returns>0 it answered, <see cref="NodeHost.Failed"/> it did not, <see cref="NodeHost.BadConfiguration"/> there is no address to ask.</returns>
    public static async Task<int> RunAsync(string kind)
    {
        var settings = new ConfigurationBuilder().AddJsonFile(Path.Combine(AppContext.BaseDirectory, "appsettings.json"), optional: true).AddEnvironmentVariables().Build();
        if (Address(settings["Foretier:Http"]) is not { } address)
        {
            await Console.Error.WriteLineAsync($"foretier {kind}: FORETIER__HTTP names no http://ADDRESS:PORT to ask").ConfigureAwait(false);
            return NodeHost.BadConfiguration;
        }
        try
        {
            using var http = new HttpClient { Timeout = Patience };
            using var answer = await http.GetAsync(address).ConfigureAwait(false);
            Console.WriteLine(await answer.Content.ReadAsStringAsync().ConfigureAwait(false));
            return answer.IsSuccessStatusCode ? 0 : NodeHost.Failed;
        }
        catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException)
        {
            var why = failure is TaskCanceledException ? string.Create(CultureInfo.InvariantCulture, $"no answer within {Patience.TotalSeconds} s") : failure.Message;
            await Console.Error.WriteLineAsync($"foretier {kind}: {address}: {why}").ConfigureAwait(false);
            return NodeHost.Failed;
        }
    }

    /// <summary>Where to ask a node with this Http setting; one that listens everywhere is asked on loopback.</summary>
    internal static Uri? Address(string? http)
    {
        if (!Uri.TryCreate(http, UriKind.Absolute, out var uri) || uri.Scheme != Uri.UriSchemeHttp)
        {
            return null;
        }
        var host = uri.Host is "0.0.0.0" or "[::]" ? "127.0.0.1" : uri.Host;
        return new UriBuilder(uri) { Host = host, Path = "/healthz" }.Uri;
    }
}

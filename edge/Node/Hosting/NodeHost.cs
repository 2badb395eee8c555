using System.ComponentModel.DataAnnotations;
using System.Net.Sockets;
using System.Reflection;
using Foretier.Core.Samples;
using Foretier.Node.Keys;
using Foretier.Node.Link;
using Foretier.Node.Serve;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Foretier.Node.Hosting;

/// <summary>How every node starts, reads its settings, and stops.</summary>
/// <remarks>Exit codes: 0 stopped when asked to, 1 failed, 2 impossible settings, 3 an address is taken or the data folder is in use.</remarks>
public static class NodeHost
{
    public const int Failed = 1;
    public const int BadConfiguration = 2;
    public const int InUse = 3;

    /// <summary>Of the program that runs.</summary>
    public static string ProgramVersion => Assembly.GetEntryAssembly()?.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";

    /// <summary>Runs a node's Main; turns what can go wrong at start into one plain line on standard error.</summary>
    public static async Task<int> RunAsync(string[] args, string kind, Func<string[], Task> run)
    {
        if (args.Contains("--help") || args.Contains("-h"))
        {
            Console.WriteLine($"""
                foretier {kind}: settings come from appsettings.json (section Foretier) and the environment (FORETIER__NODE, FORETIER__DATA,
                FORETIER__HTTP, FORETIER__UPSTREAM, FORETIER__LINK__TOKEN, FORETIER__KEYS__BOOTSTRAP, …). 'foretier up' sets them for one machine.
                  --clock START@RATE   test only: begin at START and run RATE times as fast
                  --healthcheck        ask the node that runs with these settings whether it serves: 0 it does, 1 it does not
                  --version
                Exit codes: 0 stopped, 1 failed, 2 impossible settings, 3 address or data folder in use.
                """);
            return 0;
        }
        if (args.Contains("--version"))
        {
            Console.WriteLine(ProgramVersion);
            return 0;
        }
        if (args.Contains(HealthCheck.Verb))
        {
            return await HealthCheck.RunAsync(kind).ConfigureAwait(false);
        }
        try
        {
            await run(args).ConfigureAwait(false);
            return 0;
        }
        catch (ConfigurationException error)
        {
            await Console.Error.WriteLineAsync($"foretier {kind}: {error.Message}").ConfigureAwait(false);
            return BadConfiguration;
        }
        catch (IOException error) when (error.InnerException is AddressInUseException)
        {
            await Console.Error.WriteLineAsync($"foretier {kind}: {error.Message} Stop what listens there, or choose another port.").ConfigureAwait(false);
            return InUse;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or SocketException)
        {
            await Console.Error.WriteLineAsync($"foretier {kind}: {error.Message}").ConfigureAwait(false);
            return InUse;
        }
    }

    /// <summary>Settings read and checked, logging quiet, clock, keys and link in place; listens on Http and on its own link.</summary>
    public static WebApplicationBuilder CreateBuilder<TOptions>(string[] args, out TOptions options)
        where TOptions : NodeOptions, new()
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Configuration.AddCommandLine(args, new Dictionary<string, string> { ["--clock"] = "Foretier:Clock" });
        options = Read<TOptions>(builder.Configuration);

        builder.Logging.ClearProviders().AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
            console.UseUtcTimestamp = true;
        });
        builder.Logging.SetMinimumLevel(LogLevel.Information).AddFilter("Microsoft", LogLevel.Warning).AddFilter("System", LogLevel.Warning)
            // It logs requests as they begin and end, which is below a warning, and makes an activity of each for those lines. (Traces have theirs all the same.)
            .AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);

        var http = new Uri(options.Http);
        var tls = http.Scheme == Uri.UriSchemeHttps ? NodeCertificate.Open(options.Tls) : null;
        void Secure(ListenOptions listen)
        {
            if (tls is not null)
            {
                listen.UseHttps(tls.Use);
            }
        }
        var (node, link) = (options.Node, options.Link);
        List<LinkEndPoint> dialers = [.. options.Upstreams.Select(upstream => new LinkEndPoint(new Uri(upstream), node, link))];
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = 64 << 20;
            if (http.Host == "localhost")
            {
                kestrel.ListenLocalhost(http.Port, Secure);
            }
            else
            {
                kestrel.Listen(System.Net.IPAddress.Parse(http.Host), http.Port, Secure);
            }
            dialers.ForEach(dialer => kestrel.Listen(dialer, listen => listen.Protocols = HttpProtocols.Http2));
        });
        // Who was woken by a socket goes on with the request: a hop to another thread costs as much as a small question.
        builder.WebHost.UseSockets(sockets => sockets.UnsafePreferInlineScheduling = true);
        builder.Services.AddSingleton<IConnectionListenerFactory, LinkDialer>();
        var clock = ScaledClock.Parse(options.Clock);
        builder.Services.AddSingleton(clock);
        builder.Services.AddSingleton(KeyRing.Open(Path.Combine(options.Data, "keys.json"), options.Keys.Bootstrap, clock));
        builder.Services.AddSingleton(new KeyLimits(options.Keys.RequestsPerSecond));
        builder.Services.AddSingleton(new LinkToken(options.Link.Token));
        builder.Services.ConfigureHttpJsonOptions(json => NodeJson.Configure(json.SerializerOptions));
        builder.Services.AddProblemPages();
        builder.AddTelemetry(options.Node, ProgramVersion);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(8));
        if (options.ParentPid is { } parent)
        {
            builder.Services.AddHostedService(services => new ParentWatch(parent, services.GetRequiredService<IHostApplicationLifetime>()));
        }
        return builder;
    }

    private static TOptions Read<TOptions>(IConfiguration configuration)
        where TOptions : NodeOptions, new()
    {
        TOptions options;
        try
        {
            options = configuration.GetSection("Foretier").Get<TOptions>(binder => binder.ErrorOnUnknownConfiguration = true) ?? new();
        }
        catch (InvalidOperationException error)
        {
            throw new ConfigurationException($"settings: {error.Message} {error.InnerException?.Message}".TrimEnd());
        }
        var problems = new List<ValidationResult>();
        if (!Validator.TryValidateObject(options, new(options), problems, validateAllProperties: true))
        {
            throw new ConfigurationException("settings: " + string.Join(" ", problems.Select(p =>
                $"{p.ErrorMessage} Set FORETIER__{string.Join(",", p.MemberNames).ToUpperInvariant()}.")));
        }
        if (!SeriesKey.IsValidPart(options.Node))
        {
            throw new ConfigurationException($"settings: FORETIER__NODE '{options.Node}' is no name: 1 to 128 letters, digits or _ . : @ -.");
        }
        if (!Uri.TryCreate(options.Http, UriKind.Absolute, out var http) || http.Scheme is not ("http" or "https")
            || (http.Host != "localhost" && !System.Net.IPAddress.TryParse(http.Host, out _)))
        {
            throw new ConfigurationException($"settings: FORETIER__HTTP '{options.Http}' is not http://ADDRESS:PORT or https://ADDRESS:PORT with a numeric address or localhost.");
        }
        if (options.Upstreams.FirstOrDefault(up => !Uri.TryCreate(up, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https")) is { } wrong)
        {
            throw new ConfigurationException($"settings: FORETIER__UPSTREAM '{wrong}' is not an http or https address.");
        }
        try
        {
            Directory.CreateDirectory(options.Data);
            var probe = Path.Combine(options.Data, ".writable");
            File.WriteAllBytes(probe, []);
            File.Delete(probe);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"settings: FORETIER__DATA '{options.Data}' cannot be made or written: {error.Message}");
        }
        return options;
    }
}

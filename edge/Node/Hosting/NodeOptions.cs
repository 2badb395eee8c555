using System.ComponentModel.DataAnnotations;

namespace Foretier.Node.Hosting;

/// <summary>Settings that every node has: section <c>Foretier</c> of appsettings.json, or environment variables <c>FORETIER__KEY</c>.</summary>
public class NodeOptions
{
    /// <summary>Name of this node, unique in the installation.</summary>
    [Required]
    public string Node { get; set; } = "";

    /// <summary>Folder for everything this node keeps.</summary>
    [Required]
    public string Data { get; set; } = "";

    /// <summary>Where its REST interface listens, for example http://127.0.0.1:8081; https:// with the certificate of <see cref="Tls"/>.</summary>
    [Required]
    public string Http { get; set; } = "";

    public TlsOptions Tls { get; set; } = new();

    /// <summary>The node above it, to which it opens its link; empty for a router, or a node on its own. A gateway names all its routers, with commas.</summary>
    public string? Upstream { get; set; }

    /// <summary><see cref="Upstream"/>, one by one.</summary>
    public IReadOnlyList<string> Upstreams => (Upstream ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    public LinkOptions Link { get; set; } = new();
    public KeyOptions Keys { get; set; } = new();

    /// <summary>Stop when this process ends: set by the one that starts nodes as its children.</summary>
    public int? ParentPid { get; set; }

    /// <summary>Test only: START@RATE, also as --clock. 2026-01-01T00:00:00Z@60 runs sixty times as fast from there.</summary>
    public string? Clock { get; set; }
}

public sealed class LinkOptions
{
    /// <summary>Shared secret of the nodes of one site, shown when a link is opened and when a batch is delivered.</summary>
    public string Token { get; set; } = "";

    /// <summary>How often either end asks a silent link whether it is still there. Default 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan PingEvery { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>A link that has not answered for so long is taken for half-open: it is ended above, and dialled anew below. Default 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan PingTimeout { get; set; } = TimeSpan.FromSeconds(10);
}

/// <summary>Https where <see cref="NodeOptions.Http"/> says so.</summary>
public sealed class TlsOptions
{
    /// <summary>PEM file with the certificate, and those between it and its authority.</summary>
    public string? CertificateFile { get; set; }

    /// <summary>PEM file with its private key; null where that is in <see cref="CertificateFile"/>.</summary>
    public string? KeyFile { get; set; }
}

public sealed class KeyOptions
{
    /// <summary>SHA-256, in hex, of an API key that may do everything; how the first key comes into a new installation.</summary>
    public string? Bootstrap { get; set; }

    /// <summary>What each key may ask in a second, with twice as much at once; 0: as much as it likes. Not for the bootstrap key. Default 500.</summary>
    [Range(0, 1_000_000)]
    public int RequestsPerSecond { get; set; } = 500;
}

/// <summary>A setting that cannot be: the start stops, naming the key and what would be right.</summary>
public class ConfigurationException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Runs an options record's own check, whose <see cref="ArgumentException"/> names the key.</summary>
    public static T Check<T>(Func<T> validated)
    {
        try
        {
            return validated();
        }
        catch (ArgumentException error)
        {
            throw new ConfigurationException($"settings: {error.Message}", error);
        }
    }

    /// <summary>Opens what a setting names; the <typeparamref name="TError"/> of what cannot be opened says why, this adds the key.</summary>
    public static T Open<T, TError>(string key, Func<T> open)
        where TError : Exception
    {
        try
        {
            return open();
        }
        catch (TError error)
        {
            throw new ConfigurationException($"settings: {key}: {error.Message}", error);
        }
    }
}

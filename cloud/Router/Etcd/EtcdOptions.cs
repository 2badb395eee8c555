using System.ComponentModel.DataAnnotations;
using Foretier.Node.Hosting;

namespace Foretier.Router.Etcd;

/// <summary>Where many routers keep what they share: FORETIER__ETCD__…</summary>
public sealed class EtcdOptions
{
    /// <summary>http(s)://HOST:PORT of every member, with commas; empty: this router is alone and keeps its map in a file.</summary>
    public string Endpoints { get; set; } = "";

    /// <summary>What stands before every key, so that several installations can share an etcd.</summary>
    [RegularExpression("/[A-Za-z0-9_.@/-]{0,100}/")]
    public string Prefix { get; set; } = "/foretier/";

    /// <summary>User and password, where etcd has authentication on.</summary>
    public string? User { get; set; }
    public string? Password { get; set; }

    /// <summary>PEM file of the authority that signed the members' certificates; without it the machine's own authorities are asked.</summary>
    public string? CaFile { get; set; }

    /// <summary>PEM files of this router's own certificate and key, where etcd asks for one.</summary>
    public string? CertificateFile { get; set; }
    public string? KeyFile { get; set; }

    /// <summary>How long one call may take, seconds. Default 5.</summary>
    [Range(0.1, 60)]
    public double DeadlineSeconds { get; set; } = 5;

    internal bool IsSet => Endpoints.Length > 0;

    /// <exception cref="ConfigurationException">A value is impossible; the message names it.</exception>
    internal IReadOnlyList<Uri> Addresses()
    {
        var problems = new List<ValidationResult>();
        if (!Validator.TryValidateObject(this, new(this), problems, validateAllProperties: true))
        {
            throw new ConfigurationException($"settings: FORETIER__ETCD__{problems[0].MemberNames.First().ToUpperInvariant()}: {problems[0].ErrorMessage}");
        }
        var texts = Endpoints.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var wrong = texts.FirstOrDefault(text => !Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"));
        var addresses = wrong is null && texts.Length > 0 ? texts.Select(text => new Uri(text)).ToList()
            : throw new ConfigurationException($"settings: FORETIER__ETCD__ENDPOINTS '{wrong ?? Endpoints}' is not http://HOST:PORT or https://HOST:PORT; several with commas.");
        if (addresses.Select(address => address.Scheme).Distinct().Count() > 1)
        {
            throw new ConfigurationException("settings: FORETIER__ETCD__ENDPOINTS mixes http and https.");
        }
        return (User, Password, CertificateFile, KeyFile) switch
        {
            ({ Length: > 0 }, null or "", _, _) => throw new ConfigurationException("settings: FORETIER__ETCD__USER is set, FORETIER__ETCD__PASSWORD is not."),
            (_, _, { Length: > 0 }, null or "") => throw new ConfigurationException("settings: FORETIER__ETCD__CERTIFICATEFILE is set, FORETIER__ETCD__KEYFILE is not."),
            _ => addresses,
        };
    }
}

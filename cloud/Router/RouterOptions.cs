using System.ComponentModel.DataAnnotations;
using Foretier.Node.Hosting;
using Foretier.Router.Etcd;

namespace Foretier.Router;

/// <summary>Settings of the router.</summary>
public sealed class RouterOptions : NodeOptions
{
    /// <summary>The archive: a folder, or s3://BUCKET?endpoint=….</summary>
    [Required]
    public string Archive { get; set; } = "";

    /// <summary>What it shares with other routers; without it this router is the only one.</summary>
    public EtcdOptions Etcd { get; set; } = new();
}

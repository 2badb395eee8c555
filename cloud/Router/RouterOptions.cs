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

    /// <summary>Memory for what it has read from the archive, bytes; 0: nothing is kept. Default 64 MB.</summary>
    [Range(0, 1L << 40)]
    public long ArchiveCacheBytes { get; set; } = 64 << 20;

    /// <summary>What it shares with other routers; without it this router is the only one.</summary>
    public EtcdOptions Etcd { get; set; } = new();
}

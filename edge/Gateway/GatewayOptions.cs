using System.ComponentModel.DataAnnotations;
using Foretier.Gateway.Care;
using Foretier.Gateway.Stage;
using Foretier.Node.Hosting;
using Foretier.Predict.Models;

namespace Foretier.Gateway;

/// <summary>Settings of a gateway, beside those of every node.</summary>
public sealed class GatewayOptions : NodeOptions
{
    /// <summary>The site it stands in; the archive files its data under this name.</summary>
    [Required, RegularExpression("[A-Za-z0-9_@-][A-Za-z0-9_.@-]{0,63}")]
    public string Site { get; set; } = "site-1";

    /// <summary>Where archived windows go: a folder, or s3://…; empty for none, then everything stays on its disk.</summary>
    public string Archive { get; set; } = "";

    /// <summary>The largest batch it takes, bytes.</summary>
    [Range(1 << 20, 64 << 20)]
    public int BatchBytesMax { get; set; } = 32 << 20;

    /// <summary>What it does by itself for what it holds.</summary>
    public CareOptions Care { get; set; } = new();

    /// <summary>What may be made ahead of reads.</summary>
    public StageOptions Stage { get; set; } = new();

    /// <summary>Where the models lie that forecast.</summary>
    public ModelOptions Models { get; set; } = new();
}

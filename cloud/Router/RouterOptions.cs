using System.ComponentModel.DataAnnotations;
using Foretier.Node.Hosting;

namespace Foretier.Router;

/// <summary>Settings of the router.</summary>
public sealed class RouterOptions : NodeOptions
{
    /// <summary>The archive: a folder, or s3://BUCKET?endpoint=….</summary>
    [Required]
    public string Archive { get; set; } = "";
}

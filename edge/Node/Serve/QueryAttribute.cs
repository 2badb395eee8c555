using Microsoft.AspNetCore.Http.Metadata;

namespace Foretier.Node.Serve;

/// <summary>A parameter of the URL. ASP.NET's own attribute would bring all of MVC into every node's memory.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class QueryAttribute : Attribute, IFromQueryMetadata
{
    public required string Name { get; init; }
}

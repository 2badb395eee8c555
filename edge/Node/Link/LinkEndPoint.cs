using System.Net;
using Foretier.Node.Hosting;

namespace Foretier.Node.Link;

/// <summary>An "address" to listen on that is really a connection opened upward: requests come down through it.</summary>
public sealed class LinkEndPoint(Uri upstream, string node, LinkOptions options) : EndPoint
{
    public Uri Upstream { get; } = upstream;
    public string Node { get; } = node;
    internal LinkOptions Options { get; } = options;

    public override string ToString() => $"link to {Upstream}";
}

/// <summary>Marks requests that came down a link.</summary>
public sealed record LinkFeature(Uri Upstream);

using Foretier.Node.Keys;
using Foretier.Node.Prometheus.Promql;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Primitives;

namespace Foretier.Node.Prometheus;

/// <summary>Parameters of a Prometheus request: of the address, and of a form that was posted.</summary>
internal sealed class PromRequest(Caller caller, string name, IReadOnlyList<IEnumerable<KeyValuePair<string, StringValues>>> parameters)
{
    public Caller Caller => caller;

    /// <summary>The label in the path; empty where there is none.</summary>
    public string Name => name;

    public List<string> Warnings { get; } = [];

    public static async Task<PromRequest> ReadAsync(HttpContext http, CancellationToken cancel) => new(
        http.Caller(), http.GetRouteValue("name")?.ToString() ?? "",
        http.Request.HasFormContentType ? [http.Request.Query, await http.Request.ReadFormAsync(cancel).ConfigureAwait(false)] : [http.Request.Query]);

    public IReadOnlyList<string> All(string parameter) =>
        [.. parameters.SelectMany(some => some.Where(one => one.Key == parameter)).SelectMany(one => one.Value).OfType<string>()];

    public string Required(string parameter) => All(parameter) is [{ Length: > 0 } text, ..] ? text
        : throw PromException.BadData($"the parameter '{parameter}' is missing");

    /// <summary>ms; null where the parameter is missing.</summary>
    public long? Time(string parameter) => All(parameter) is not [var text, ..] ? null : PromTime.TryTime(text, out var ms) ? ms
        : throw PromException.BadData($"{parameter}='{text}' is neither epoch seconds nor RFC 3339");
}

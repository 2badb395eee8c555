using System.Text.Json;
using System.Text.Json.Serialization;
using Foretier.Core.Query;
using Microsoft.AspNetCore.Mvc;

namespace Foretier.Node.Serve;

/// <summary>The parameters of a query as written in a URL.</summary>
/// <param name="Series">account/device/measurement, * allowed in each part; several with commas.</param>
/// <param name="From">RFC 3339, epoch, now or -6h.</param>
/// <param name="To">The same; exclusive.</param>
/// <param name="Step">30s, 1m, 1h, 1d, 1w; none = one value over the range.</param>
/// <param name="Fn">Functions with commas.</param>
/// <param name="Fill">none, null, previous, linear.</param>
/// <param name="By">account, device, measurement.</param>
/// <param name="Window">Of rolling_avg.</param>
/// <param name="Tz">Time zone of steps of whole days.</param>
/// <param name="Limit">Points on a page.</param>
/// <param name="Cursor">The page before's meta.next.</param>
public sealed record QueryText(
    [property: FromQuery(Name = "series")] string? Series, [property: FromQuery(Name = "from")] string? From, [property: FromQuery(Name = "to")] string? To,
    [property: FromQuery(Name = "step")] string? Step, [property: FromQuery(Name = "fn")] string? Fn, [property: FromQuery(Name = "fill")] string? Fill,
    [property: FromQuery(Name = "by")] string? By, [property: FromQuery(Name = "window")] string? Window, [property: FromQuery(Name = "tz")] string? Tz,
    [property: FromQuery(Name = "limit")] string? Limit, [property: FromQuery(Name = "cursor")] string? Cursor)
{
    /// <summary>Every parameter there is, as it is written.</summary>
    public static readonly string[] Names = ["series", "from", "to", "step", "fn", "fill", "by", "window", "tz", "limit", "cursor"];

    public QuestionText ToQuestion() => new(Series, From, To, Step, Fn) { Fill = Fill, By = By, Window = Window, Zone = Tz };

    /// <summary>What must be the same on every page.</summary>
    public string Unchanging => string.Join('\n', Series, Step, Fn, Fill, By, Window, Tz);
}

/// <summary>The same in a JSON document, where lists are lists.</summary>
public sealed record QueryDocument(JsonElement Series, JsonElement From, JsonElement To, JsonElement Step, JsonElement Fn, JsonElement Fill,
    JsonElement By, JsonElement Window, JsonElement Tz, JsonElement Limit, JsonElement Cursor)
{
    /// <summary>What is not known here, to be refused by its name.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; init; }

    public QueryText ToText() => new(Text(Series), Text(From), Text(To), Text(Step), Text(Fn), Text(Fill), Text(By), Text(Window), Text(Tz), Text(Limit), Text(Cursor));

    private static string? Text(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Array => string.Join(',', element.EnumerateArray().Select(Text)),
        JsonValueKind.Undefined or JsonValueKind.Null => null,
        _ => element.ToString(),
    };
}

/// <summary>Several queries in one request.</summary>
public sealed record QueryBatch(IReadOnlyList<QueryDocument>? Queries)
{
    /// <inheritdoc cref="QueryDocument.Unknown"/>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; init; }
}

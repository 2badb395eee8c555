using System.Text.Json;
using System.Text.Json.Serialization;
using Foretier.Core.Query;

namespace Foretier.Node.Serve;

/// <summary>The parameters of a query as written in a URL.</summary>
public sealed record QueryText
{
    /// <summary>account/device/measurement, * allowed in each part; several with commas.</summary>
    [Query(Name = "series")]
    public string? Series { get; init; }

    /// <summary>RFC 3339, epoch, now or -6h.</summary>
    [Query(Name = "from")]
    public string? From { get; init; }

    /// <summary>The same; exclusive.</summary>
    [Query(Name = "to")]
    public string? To { get; init; }

    /// <summary>30s, 1m, 1h, 1d, 1w; none = one value over the range.</summary>
    [Query(Name = "step")]
    public string? Step { get; init; }

    /// <summary>Functions with commas.</summary>
    [Query(Name = "fn")]
    public string? Fn { get; init; }

    /// <summary>none, null, previous, linear.</summary>
    [Query(Name = "fill")]
    public string? Fill { get; init; }

    /// <summary>account, device, measurement.</summary>
    [Query(Name = "by")]
    public string? By { get; init; }

    /// <summary>Of rolling_avg.</summary>
    [Query(Name = "window")]
    public string? Window { get; init; }

    /// <summary>Time zone of steps of whole days.</summary>
    [Query(Name = "tz")]
    public string? Tz { get; init; }

    /// <summary>Points on a page.</summary>
    [Query(Name = "limit")]
    public string? Limit { get; init; }

    /// <summary>The page before's meta.next.</summary>
    [Query(Name = "cursor")]
    public string? Cursor { get; init; }

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

    public QueryText ToText() => new()
    {
        Series = Text(Series),
        From = Text(From),
        To = Text(To),
        Step = Text(Step),
        Fn = Text(Fn),
        Fill = Text(Fill),
        By = Text(By),
        Window = Text(Window),
        Tz = Text(Tz),
        Limit = Text(Limit),
        Cursor = Text(Cursor),
    };

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

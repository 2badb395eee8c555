using Refit;

namespace Foretier.Protocol.Api;

/// <summary>What is asked of the series: the parameters of <c>/api/v1/query</c> and <c>/api/v1/explain</c>.</summary>
public sealed record QueryParameters
{
    /// <summary>A series or a pattern, <c>acme/*/temperature</c>; several separated by commas.</summary>
    [AliasAs("series")]
    public required string Series { get; init; }

    /// <summary>Where the range begins; none = one hour before its end.</summary>
    [AliasAs("from")]
    public string? From { get; init; }

    /// <summary>Where the range ends, exclusive; none = now.</summary>
    [AliasAs("to")]
    public string? To { get; init; }

    /// <summary>Bucket length, <c>30s</c>, <c>1h</c>; none = one value over the whole range.</summary>
    [AliasAs("step")]
    public string? Step { get; init; }

    /// <summary>Functions separated by commas; none = raw without a step, avg with one.</summary>
    [AliasAs("fn")]
    public string? Fn { get; init; }

    /// <summary>What steps without a value get: none, null, previous or linear; none = they are left out.</summary>
    [AliasAs("fill")]
    public string? Fill { get; init; }

    /// <summary>Puts series together: account, device or measurement.</summary>
    [AliasAs("by")]
    public string? By { get; init; }

    /// <summary>What rolling_avg looks back over, a multiple of the step.</summary>
    [AliasAs("window")]
    public string? Window { get; init; }

    /// <summary>Time zone, <c>Europe/Rome</c>, for steps of whole days.</summary>
    [AliasAs("tz")]
    public string? Tz { get; init; }

    /// <summary>Points on a page; none = the whole answer.</summary>
    [AliasAs("limit")]
    public int? Limit { get; init; }

    /// <summary>Where the page begins: <see cref="ReplyMeta.Next"/> of the page before.</summary>
    [AliasAs("cursor")]
    public string? Cursor { get; init; }
}

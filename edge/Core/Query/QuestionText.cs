namespace Foretier.Core.Query;

/// <summary>The parameters of a query as they come in a URL, a JSON document or a command line; null where one was left out.</summary>
/// <param name="Series">One or several patterns, separated by commas.</param>
/// <param name="From">RFC 3339, epoch, <c>now</c> or relative to now as in <c>-6h</c>; default one hour before <paramref name="To"/>.</param>
/// <param name="To">The same; default now.</param>
/// <param name="Step">A duration (<c>500ms</c>, <c>30s</c>, <c>1m</c>, <c>1h</c>, <c>1d</c>; a bare number is seconds); none = one bucket.</param>
/// <param name="Fn">Function names separated by commas; default raw without a step, avg with one.</param>
public sealed record QuestionText(string? Series, string? From = null, string? To = null, string? Step = null, string? Fn = null)
{
    /// <summary>none, null, previous or linear; default none.</summary>
    public string? Fill { get; init; }

    /// <summary>account, device or measurement; default each series by itself.</summary>
    public string? By { get; init; }

    /// <summary>A duration, for rolling_avg.</summary>
    public string? Window { get; init; }

    /// <summary>A time zone of the IANA database, for steps of whole days.</summary>
    public string? Zone { get; init; }
}

using System.Globalization;

namespace Foretier.Agent.Ingest.Http;

/// <summary>
/// Answers in the form Influx clients read: version 2 takes code and message, version 1 takes error. Telegraf sends a batch again after any
/// failure but a 400 whose text says "partial write" or "unable to parse", so those words are kept for what would fail again.
/// </summary>
internal static class InfluxAnswer
{
    private const int LinesShown = 20;

    public static IResult Of(LinesTaken taken)
    {
        if (taken.Refused == 0)
        {
            return Results.NoContent();
        }
        var first = taken.Problems[0];
        var what = taken.Accepted == 0 ? "unable to parse" : "partial write: unable to parse";
        var message = string.Create(CultureInfo.InvariantCulture,
            $"{what} line {first.Line}: {first.Refusal.Text} ({taken.Accepted} lines stored, {taken.Refused} refused, dropped={taken.Refused})");
        return Results.Json(new Content("invalid", message, message, first.Line, taken.Accepted, taken.Refused,
            [.. taken.Problems.Take(LinesShown).Select(p => new LineContent(p.Line, p.Refusal.Code, p.Refusal.Text))]), statusCode: 400);
    }

    public static IResult Failed(int status, string code, string message) =>
        Results.Json(new FailureContent(code, message, message), statusCode: status);

    internal sealed record FailureContent(string Code, string Message, string Error);

    internal sealed record LineContent(int Line, string Code, string Reason);

    internal sealed record Content(
        string Code, string Message, string Error, int Line, int Accepted, int Refused, IReadOnlyList<LineContent> Lines);
}

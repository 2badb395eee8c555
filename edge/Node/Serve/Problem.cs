using Foretier.Core.Query;
using Microsoft.AspNetCore.Http;

namespace Foretier.Node.Serve;

/// <summary>RFC 9457 problem documents. The type names the code; the detail says what was wrong and what to do.</summary>
public static class Problem
{
    public static IResult Of(int status, string code, string detail, IDictionary<string, object?>? more = null) =>
        Results.Problem(detail, statusCode: status, title: TitleOf(code), type: TypeOf(code),
            extensions: new Dictionary<string, object?>(more ?? new Dictionary<string, object?>()) { ["code"] = code });

    public static IResult Of(QuestionError error) => Of(StatusOf(error), error.Code, error.Detail);

    internal static int StatusOf(QuestionError error) => error.Code switch
    {
        "unknown_series" => StatusCodes.Status404NotFound,
        "not_known_yet" => StatusCodes.Status503ServiceUnavailable,
        "too_many_points" or "too_many_series" or "too_many_states" => StatusCodes.Status422UnprocessableEntity,
        _ => StatusCodes.Status400BadRequest,
    };

    internal static string TypeOf(string code) => $"urn:foretier:problem:{code}";

    internal static string TitleOf(string code) => char.ToUpperInvariant(code[0]) + code[1..].Replace('_', ' ');
}

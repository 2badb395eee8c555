using System.Text;
using Foretier.Node.Keys;
using Foretier.Protocol.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Foretier.Node.Serve;

/// <summary>What an edge does about certificates of devices.</summary>
/// <param name="Open">Opens an enrolment.</param>
/// <param name="Sign">Signs a request; a null result: its proof is none here.</param>
public sealed record EnrolmentDuties(Func<string, string, EnrolmentEntry> Open, Func<string, string, EnrolmentRequest, EnrolmentReply?> Sign);

/// <summary>
/// How a device gets its certificate: an operator opens an enrolment, the device posts its request with the token. Reached from any node.
/// </summary>
public sealed class EnrolmentApi(EnrolmentDuties? own, Cascade cascade)
{
    public const string CertificateHeader = "Foretier-Certificate";
    public const string SignatureHeader = "Foretier-Signature";

    private const int RequestBytesMax = 16 * 1024;

    /// <summary>Opening one, for keys that administer and for the node above, and what that one passes on.</summary>
    internal void Map(RouteGroupBuilder group)
    {
        group.MapPost("/devices/{account}/{device}/enrolment", OpenAsync).Taking().WithSummary("Make a one-time token for a client certificate.").RequireAdminOrNode();
        group.MapPost("/enrolments/{account}/{device}", PassAsync).Taking().ExcludeFromDescription().RequireAdminOrNode();
    }

    /// <summary>
    /// POST /api/v1/enroll/{account}/{device}, for devices: the body is a PKCS#10 request, the answer the certificate in PEM. The proof is a
    /// bearer token, basic credentials (account/device and its secret), or the still valid certificate and a signature over the body.
    /// </summary>
    public void MapPublic(IEndpointRouteBuilder app) =>
        app.MapPost("/api/v1/enroll/{account}/{device}", EnrolAsync).Taking().WithSummary("Get or renew a client certificate (for devices).");

    private async Task<IResult> OpenAsync(string account, string device, CancellationToken cancel)
    {
        var entries = new List<EnrolmentEntry>();
        try
        {
            if (own is not null)
            {
                entries.Add(own.Open(account, device));
            }
        }
        catch (ArgumentException wrong)
        {
            return Problem.Of(StatusCodes.Status400BadRequest, "bad_request", wrong.Message);
        }
        var problem = (Protocol.Api.Problem?)null;
        foreach (var reply in await cascade.AskBelowAsync<EnrolmentsReply>(HttpMethod.Post,
            $"devices/{Uri.EscapeDataString(account)}/{Uri.EscapeDataString(device)}/enrolment", null, cancel).ConfigureAwait(false))
        {
            entries.AddRange(reply.Reply?.Enrolments ?? []);
            problem ??= reply.Problem;
        }
        return entries.Count > 0 ? Results.Ok(new EnrolmentsReply(entries))
            : problem is not null ? Problem.Of(problem.Status, problem.Code ?? "refused", problem.Detail ?? problem.Title)
            : Problem.Of(StatusCodes.Status503ServiceUnavailable, "no_edge", "no edge is connected that could enrol it; try again when one is");
    }

    private Task<IResult> PassAsync(string account, string device, EnrolmentRequest request, CancellationToken cancel) =>
        cascade.DoAsync<EnrolmentReply>(own is null ? null : () => Task.FromResult(own.Sign(account, device, request)), HttpMethod.Post,
            $"enrolments/{Uri.EscapeDataString(account)}/{Uri.EscapeDataString(device)}", request,
            $"no edge takes this proof for {account}/{device}: the token is used or has ended, or secret or certificate are not its own", cancel);

    private async Task<IResult> EnrolAsync(HttpContext http, string account, string device, CancellationToken cancel)
    {
        using var body = new MemoryStream();
        var buffer = new byte[4096];
        for (int read; (read = await http.Request.Body.ReadAsync(buffer, cancel).ConfigureAwait(false)) > 0;)
        {
            body.Write(buffer, 0, read);
            if (body.Length > RequestBytesMax)
            {
                return Problem.Of(StatusCodes.Status413PayloadTooLarge, "too_large", $"a certificate request has at most {RequestBytesMax} bytes");
            }
        }
        if (Proof(http.Request.Headers, $"{account}/{device}", body.ToArray()) is not { } request)
        {
            http.Response.Headers.WWWAuthenticate = "Bearer";
            return Problem.Of(StatusCodes.Status401Unauthorized, "unauthorized", "show an enrolment token ('foretier devices enroll' prints one) as bearer token, "
                + $"the device's user name and secret as basic credentials, or its certificate and a signature ({CertificateHeader}, {SignatureHeader}: base64)");
        }
        var answer = await PassAsync(account, device, request, cancel).ConfigureAwait(false);
        return answer is IValueHttpResult<EnrolmentReply> { Value: { } reply } ? Results.Text(reply.Certificate + "\n", "application/x-pem-file") : answer;
    }

    private static EnrolmentRequest? Proof(IHeaderDictionary headers, string user, byte[] request)
    {
        var authorization = headers.Authorization.ToString();
        if (authorization.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
        {
            return new(request, authorization["Bearer ".Length..].Trim(), null, null, null);
        }
        try
        {
            if (authorization.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase))
            {
                var text = Encoding.UTF8.GetString(Convert.FromBase64String(authorization["Basic ".Length..].Trim()));
                return text.StartsWith(user + ":", StringComparison.Ordinal) ? new(request, null, text[(user.Length + 1)..], null, null) : null;
            }
            return headers.TryGetValue(CertificateHeader, out var certificate) && headers.TryGetValue(SignatureHeader, out var signature)
                ? new(request, null, null, Convert.FromBase64String(certificate.ToString()), Convert.FromBase64String(signature.ToString())) : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }
}

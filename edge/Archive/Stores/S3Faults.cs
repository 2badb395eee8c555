using System.Net;
using Minio.Exceptions;

namespace Foretier.Archive.Stores;

/// <summary>Tells what an S3 failure means for the caller.</summary>
internal static class S3Faults
{
    public static ArchiveException Translate(Exception e, string operation, string key, S3Options options) => e switch
    {
        ArchiveException known => known,
        OperationCanceledException =>
            new(ArchiveFault.Unreachable, operation, key, $"{options} did not answer in time", e),
        BucketNotFoundException => Of(HttpStatusCode.NotFound, "NoSuchBucket", operation, key, options, e),
        ObjectNotFoundException => Of(HttpStatusCode.NotFound, "NoSuchKey", operation, key, options, e),
        AuthorizationException or AccessDeniedException or ForbiddenException =>
            Of(HttpStatusCode.Forbidden, (e as MinioException)?.Response?.Code ?? "AccessDenied", operation, key, options, e),
        MinioException { Response.Code: { Length: > 0 } code } => Of(HttpStatusCode.BadRequest, code, operation, key, options, e),
        // Minio's messages of last resort can quote the whole request; the kind of exception says as much.
        MinioException => new(ArchiveFault.Unreachable, operation, key, $"{options} answered wrongly ({e.GetType().Name})"),
        HttpRequestException or IOException => new(ArchiveFault.Unreachable, operation, key, $"{options} cannot be reached: {e.Message}", e),
        _ => new(ArchiveFault.Unreachable, operation, key, $"{options} answered wrongly ({e.GetType().Name})", e),
    };

    public static ArchiveException Of(HttpStatusCode status, string code, string operation, string key, S3Options options, Exception? inner)
    {
        var said = code.Length > 0 ? code : $"status {(int)status}";
        return code switch
        {
            "NoSuchKey" => new(ArchiveFault.NotFound, operation, key, "there is no such object", inner),
            "NoSuchBucket" => new(ArchiveFault.Invalid, operation, key, $"there is no bucket {options.Bucket} at {options.Endpoint.Authority}; create it", inner),
            "RequestTimeTooSkewed" => new(ArchiveFault.Denied, operation, key, "this machine's clock is off by too much; set it", inner),
            "ExpiredToken" or "InvalidToken" => new(ArchiveFault.Denied, operation, key, $"the session token is no longer valid ({said})", inner),
            "QuotaExceeded" or "XMinioStorageFull" => new(ArchiveFault.Full, operation, key, $"{options} has no room ({said})", inner),
            "SlowDown" or "InternalError" or "ServiceUnavailable" or "RequestTimeout" or "OperationAborted" =>
                new(ArchiveFault.Unreachable, operation, key, $"{options} is overloaded or failing ({said})", inner),
            "SignatureDoesNotMatch" or "InvalidAccessKeyId" or "AccessDenied" => Denied(),
            _ => status switch
            {
                HttpStatusCode.NotFound => new(ArchiveFault.NotFound, operation, key, "there is no such object", inner),
                HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => Denied(),
                HttpStatusCode.InsufficientStorage => new(ArchiveFault.Full, operation, key, $"{options} has no room ({said})", inner),
                HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError =>
                    new(ArchiveFault.Unreachable, operation, key, $"{options} is overloaded or failing ({said})", inner),
                _ => new(ArchiveFault.Invalid, operation, key, $"{options} refuses it ({said})", inner),
            },
        };

        ArchiveException Denied() => new(ArchiveFault.Denied, operation, key, $"{options} does not allow it to these credentials ({said})", inner);
    }

    /// <summary>The code of an S3 error document; empty where there is none.</summary>
    public static string CodeIn(string body)
    {
        var from = body.IndexOf("<Code>", StringComparison.Ordinal);
        var to = from < 0 ? -1 : body.IndexOf("</Code>", from, StringComparison.Ordinal);
        return to < 0 ? "" : body[(from + 6)..to];
    }
}

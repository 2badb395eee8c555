using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Text;
using Foretier.Agent.Hot;
using Foretier.Agent.Ingest.Identity;
using Foretier.Node.Serve;
using Microsoft.AspNetCore.Http.Features;

namespace Foretier.Agent.Ingest.Http;

/// <summary>
/// <c>POST /write</c> and <c>/api/v2/write</c> as Telegraf and Influx's clients use them. 204 means durable. Each line is taken by itself:
/// where some are bad the others are stored, and the 400 names lines and reasons.
/// </summary>
/// <remarks>
/// The account is that of the user name. A device's lines are its own; a concentrator's are of the device in the tag <c>host</c>, else
/// <c>device</c>. db, rp, org and bucket are taken and mean nothing here.
/// </remarks>
/// <param name="logIns">Who guesses secrets is slowed down, here as over MQTT.</param>
internal sealed class InfluxApi(InfluxOptions options, Intake intake, LogIns logIns) : IDisposable
{
    private const string Version = "1.8.10-foretier";
    private const string RetryAfterSeconds = "2";

    private readonly SemaphoreSlim _writes = new(options.WritesMax);

    public void Map(IEndpointRouteBuilder app)
    {
        app.MapPost("/write", WriteAsync).Taking("db", "rp", "precision", "consistency", "u", "p").WithSummary("Influx line protocol, version 1");
        app.MapPost("/api/v2/write", WriteAsync).Taking("org", "orgID", "bucket", "precision", "u", "p").WithSummary("Influx line protocol, version 2");
        app.MapMethods("/ping", ["GET", "HEAD"], Ping).Taking("verbose", "wait_for_leader").WithSummary("Alive, as Influx clients ask");
        app.MapGet("/health", Health).WithSummary("Well, as Influx clients ask");
        app.MapPost("/query", Query).Taking("q", "db", "u", "p").WithSummary("CREATE DATABASE, which Telegraf sends first, and nothing else");
    }

    public void Dispose() => _writes.Dispose();

    private async Task<IResult> WriteAsync(HttpContext http, CancellationToken cancel)
    {
        var (admitted, refused) = await LogInAsync(http, cancel);
        if (admitted is null)
        {
            return refused!;
        }
        if (!TryPrecision(http.Request.Query["precision"].ToString(), out var unitOfTime))
        {
            return InfluxAnswer.Failed(400, "invalid", $"unable to parse: precision '{http.Request.Query["precision"]}' is none of n, ns, u, us, ms, s, m, h");
        }
        if (intake.Store.IsFull || intake.Store.Unavailable is not null)
        {
            return Busy(http, intake.Store.Unavailable?.Message ?? "memory or journal is nearly used up");
        }
        await _writes.WaitAsync(cancel);
        try
        {
            var (body, problem) = await ReadAsync(http, cancel);
            if (problem is not null)
            {
                return problem;
            }
            if (!intake.Devices.IsCurrent(admitted))
            {
                // Revoked while its body was on the way.
                return Unauthorized(http, "the secret was changed or revoked");
            }
            var taken = new Sender(admitted.Name, intake, admitted.Rights).PublishLines(Encoding.UTF8.GetBytes(http.Request.Path), body.Span, unitOfTime);
            await intake.Store.WaitDurableAsync(taken.Ticket, cancel);
            return InfluxAnswer.Of(taken);
        }
        catch (HotStoreUnavailableException failed)
        {
            // Lines before the failure may be stored; sent again they are the same samples.
            return Busy(http, failed.Message);
        }
        finally
        {
            _writes.Release();
        }
    }

    private async ValueTask<(Admission? Admitted, IResult? Refused)> LogInAsync(HttpContext http, CancellationToken cancel)
    {
        if (InfluxCredentials.Of(http.Request, intake.Devices) is not { } credentials)
        {
            // What cannot be read is not taken for nobody, whom an operator may let in. Neither is a guess: some clients first ask without.
            var isNobody = http.Request.Headers.Authorization.Count == 0;
            var anonymous = isNobody ? intake.Devices.Admit(null, default) : null;
            return (anonymous, anonymous is null ? Unauthorized(http, isNobody ? "no credentials" : "the credentials cannot be read") : null);
        }
        var (admitted, isThrottled) = await logIns.TryAsync(http.Connection.RemoteIpAddress ?? IPAddress.Loopback, credentials.User,
            Encoding.UTF8.GetBytes(credentials.Secret), cancel);
        if (isThrottled)
        {
            http.Response.Headers.RetryAfter = RetryAfterSeconds;
            return (null, InfluxAnswer.Failed(429, "too many requests", "too many failed log-ins from this address: wait, then check user name and secret"));
        }
        return (admitted, admitted is null ? Unauthorized(http, "user name and secret do not match") : null);
    }

    private static IResult Unauthorized(HttpContext http, string why)
    {
        http.Response.Headers.WWWAuthenticate = "Token, Basic realm=\"foretier\"";
        return InfluxAnswer.Failed(401, "unauthorized", $"{why}; {InfluxCredentials.Ways}");
    }

    /// <param name="nanos">Of one unit; 0 tells the unit by the time's magnitude, which takes Influx's default of ns too.</param>
    private static bool TryPrecision(string text, out long nanos)
    {
        nanos = text switch
        {
            "" => 0,
            "n" or "ns" => 1,
            "u" or "us" or "µ" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => -1,
        };
        return nanos >= 0;
    }

    private async Task<(ReadOnlyMemory<byte> Body, IResult? Problem)> ReadAsync(HttpContext http, CancellationToken cancel)
    {
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = options.BodyBytesMax;
        }
        var encoding = http.Request.Headers.ContentEncoding.ToString();
        var isPacked = encoding.Equals("gzip", StringComparison.OrdinalIgnoreCase);
        if (!isPacked && encoding is not ("" or "identity"))
        {
            return (default, InfluxAnswer.Failed(415, "unsupported media type", $"content encoding '{encoding}' is not taken: send gzip or none"));
        }
        try
        {
            await using var unpacked = isPacked ? new GZipStream(http.Request.Body, CompressionMode.Decompress, leaveOpen: true) : http.Request.Body;
            using var body = new MemoryStream();
            var part = new byte[64 * 1024];
            for (int read; (read = await unpacked.ReadAsync(part, cancel)) > 0;)
            {
                if (body.Length + read > options.BodyBytesMax)
                {
                    return (default, TooLarge());
                }
                body.Write(part.AsSpan(0, read));
            }
            return (body.GetBuffer().AsMemory(0, (int)body.Length), null);
        }
        catch (BadHttpRequestException error) when (error.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            return (default, TooLarge());
        }
        catch (InvalidDataException error)
        {
            return (default, InfluxAnswer.Failed(400, "invalid", $"unable to parse: the body is not gzip: {error.Message}"));
        }

        IResult TooLarge() => InfluxAnswer.Failed(413, "request too large",
            string.Create(CultureInfo.InvariantCulture, $"the body has more than {options.BodyBytesMax} bytes: send smaller batches"));
    }

    private static IResult Busy(HttpContext http, string why)
    {
        http.Response.Headers.RetryAfter = RetryAfterSeconds;
        return InfluxAnswer.Failed(503, "unavailable", $"nothing can be stored now, send again later: {why}");
    }

    private static IResult Ping(HttpContext http)
    {
        http.Response.Headers["X-Influxdb-Version"] = Version;
        http.Response.Headers["X-Influxdb-Build"] = "OSS";
        return Results.NoContent();
    }

    private IResult Health() => intake.Store.Unavailable is { } failure
        ? Results.Json(new { name = "foretier", message = failure.Message, status = "fail", version = Version }, statusCode: 503)
        : Results.Json(new { name = "foretier", message = "ready for writes", status = "pass", version = Version });

    private static async Task<IResult> Query(HttpContext http, CancellationToken cancel)
    {
        var query = http.Request.Query["q"].ToString();
        if (query.Length == 0 && http.Request.HasFormContentType)
        {
            query = (await http.Request.ReadFormAsync(cancel))["q"].ToString();
        }
        return query.TrimStart().StartsWith("CREATE DATABASE", StringComparison.OrdinalIgnoreCase)
            ? Results.Json(new { results = new[] { new { statement_id = 0 } } })
            : InfluxAnswer.Failed(400, "invalid", "InfluxQL is not spoken here: ask /api/v1/query");
    }
}

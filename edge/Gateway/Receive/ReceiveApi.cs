using System.Globalization;
using System.Text.Json.Serialization;
using Foretier.Core.Partitions;
using Foretier.Core.Segments;
using Foretier.Gateway.Warm;
using Foretier.Node.Serve;
using Microsoft.Data.Sqlite;

namespace Foretier.Gateway.Receive;

/// <summary>What an edge calls to hand over its data.</summary>
public static class ReceiveApi
{
    private const string DigestPrefix = "sha-256=";

    /// <summary>
    /// PUT edges/{edge}/windows/{window}/batches/{after}-{through}: 200 with a ShipReceipt once durable, and again for a batch already held;
    /// 409 on a gap, with the flush to go on from; 413, 422 where the bytes cannot be taken; 503 where the disk cannot.
    /// GET edges/{edge}/windows: how far each window is held, and, where it is damaged, from which flush on it should come again.
    /// POST edges/{edge}/windows/{window}/again/{after}: the edge has every flush after that one and sends them again; what is damaged is forgotten.
    /// </summary>
    /// <param name="batchBytesMax">The largest batch that is taken.</param>
    public static void MapReceive(this RouteGroupBuilder group, WarmStore store, int batchBytesMax = 32 << 20)
    {
        group.MapGet("/edges/{edge}/windows", (string edge) => WarmFileName.IsValidEdge(edge)
            ? Results.Ok(store.ProgressOf(edge).Select(p => new HeldWindow(p.Window.ToString(), p.Through, store.DamagedAfter(edge, p.Window))))
            : BadEdge(edge));

        group.MapPost("/edges/{edge}/windows/{window}/again/{after:long}", async (string edge, string window, long after, CancellationToken cancel) =>
            !WarmFileName.IsValidEdge(edge) ? BadEdge(edge)
            : Window.TryParse(window, out var parsed) && await store.ForgetDamagedAsync(edge, parsed, after, cancel).ConfigureAwait(false) is { } through ? Results.Ok(new { through })
            : Problem.Of(StatusCodes.Status409Conflict, "not_damaged", $"{window} of {edge} is not damaged here, or flush {after} is later than what is kept here begins"));

        group.MapPut("/edges/{edge}/windows/{window}/batches/{range}", (HttpContext http, string edge, string window, string range, CancellationToken cancel) =>
            ReceiveAsync(store, http, edge, window, range, batchBytesMax, cancel));
    }

    private static async Task<IResult> ReceiveAsync(WarmStore store, HttpContext http, string edge, string windowText, string range, int bytesMax, CancellationToken cancel)
    {
        if (!WarmFileName.IsValidEdge(edge))
        {
            return BadEdge(edge);
        }
        if (!Window.TryParse(windowText, out var window) || !TryParseRange(range, out var after, out var through))
        {
            return Problem.Of(StatusCodes.Status400BadRequest, "bad_address", $"'{windowText}' and '{range}' are not a window and after-through, for example 20170309T000000Z-24h and 0-3");
        }
        var digest = http.Request.Headers["Content-Digest"].ToString();
        if (!digest.StartsWith(DigestPrefix, StringComparison.Ordinal))
        {
            return Problem.Of(StatusCodes.Status400BadRequest, "digest_missing", "send Content-Digest: sha-256=<SHA-256 of the bytes in hex>");
        }
        if (await ReadAsync(http.Request, bytesMax, cancel).ConfigureAwait(false) is not { } bytes)
        {
            return Problem.Of(StatusCodes.Status413PayloadTooLarge, "batch_too_large", $"a batch may have {bytesMax} bytes; send fewer flushes at once");
        }
        try
        {
            var result = await store.ReceiveAsync(edge, window, after, through, bytes, digest[DigestPrefix.Length..].Trim(), cancel).ConfigureAwait(false);
            var more = new Dictionary<string, object?> { ["through"] = result.Through };
            return result.Outcome switch
            {
                ReceiveOutcome.Gap => Problem.Of(StatusCodes.Status409Conflict, "gap", $"{window} of {edge} is held through flush {result.Through}; send from there on", more),
                ReceiveOutcome.Refused => Problem.Of(StatusCodes.Status422UnprocessableEntity, result.Refusal!.Reason, result.Refusal.Detail, more),
                _ => Results.Ok(result.Receipt),
            };
        }
        catch (Exception error) when (error is IOException or SqliteException or SegmentFormatException or UnauthorizedAccessException)
        {
            http.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(ReceiveApi)).LogError(error, "Cannot store {Edge} {Window}", edge, window);
            return Problem.Of(StatusCodes.Status503ServiceUnavailable, "storage_unavailable", $"the batch is not stored, send it again later: {error.Message}");
        }
    }

    private static async Task<byte[]?> ReadAsync(HttpRequest request, int bytesMax, CancellationToken cancel)
    {
        if (request.ContentLength > bytesMax)
        {
            return null;
        }
        using var body = new MemoryStream((int)(request.ContentLength ?? 0));
        var buffer = new byte[64 << 10];
        for (int read; (read = await request.Body.ReadAsync(buffer, cancel).ConfigureAwait(false)) > 0;)
        {
            if (body.Length + read > bytesMax)
            {
                return null;
            }
            body.Write(buffer, 0, read);
        }
        return body.Length == body.Capacity ? body.GetBuffer() : body.ToArray();
    }

    private static bool TryParseRange(string text, out long after, out long through)
    {
        after = through = 0;
        var parts = text.Split('-');
        return parts.Length == 2 && long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out after)
            && long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out through) && through > after;
    }

    /// <param name="Again">Where it is damaged: the flush after which it should come again.</param>
    private sealed record HeldWindow(string Window, long Through, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? Again);

    private static IResult BadEdge(string edge) =>
        Problem.Of(StatusCodes.Status400BadRequest, "bad_edge", $"'{edge}' is not the name of an edge (letters, digits and _ . : @ -, not beginning with a dot)");
}

using System.Buffers;
using Foretier.Node.Keys;
using Foretier.Node.Prometheus.Wire;
using Foretier.Node.Serve;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Snappier;

namespace Foretier.Node.Prometheus;

/// <summary>
/// Prometheus' <c>remote_read</c> with the answer type SAMPLES. Its protocol has no word for a partial answer, so that one is an error:
/// Prometheus shows it as a warning and goes on with what it has itself.
/// </summary>
public sealed class RemoteReadApi(PromSource source)
{
    private const int RequestBytesMax = 4 << 20;
    private const int QueriesMax = 100;

    public void Map(RouteGroupBuilder api) => api.MapPost("/prometheus/read", ReadAsync)
        .WithName("remoteRead").WithSummary("Prometheus remote_read: a snappy-compressed protobuf ReadRequest.").Accepts<Stream>("application/x-protobuf");

    private async Task<IResult> ReadAsync(HttpContext http, CancellationToken cancel)
    {
        if (await ReadRequestAsync(http.Request, cancel).ConfigureAwait(false) is not { } request)
        {
            return Problem.Of(StatusCodes.Status400BadRequest, "bad_remote_read",
                $"the body is not a snappy-compressed (block format) protobuf ReadRequest of at most {RequestBytesMax} bytes and {QueriesMax} queries; let a Prometheus send it");
        }
        try
        {
            var response = new ReadResponse();
            foreach (var query in request.Queries)
            {
                var matchers = query.Matchers.Select(matcher => Matcher.Of((MatchKind)matcher.Type, matcher.Name, matcher.Value)).ToList();
                var selection = await source.SelectAsync(matchers, query.StartTimestampMs, query.EndTimestampMs, http.Caller(), cancel).ConfigureAwait(false);
                if (selection.Warning is { } warning)
                {
                    throw PromException.Unavailable(warning);
                }
                response.Results.Add(ResultOf(selection));
            }
            var answer = Snappy.CompressToArray(response.ToByteArray());
            http.Response.Headers.ContentEncoding = "snappy";
            return Results.Bytes(answer, "application/x-protobuf");
        }
        catch (PromException refused)
        {
            return Problem.Of(refused.Status, refused.Type, refused.Message);
        }
    }

    private static async Task<ReadRequest?> ReadRequestAsync(HttpRequest request, CancellationToken cancel)
    {
        if (request.ContentLength is null or > RequestBytesMax)
        {
            return null;
        }
        var body = new byte[(int)request.ContentLength];
        await request.Body.ReadExactlyAsync(body, cancel).ConfigureAwait(false);
        try
        {
            // The length it claims is looked at before a byte is believed.
            if (Snappy.GetUncompressedLength(body) is < 0 or > RequestBytesMax)
            {
                return null;
            }
            var parsed = ReadRequest.Parser.ParseFrom(Snappy.DecompressToArray(body));
            return parsed.Queries.Count <= QueriesMax ? parsed : null;
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or InvalidDataException or ArgumentException or InvalidOperationException)
        {
            return null;
        }
    }

    private static QueryResult ResultOf(Selection selection)
    {
        var result = new QueryResult();
        foreach (var series in selection.Series.OrderBy(series => series.Labels.ToString(), StringComparer.Ordinal))
        {
            var wire = new TimeSeries();
            wire.Labels.AddRange(series.Labels.Labels.Select(label => new Label { Name = label.Key, Value = label.Value }));
            for (var i = 0; i < series.Times.Length; i++)
            {
                wire.Samples.Add(new Wire.Sample { Timestamp = series.Times[i], Value = series.Values[i] });
            }
            result.Timeseries.Add(wire);
        }
        return result;
    }
}

using Foretier.Protocol.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Foretier.Node.Serve;

/// <summary>What an edge itself tells of its forecasts.</summary>
public sealed record ForecastDuties
{
    /// <summary>Null where it does not know the series.</summary>
    public required Func<string, ForecastReply?> Of { get; init; }

    /// <summary>Over so many days.</summary>
    public required Func<int, NodeScorecard> Scorecard { get; init; }

    /// <summary>When it was not counting samples; null where it never does.</summary>
    public required Func<NodeGaps?> Gaps { get; init; }
}

/// <summary>Forecasts and how they came out: asked of any node, told by the edges at or below it.</summary>
internal sealed class ForecastApi(ForecastDuties? own, Cascade cascade)
{
    private const int DaysMax = 90;

    public void Map(RouteGroupBuilder group)
    {
        group.MapGet("/forecast", ForecastAsync).Taking("series").WithSummary("Samples an hour that are expected of a series, beside those that came.");
        group.MapGet("/scorecard", ScorecardAsync).Taking("days").WithSummary("How forecasts came out, at every edge.");
        group.MapGet("/gaps", GapsAsync).Taking().WithSummary("When edges were not counting samples: hours of which nothing is known, where no samples are.");
    }

    private Task<IResult> ForecastAsync(string? series, CancellationToken cancel) => series is null or ""
        ? Task.FromResult(Problem.Of(StatusCodes.Status400BadRequest, "bad_parameter", "name one series: series=account/device/measurement"))
        : cascade.DoAsync<ForecastReply>(own is null ? null : () => Task.FromResult(own.Of(series)), HttpMethod.Get, $"forecast?series={Uri.EscapeDataString(series)}", null,
            $"no connected edge forecasts a series '{series}'; list what there is with GET /api/v1/series; a new one is forecast within seconds, one without samples for 30 days no more", cancel);

    private async Task<IResult> GapsAsync(CancellationToken cancel)
    {
        var nodes = new List<NodeGaps>();
        if (own?.Gaps() is { } gaps)
        {
            nodes.Add(gaps);
        }
        foreach (var reply in await cascade.AskBelowAsync<GapsReply>(HttpMethod.Get, "gaps", null, cancel).ConfigureAwait(false))
        {
            nodes.AddRange(reply.Reply?.Nodes ?? []);
        }
        return Results.Ok(new GapsReply(nodes));
    }

    private async Task<IResult> ScorecardAsync(int? days, CancellationToken cancel)
    {
        var over = days ?? 7;
        if (over is < 1 or > DaysMax)
        {
            return Problem.Of(StatusCodes.Status400BadRequest, "bad_parameter", $"days={over} must lie within 1 and {DaysMax}");
        }
        var nodes = new List<NodeScorecard>();
        if (own is not null)
        {
            nodes.Add(own.Scorecard(over));
        }
        foreach (var reply in await cascade.AskBelowAsync<ScorecardReply>(HttpMethod.Get, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"scorecard?days={over}"), null, cancel).ConfigureAwait(false))
        {
            nodes.AddRange(reply.Reply?.Nodes ?? []);
        }
        return Results.Ok(new ScorecardReply(nodes));
    }
}

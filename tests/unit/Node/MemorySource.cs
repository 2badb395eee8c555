using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Tests.Unit.Node;

/// <summary>Series of a few days in memory, listed in a catalog as an edge's would be.</summary>
internal sealed class MemorySource(string node, Catalog catalog) : IDataSource
{
    private readonly Dictionary<string, SampleColumns> _series = [];

    public string Node => node;

    public void Put(string series, SampleColumns samples, string? unit = null, string kind = "gauge")
    {
        _series[series] = samples;
        catalog.Put(new SeriesInfo(series, node, unit, kind));
        foreach (var window in samples.Times.ToArray().Select(Window.DayOf).Distinct())
        {
            catalog.Put(new Holding(node, window, node, Tier.Ssd, 0, Holding.Latest, window.Range, _series.Count, 100));
        }
    }

    public Task<FetchResult> FetchAsync(FetchRequest request, CancellationToken cancel)
    {
        var slices = new List<Slice>();
        foreach (var series in request.Series.Where(_series.ContainsKey))
        {
            for (var i = 0; i < request.Parts.Count; i++)
            {
                Layer[] layers = [Layer.Of(1, _series[series].Slice(request.Parts[i].Window.Range))];
                var rows = new BucketRows();
                if (!request.Raw)
                {
                    SeriesScan.Into(rows, request.GridOf(request.Parts[i].Range), layers);
                }
                slices.Add(new(i, series, request.Raw ? SeriesScan.Raw(request.Parts[i].Range, layers) : null, request.Raw ? null : rows));
            }
        }
        return Task.FromResult(new FetchResult(slices, [], [.. request.Parts.Select(part => new TierUse(Tier.Ssd, Node, part.Range, "raw", 0.1))]));
    }
}

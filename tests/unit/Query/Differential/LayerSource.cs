using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Protocol.Fetching;

namespace Foretier.Tests.Differential;

/// <summary>A source that has its layers in memory, by node, window and the flush they begin after; what it answers goes over a wire.</summary>
internal sealed class LayerSource(string node, Dictionary<(string Node, Window Window, long After), Dictionary<string, List<Layer>>> held) : IDataSource
{
    public string Node => node;

    public Task<FetchResult> FetchAsync(FetchRequest request, CancellationToken cancel)
    {
        var scan = new FetchScan(request);
        for (var i = 0; i < request.Parts.Count; i++)
        {
            var part = request.Parts[i];
            for (var place = 0; place < request.Series.Count; place++)
            {
                var layers = held[(node, part.Window, part.After)][request.Series[place]];
                IReadOnlyList<TimeRange> erased = part.After == 0 ? []
                    : [.. layers.Where(l => l.IsTombstone).Select(l => new TimeRange(l.FirstTime, l.LastTime + 1).Clip(part.Range)).Where(r => !r.IsEmpty)];
                scan.Add(i, part.Range, place, layers, erased);
            }
        }
        using var wire = new ByteWriter();
        using var result = scan.Result();
        FetchCodec.Write(wire, result);
        return Task.FromResult(FetchCodec.Read(wire.Written));
    }
}

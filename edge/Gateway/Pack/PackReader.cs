using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Gateway.Warm;

namespace Foretier.Gateway.Pack;

/// <summary>The samples of a window that is being moved, series by series, merged: the later flush wins.</summary>
internal sealed class PackReader(SegmentReader reader, Dictionary<SeriesInfo, List<SegmentRow>> rows) : IDisposable
{
    public IReadOnlyCollection<SeriesInfo> Series => rows.Keys;

    /// <summary>How many samples have been handed out.</summary>
    public long Samples { get; private set; }

    public SampleColumns Read(SeriesInfo series)
    {
        var samples = SeriesScan.Raw(TimeRange.Everything, reader.Read(rows[series], withRollups: false));
        Samples += samples.Count;
        return samples;
    }

    public void Dispose() => reader.Dispose();
}

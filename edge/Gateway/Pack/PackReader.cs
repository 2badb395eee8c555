using Foretier.Archive;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Gateway.Warm;

namespace Foretier.Gateway.Pack;

/// <summary>The samples of a window that is being moved, series by series, merged: the later flush wins.</summary>
internal sealed class PackReader(
    SegmentReader reader, Dictionary<SeriesInfo, List<SegmentRow>> rows, IReadOnlyList<(string Series, TombstoneRow Row)> tombstones) : IDisposable
{
    public IReadOnlyCollection<SeriesInfo> Series => rows.Keys;

    /// <summary>What was deleted, also in flushes before those that are moved.</summary>
    public IReadOnlyList<ArchiveErasure> Erased => [.. tombstones.Select(t => new ArchiveErasure(t.Series, t.Row.Range)).Distinct()];

    /// <summary>How many samples have been handed out.</summary>
    public long Samples { get; private set; }

    public SampleColumns Read(SeriesInfo series)
    {
        var samples = SeriesScan.Raw(TimeRange.Everything,
            [.. reader.Read(rows[series], withRollups: false), .. tombstones.Where(t => t.Series == series.Name).Select(t => t.Row.ToLayer())]);
        Samples += samples.Count;
        return samples;
    }

    public void Dispose() => reader.Dispose();
}

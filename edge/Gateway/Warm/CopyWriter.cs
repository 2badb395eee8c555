using System.Buffers;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Core.Tiers;
using Microsoft.Win32.SafeHandles;

namespace Foretier.Gateway.Warm;

/// <summary>Writes the series of one copy into its file.</summary>
internal sealed class CopyWriter(SafeFileHandle file, long resolution, long version)
{
    /// <summary>A segment of a million samples is some 2 to 4 MB: one read.</summary>
    private const int SegmentSamplesMax = 1_000_000;
    private const int WriteBytes = 1 << 20;

    private readonly ArrayBufferWriter<byte> _pending = new(WriteBytes);
    private long _written;

    public List<(SeriesInfo Info, SegmentRow Row)> Rows { get; } = [];
    public List<(string Series, TimeRange Range)> Erased { get; } = [];
    public TimeRange Extent { get; private set; } = TimeRange.Nothing;
    public long Samples { get; private set; }
    public long Length => _written + _pending.WrittenCount;

    public void Add(SeriesInfo info, SampleColumns samples)
    {
        if (Length == 0)
        {
            _pending.Write("FWC1"u8);
        }
        for (var from = 0; from < samples.Count; from += SegmentSamplesMax)
        {
            var part = samples;
            if (samples.Count > SegmentSamplesMax)
            {
                part = new(SegmentSamplesMax);
                part.Append(samples, from, Math.Min(SegmentSamplesMax, samples.Count - from));
            }
            Write(info, part);
        }
    }

    public void Flush()
    {
        RandomAccess.Write(file, _pending.WrittenSpan, _written);
        _written += _pending.WrittenCount;
        _pending.ResetWrittenCount();
    }

    private void Write(SeriesInfo info, SampleColumns samples)
    {
        var segment = resolution == 0 ? Segment.Encode(samples).Bytes : default;
        var rollups = resolution == 0 ? RollupBlock.CompanionOf(samples, segment.Length) : RollupsOf(samples);
        var at = Length;
        _pending.Write(segment.Span);
        _pending.Write(rollups);
        Rows.Add((info, new(0, samples.FirstTime, samples.LastTime, version, samples.Count, at, segment.Length, at + segment.Length, rollups.Length)));
        Samples += samples.Count;
        Extent = Extent.Hull(new(samples.FirstTime, samples.LastTime + 1));
        if (_pending.WrittenCount >= WriteBytes)
        {
            Flush();
        }
    }

    /// <summary>The step that was asked for, and a day of it where that is coarser: each read takes the coarsest that fits.</summary>
    private byte[] RollupsOf(SampleColumns samples) =>
        RollupBlock.Encode([.. new[] { resolution, Instant.Day }.Distinct().Where(step => step >= resolution).Select(step =>
        {
            var rows = new BucketRows();
            rows.Add(samples, new BucketGrid(TimeRange.Everything, step));
            return new RollupTable(step, rows);
        })]);
}

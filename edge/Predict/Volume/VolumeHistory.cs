using System.Collections.Concurrent;
using System.IO.Compression;
using System.Text;
using Foretier.Core.Samples;

namespace Foretier.Predict.Volume;

/// <summary>
/// Samples an hour of every series over the last 30 days, by the time of the samples, and when nobody was counting. Thread-safe; its owner saves and loads it.
/// </summary>
public sealed class VolumeHistory
{
    private const byte FormatVersion = 2;

    /// <summary>More than this much of an hour unwatched, and what was counted in it says nothing.</summary>
    private const long UnwatchedMax = 6 * Instant.Minute;

    /// <summary>A gap a day for ten years; then the oldest are forgotten.</summary>
    private const int GapsMax = 3_650;

    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<string, SeriesVolume> _series = new(StringComparer.Ordinal);
    private volatile IReadOnlyList<TimeRange> _gaps = [];
    private volatile HashSet<long> _unknown = [];
    private static ReadOnlySpan<byte> Magic => "FTVH"u8;

    /// <summary>All series, in ordinal order, so that what is computed from them does not depend on who came first.</summary>
    public IReadOnlyList<SeriesVolume> Series => [.. _series.Values.OrderBy(s => s.Series, StringComparer.Ordinal)];

    public int Count => _series.Count;

    /// <summary>When nobody was counting since the history was begun, oldest first; the newest 3,650.</summary>
    public IReadOnlyList<TimeRange> Gaps => _gaps;

    /// <summary>Finds or begins a series. The result may be kept and observed directly, until <see cref="Trim"/> has dropped something.</summary>
    public SeriesVolume Of(string series) => _series.GetOrAdd(series, static name => new(name));

    public SeriesVolume? Find(string series) => _series.GetValueOrDefault(series);

    public void Observe(string series, long time, int count) => Of(series).Observe(time, count);

    /// <summary>Nobody was counting then: hours that were mostly missed are unknown rather than empty.</summary>
    public void MarkGap(TimeRange range)
    {
        if (range.IsEmpty)
        {
            return;
        }
        lock (_lock)
        {
            List<TimeRange> gaps = [];
            foreach (var gap in _gaps.Append(range).OrderBy(gap => gap.From))
            {
                if (gaps.Count > 0 && gap.From <= gaps[^1].To)
                {
                    gaps[^1] = gaps[^1].Hull(gap);
                }
                else
                {
                    gaps.Add(gap);
                }
            }
            Take(gaps[Math.Max(0, gaps.Count - GapsMax)..]);
        }
    }

    /// <summary>The hours, since 1970, of which too much lies in gaps for their counts to say anything.</summary>
    /// <param name="from">µs.</param>
    public static IEnumerable<long> HoursIn(IReadOnlyList<TimeRange> gaps, long from)
    {
        var unwatched = new SortedDictionary<long, long>();
        foreach (var gap in gaps)
        {
            for (var hour = Math.Max(from, gap.From) / Instant.Hour; hour * Instant.Hour < gap.To; hour++)
            {
                unwatched[hour] = unwatched.GetValueOrDefault(hour) + gap.Clip(new(hour * Instant.Hour, (hour + 1) * Instant.Hour)).Length;
            }
        }
        return unwatched.Where(hour => hour.Value > UnwatchedMax).Select(hour => hour.Key);
    }

    private void Take(IReadOnlyList<TimeRange> gaps)
    {
        _gaps = gaps;
        _unknown = gaps.Count == 0 ? [] : [.. HoursIn(gaps, gaps[^1].To - HourCounts.HoursKept * Instant.Hour)];
    }

    /// <summary>Reads the closed hours before <paramref name="now"/> into a buffer; see <see cref="HourlyHistory"/>.</summary>
    public HourlyHistory Read(SeriesVolume series, long now, Span<int> into) => series.Read(now, into, _unknown);

    /// <summary>
    /// Drops the series that have had no sample for as long as anything is kept, and those counted far ahead, by a clock that was wrong then:
    /// they would hold off every true count until that day comes. Gaps that lie ahead are of the same clock, and are none.
    /// </summary>
    /// <returns>How many were dropped.</returns>
    public int Trim(long now)
    {
        lock (_lock)
        {
            if (_gaps.Count > 0 && _gaps[^1].To > now)
            {
                Take([.. _gaps.Where(gap => gap.From < now).Select(gap => new TimeRange(gap.From, Math.Min(gap.To, now)))]);
            }
        }
        var dropped = 0;
        foreach (var (name, series) in _series)
        {
            if (!series.LastIsWithin(new(now - HourCounts.HoursKept * Instant.Hour, now + 2 * Instant.AheadMax)) && _series.TryRemove(name, out _))
            {
                dropped++;
            }
        }
        return dropped;
    }

    /// <summary>
    /// Layout: sealed payload "FTVH", deflated: saved-at i64 · gaps (count, then each: from i64, to i64) · series (count, then each: name, first time i64,
    /// first hour + 1, hours, count of each). Numbers are 7-bit encoded where no width is given, texts as BinaryWriter writes them. Format 1 had unknown hours
    /// (count, then each) in place of gaps.
    /// </summary>
    /// <param name="now">Until when it has been counting; a reader marks the time since as a gap.</param>
    public void Save(Stream to, long now)
    {
        using var payload = new MemoryStream();
        using (var writer = new BinaryWriter(new DeflateStream(payload, CompressionLevel.Fastest, leaveOpen: true), Encoding.UTF8))
        {
            writer.Write(now);
            var gaps = _gaps;
            writer.Write7BitEncodedInt(gaps.Count);
            foreach (var gap in gaps)
            {
                writer.Write(gap.From);
                writer.Write(gap.To);
            }
            var series = Series;
            writer.Write7BitEncodedInt(series.Count);
            foreach (var one in series)
            {
                one.Save(writer);
            }
        }
        SealedPayload.Write(to, Magic, FormatVersion, payload.GetBuffer().AsSpan(0, (int)payload.Length));
    }

    /// <param name="savedAt">Until when the history had been counting.</param>
    /// <exception cref="InvalidDataException">The bytes are not a history, or are damaged; the message says in what way.</exception>
    public static VolumeHistory Load(Stream from, out long savedAt)
    {
        var payload = SealedPayload.Read(from, Magic, FormatVersion, out var version);
        using var reader = new BinaryReader(new DeflateStream(payload, CompressionMode.Decompress), Encoding.UTF8);
        try
        {
            savedAt = reader.ReadInt64();
            var history = new VolumeHistory();
            List<TimeRange> gaps = [];
            for (var left = reader.Read7BitEncodedInt(); left > 0; left--)
            {
                if (version == 1)
                {
                    var hour = reader.Read7BitEncodedInt64();
                    history.MarkGap(new(hour * Instant.Hour, (hour + 1) * Instant.Hour));
                }
                else
                {
                    gaps.Add(new(reader.ReadInt64(), reader.ReadInt64()));
                }
            }
            if (gaps.Exists(gap => gap.IsEmpty) || gaps.Zip(gaps.Skip(1)).Any(pair => pair.Second.From <= pair.First.To))
            {
                throw new InvalidDataException("gaps are out of order");
            }
            if (version > 1)
            {
                history.Take(gaps);
            }
            for (var left = reader.Read7BitEncodedInt(); left > 0; left--)
            {
                var series = SeriesVolume.Load(reader);
                history._series[series.Series] = series;
            }
            return history;
        }
        catch (Exception e) when (e is EndOfStreamException or FormatException)
        {
            throw new InvalidDataException("the content ends early or does not follow its layout", e);
        }
    }
}

using System.Collections.Concurrent;
using System.IO.Compression;
using System.Text;
using Foretier.Core.Samples;

namespace Foretier.Predict.Volume;

/// <summary>
/// Samples an hour of every series over the last 30 days, by the time of the samples. Thread-safe; its owner saves and loads it.
/// </summary>
public sealed class VolumeHistory
{
    private const byte FormatVersion = 1;

    /// <summary>More than this much of an hour unwatched, and what was counted in it says nothing.</summary>
    private const long UnwatchedMax = 6 * Instant.Minute;

    private readonly ConcurrentDictionary<string, SeriesVolume> _series = new(StringComparer.Ordinal);
    private volatile HashSet<long> _unknown = [];
    private static ReadOnlySpan<byte> Magic => "FTVH"u8;

    /// <summary>All series, in ordinal order, so that what is computed from them does not depend on who came first.</summary>
    public IReadOnlyList<SeriesVolume> Series => [.. _series.Values.OrderBy(s => s.Series, StringComparer.Ordinal)];

    public int Count => _series.Count;

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
        var oldest = range.To / Instant.Hour - HourCounts.HoursKept;
        HashSet<long> unknown = [.. _unknown.Where(hour => hour > oldest)];
        for (var hour = Math.Max(oldest + 1, range.From / Instant.Hour); hour * Instant.Hour < range.To; hour++)
        {
            if (range.Clip(new(hour * Instant.Hour, (hour + 1) * Instant.Hour)).Length > UnwatchedMax)
            {
                unknown.Add(hour);
            }
        }
        _unknown = unknown;
    }

    /// <summary>Reads the closed hours before <paramref name="now"/> into a buffer; see <see cref="HourlyHistory"/>.</summary>
    public HourlyHistory Read(SeriesVolume series, long now, Span<int> into) => series.Read(now, into, _unknown);

    /// <summary>
    /// Drops the series that have had no sample for as long as anything is kept, and those counted far ahead, by a clock that was wrong then:
    /// they would hold off every true count until that day comes.
    /// </summary>
    /// <returns>How many were dropped.</returns>
    public int Trim(long now)
    {
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
    /// Layout: sealed payload "FTVH", deflated: saved-at i64 · unknown hours (count, then each) · series (count, then each: name, first time i64,
    /// first hour + 1, hours, count of each). Numbers are 7-bit encoded where no width is given, texts as BinaryWriter writes them.
    /// </summary>
    /// <param name="now">Until when it has been counting; a reader marks the time since as a gap.</param>
    public void Save(Stream to, long now)
    {
        using var payload = new MemoryStream();
        using (var writer = new BinaryWriter(new DeflateStream(payload, CompressionLevel.Fastest, leaveOpen: true), Encoding.UTF8))
        {
            writer.Write(now);
            var unknown = _unknown;
            writer.Write7BitEncodedInt(unknown.Count);
            foreach (var hour in unknown.Order())
            {
                writer.Write7BitEncodedInt64(hour);
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
        var payload = SealedPayload.Read(from, Magic, FormatVersion, out _);
        using var reader = new BinaryReader(new DeflateStream(new MemoryStream(payload.ToArray()), CompressionMode.Decompress), Encoding.UTF8);
        try
        {
            savedAt = reader.ReadInt64();
            var history = new VolumeHistory();
            HashSet<long> unknown = [];
            for (var left = reader.Read7BitEncodedInt(); left > 0; left--)
            {
                unknown.Add(reader.Read7BitEncodedInt64());
            }
            history._unknown = unknown;
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

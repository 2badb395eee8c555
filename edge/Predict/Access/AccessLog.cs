using System.IO.Compression;
using System.Text;
using Foretier.Core.Samples;
using Foretier.Predict.Volume;

namespace Foretier.Predict.Access;

/// <summary>
/// Which series were asked for, at which step, how often an hour: kept for 30 days and for a bounded number of (series, step), of which the
/// one that has gone unread longest makes room. Thread-safe; its owner saves and loads it.
/// </summary>
public sealed class AccessLog(int keysMax = AccessLog.KeysMaxDefault)
{
    public const int KeysMaxDefault = 20_000;

    private const byte FormatVersion = 1;

    /// <summary>Recent reads count for more: a read is worth 1/e after this long.</summary>
    private const double FadeHours = 28 * 24;

    private const long AheadMax = 48;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, SortedList<long, HourCounts>> _reads = new(StringComparer.Ordinal);
    private int _keys;
    private long _since = long.MaxValue;

    private static ReadOnlySpan<byte> Magic => "FTAL"u8;

    /// <summary>When the first read was logged, µs; <see cref="long.MaxValue"/> before that.</summary>
    public long Since
    {
        get
        {
            lock (_lock)
            {
                return _since;
            }
        }
    }

    /// <param name="step">The step that was asked for, µs; 0 for raw samples.</param>
    /// <param name="time">When it was asked, µs.</param>
    public void Record(string series, long step, long time, int count = 1)
    {
        if (count <= 0 || time < Instant.Earliest || step < 0)
        {
            return;
        }
        lock (_lock)
        {
            if (!_reads.TryGetValue(series, out var steps))
            {
                _reads[series] = steps = new(1);
            }
            if (!steps.TryGetValue(step, out var counts))
            {
                if (_keys >= keysMax)
                {
                    DropStalest(series);
                }
                steps[step] = counts = new();
                _keys++;
            }
            var hour = time / Instant.Hour;
            if (counts.Last > hour + AheadMax)
            {
                // Counted by a clock that was wrong then: it would hold off every true read until its day comes.
                steps[step] = counts = new();
            }
            counts.Add(hour, count);
            _since = Math.Min(_since, time);
        }
    }

    /// <summary>
    /// Reads a day to expect of a series, by its reads so far, recent ones counting for more (EWMA over 28 days). A log younger than a day
    /// is taken to be a day old.
    /// </summary>
    /// <param name="step">Only reads at this step, µs; null for all.</param>
    public double ReadsPerDay(string series, long now, long? step = null)
    {
        lock (_lock)
        {
            if (!_reads.TryGetValue(series, out var steps))
            {
                return 0;
            }
            var hour = now / Instant.Hour;
            var watched = Watched(hour);
            var reads = 0.0;
            foreach (var (each, counts) in steps)
            {
                reads += step is null || each == step ? Faded(counts, hour) : 0;
            }
            return reads / watched * 24;
        }
    }

    /// <summary>The steps at which a series was read, with the reads a day to expect, ascending by step (0 = raw).</summary>
    public IReadOnlyList<(long Step, double ReadsPerDay)> StepsOf(string series, long now)
    {
        lock (_lock)
        {
            var hour = now / Instant.Hour;
            return _reads.TryGetValue(series, out var steps)
                ? [.. steps.Select(s => (s.Key, Faded(s.Value, hour) / Watched(hour) * 24))]
                : [];
        }
    }

    private double Watched(long hour)
    {
        // The integral of the fading weight over the time the log has run, in hours.
        var hours = Math.Clamp(hour - _since / Instant.Hour + 1, 24, HourCounts.HoursKept);
        return FadeHours * (1 - Math.Exp(-hours / FadeHours));
    }

    private static double Faded(HourCounts counts, long hour)
    {
        var sum = 0.0;
        for (var h = Math.Max(counts.First, hour - HourCounts.HoursKept + 1); h <= Math.Min(hour, counts.Last); h++)
        {
            var count = counts[h];
            sum += count == 0 ? 0 : count * Math.Exp((h - hour) / FadeHours);
        }
        return sum;
    }

    /// <summary>Called under the lock. Makes room for an eighth more than one, so that a full log does not search at each new key.</summary>
    private void DropStalest(string except)
    {
        var stalest = _reads.SelectMany(r => r.Value.Select(s => (Series: r.Key, Step: s.Key, s.Value.Last)))
            .OrderBy(k => k.Last).ThenBy(k => k.Series, StringComparer.Ordinal).ThenBy(k => k.Step).Take(Math.Max(1, keysMax / 8)).ToList();
        foreach (var (series, step, _) in stalest)
        {
            _reads[series].Remove(step);
            _keys--;
            if (_reads[series].Count == 0 && series != except)
            {
                _reads.Remove(series);
            }
        }
    }

    /// <summary>
    /// Layout: sealed payload "FTAL", deflated: since i64 · keys, then for each: series, step, first hour + 1, hours, count of each.
    /// Numbers are 7-bit encoded where no width is given.
    /// </summary>
    public void Save(Stream to)
    {
        using var payload = new MemoryStream();
        using (var writer = new BinaryWriter(new DeflateStream(payload, CompressionLevel.Fastest, leaveOpen: true), Encoding.UTF8))
        {
            lock (_lock)
            {
                writer.Write(_since);
                writer.Write7BitEncodedInt(_keys);
                foreach (var (series, steps) in _reads.OrderBy(r => r.Key, StringComparer.Ordinal))
                {
                    foreach (var (step, counts) in steps)
                    {
                        writer.Write(series);
                        writer.Write7BitEncodedInt64(step);
                        counts.Save(writer);
                    }
                }
            }
        }
        SealedPayload.Write(to, Magic, FormatVersion, payload.GetBuffer().AsSpan(0, (int)payload.Length));
    }

    /// <exception cref="InvalidDataException">The bytes are not an access log, or are damaged; the message says in what way.</exception>
    public static AccessLog Load(Stream from, int keysMax = KeysMaxDefault)
    {
        var payload = SealedPayload.Read(from, Magic, FormatVersion, out _);
        using var reader = new BinaryReader(new DeflateStream(new MemoryStream(payload.ToArray()), CompressionMode.Decompress), Encoding.UTF8);
        try
        {
            var log = new AccessLog(keysMax) { _since = reader.ReadInt64() };
            for (var left = reader.Read7BitEncodedInt(); left > 0; left--)
            {
                var series = reader.ReadString();
                if (!log._reads.TryGetValue(series, out var steps))
                {
                    log._reads[series] = steps = new(1);
                }
                steps[reader.Read7BitEncodedInt64()] = HourCounts.Load(reader);
                log._keys++;
            }
            return log;
        }
        catch (Exception e) when (e is EndOfStreamException or FormatException)
        {
            throw new InvalidDataException("the content ends early or does not follow its layout", e);
        }
    }
}

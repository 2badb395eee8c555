using Foretier.Core.Query;
using Foretier.Core.Samples;

namespace Foretier.Predict.Access;

/// <summary>
/// Which series were asked for, at which step, over what stretch of time, how often an hour. Bounded twice: in the number of
/// (series, step, shape) and in bytes; where either is reached, what has gone unread longest makes room. Thread-safe; its owner saves and loads it.
/// </summary>
/// <remarks>A key costs at most <see cref="ReadHours.BytesMax"/> + <see cref="KeyBytes"/> bytes and remembers up to 400 days.</remarks>
public sealed partial class AccessLog(int keysMax = AccessLog.KeysMaxDefault, long bytesMax = AccessLog.BytesMaxDefault)
{
    public const int KeysMaxDefault = 20_000;
    public const long BytesMaxDefault = 8 << 20;

    /// <summary>What a key is taken to cost besides its reads: an object, an array's header, its place in the dictionary.</summary>
    internal const int KeyBytes = 144;

    /// <summary>Recent reads count for more: a read is worth 1/e after this long.</summary>
    private const double FadeHours = 28 * 24;

    /// <summary>Reads older than this are worth so little that they are left out, hours.</summary>
    private const long FadeHoursMax = 30 * 24;

    private const long AheadMax = 48;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, SortedList<ReadKey, ReadHours>> _reads = new(StringComparer.Ordinal);
    private int _keys;
    private long _bytes;
    private long _since = long.MaxValue;

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

    /// <summary>How many (series, step, shape) are kept.</summary>
    public int Keys
    {
        get
        {
            lock (_lock)
            {
                return _keys;
            }
        }
    }

    /// <summary>What they take in memory, bytes, as it is bounded: names of series not counted.</summary>
    public long Bytes
    {
        get
        {
            lock (_lock)
            {
                return _bytes;
            }
        }
    }

    /// <summary>A read whose range nobody noted.</summary>
    /// <inheritdoc cref="Record(string, long, ReadShape, long, int, long?)"/>
    public void Record(string series, long step, long time, int count = 1) => Record(series, step, ReadShape.Unknown, time, count);

    /// <param name="series">Its name.</param>
    /// <param name="step">The step that was asked for, µs; 0 for raw samples.</param>
    /// <param name="shape">The stretch of time that was asked for.</param>
    /// <param name="time">When it was asked, µs.</param>
    /// <param name="count">How often.</param>
    /// <param name="now">Where that is told late: what time it is now, µs.</param>
    public void Record(string series, long step, ReadShape shape, long time, int count = 1, long? now = null)
    {
        if (count <= 0 || time < Instant.Earliest || step < 0)
        {
            return;
        }
        lock (_lock)
        {
            if (!_reads.TryGetValue(series, out var keys))
            {
                _reads[series] = keys = new(1);
            }
            var key = new ReadKey(step, shape);
            if (!keys.TryGetValue(key, out var hours))
            {
                if (_keys >= keysMax)
                {
                    DropStalest(series);
                }
                keys[key] = hours = new();
                _keys++;
                _bytes += KeyBytes;
            }
            var hour = time / Instant.Hour;
            if (hours.Last > Math.Max(hour, now / Instant.Hour ?? 0) + AheadMax)
            {
                // Counted by a clock that was wrong then: it would hold off every true read until its day comes.
                _bytes -= hours.Bytes;
                keys[key] = hours = new();
            }
            _bytes -= hours.Bytes;
            hours.Add(hour, count);
            _bytes += hours.Bytes;
            _since = Math.Min(_since, time);
            while (_bytes > bytesMax && _keys > 1)
            {
                DropStalest(series);
            }
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
            if (!_reads.TryGetValue(series, out var keys))
            {
                return 0;
            }
            var hour = now / Instant.Hour;
            var reads = 0.0;
            foreach (var (key, hours) in keys)
            {
                reads += step is null || key.Step == step ? Faded(hours, hour) : 0;
            }
            return reads / Watched(hour) * 24;
        }
    }

    /// <summary>The steps at which a series was read, with the reads a day to expect, ascending by step (0 = raw).</summary>
    public IReadOnlyList<(long Step, double ReadsPerDay)> StepsOf(string series, long now)
    {
        lock (_lock)
        {
            var hour = now / Instant.Hour;
            return _reads.TryGetValue(series, out var keys)
                ? [.. keys.GroupBy(k => k.Key.Step).Select(s => (s.Key, s.Sum(k => Faded(k.Value, hour)) / Watched(hour) * 24))]
                : [];
        }
    }

    /// <summary>A copy of all that is kept, by series name, step and shape.</summary>
    public IReadOnlyList<ReadSeries> Snapshot()
    {
        lock (_lock)
        {
            return [.. _reads.OrderBy(r => r.Key, StringComparer.Ordinal)
                .SelectMany(r => r.Value.Select(k => new ReadSeries(r.Key, k.Key.Step, k.Key.Shape, k.Value.All())))];
        }
    }

    /// <summary>A copy of all that is kept, each with the reads a day to expect by EWMA over 28 days.</summary>
    public IReadOnlyList<(ReadSeries Reads, double ReadsPerDay)> Averages(long now)
    {
        lock (_lock)
        {
            var hour = now / Instant.Hour;
            var watched = Watched(hour);
            return [.. _reads.OrderBy(r => r.Key, StringComparer.Ordinal).SelectMany(r => r.Value.Select(k =>
                (new ReadSeries(r.Key, k.Key.Step, k.Key.Shape, k.Value.All()), Faded(k.Value, hour) / watched * 24)))];
        }
    }

    private double Watched(long hour)
    {
        // The integral of the fading weight over the time the log has run, in hours.
        var hours = Math.Clamp(hour - _since / Instant.Hour + 1, 24, FadeHoursMax);
        return FadeHours * (1 - Math.Exp(-hours / FadeHours));
    }

    private static double Faded(ReadHours hours, long now)
    {
        if (hours.Last <= now - FadeHoursMax)
        {
            return 0;
        }
        var sum = 0.0;
        foreach (var (hour, count) in hours.All())
        {
            sum += hour > now - FadeHoursMax && hour <= now ? count * Math.Exp((hour - now) / FadeHours) : 0;
        }
        return sum;
    }

    /// <summary>Called under the lock. Makes room for an eighth more than one, so that a full log does not search at each new key.</summary>
    private void DropStalest(string except)
    {
        var stalest = _reads.SelectMany(r => r.Value.Select(k => (Series: r.Key, k.Key, k.Value.Last)))
            .OrderBy(k => k.Last).ThenBy(k => k.Series, StringComparer.Ordinal).ThenBy(k => k.Key).Take(Math.Max(1, Math.Min(keysMax, _keys) / 8)).ToList();
        foreach (var (series, key, _) in stalest)
        {
            _reads[series].Remove(key, out var hours);
            _keys--;
            _bytes -= KeyBytes + hours!.Bytes;
            if (_reads[series].Count == 0 && series != except)
            {
                _reads.Remove(series);
            }
        }
    }

    private readonly record struct ReadKey(long Step, ReadShape Shape) : IComparable<ReadKey>
    {
        public int CompareTo(ReadKey other) => Step != other.Step ? Step.CompareTo(other.Step) : Shape.Value.CompareTo(other.Shape.Value);
    }
}

/// <summary>How often a series was read at one step and over one stretch of time.</summary>
/// <param name="Step">µs; 0 for raw samples.</param>
/// <param name="Hours">Hours since 1970 that have reads, ascending, with how many.</param>
public sealed record ReadSeries(string Series, long Step, ReadShape Shape, IReadOnlyList<(long Hour, int Count)> Hours);

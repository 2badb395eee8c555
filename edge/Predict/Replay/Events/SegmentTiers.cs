namespace Foretier.Predict.Replay.Events;

/// <summary>What a read found.</summary>
/// <param name="IsHot">All of it was on the fast tier.</param>
/// <param name="Bytes">What it asked for, and how much of that was there.</param>
/// <param name="Buckets">Closed rollup buckets it asked for, and how many of them had been built before.</param>
/// <param name="Seconds">How long it took; <c>FlashSeconds</c>: with all it asked for built and on the fast tier.</param>
internal readonly record struct ReadFound(bool IsHot, double Bytes, double HotBytes, double Buckets, double BuiltBuckets, double Seconds, double FlashSeconds);

/// <summary>
/// Where every segment (a series' UTC day at a resolution) is in a replay, and what it cost to bring it there. Raw samples of today are on the
/// fast tier as they are written, of the last days also on the gateway, and of all days in the archive. A rollup exists once built, stays on the
/// gateway when it leaves the fast tier, and is deleted there once it has gone unread for its time to live.
/// </summary>
internal sealed class SegmentTiers
{
    private const int WholeDay = 86_400;

    private readonly EventTrace _trace;
    private readonly double[] _rawToday;
    private readonly float[] _raw;
    private readonly double[] _sums;
    private readonly bool[] _isHot;
    private readonly int[] _builtUntil;
    private readonly int[] _usedAt;
    private readonly int[] _builtAhead;
    private readonly bool _allRollups;

    /// <param name="allRollups">Every rollup is built as samples come, and kept wherever its samples are.</param>
    public SegmentTiers(EventTrace trace, double capacity, bool allRollups)
    {
        (_trace, Capacity, _allRollups) = (trace, capacity, allRollups);
        var units = trace.Series.Count * Resolutions.Count * trace.Days;
        (_isHot, _builtUntil, _usedAt, _builtAhead) = (new bool[units], new int[units], new int[units], new int[units]);
        _raw = new float[trace.Series.Count * trace.Days];
        _rawToday = new double[trace.Series.Count];
        _sums = new double[trace.Series.Count * Resolutions.Count * (trace.Days + 1)];
    }

    public double Capacity { get; }
    public double Used { get; private set; }

    /// <summary>Days since the trace began.</summary>
    public int Today { get; private set; }

    /// <summary>Hours since the trace began.</summary>
    public int Hour { get; private set; }

    public TierCount Count { get; private set; } = new();

    /// <summary>Seconds a rollup may go unread.</summary>
    public int TimeToLiveHours { get; init; } = 7 * 24;

    public int UnitOf(int series, int resolution, int day) => (series * Resolutions.Count + resolution) * _trace.Days + day;

    public bool IsHot(int series, int resolution, int day) => _isHot[UnitOf(series, resolution, day)];

    /// <summary>Moves made so far were part of getting started.</summary>
    public void BeginCount() => Count = new();

    /// <summary>A series' day at a resolution, bytes as of now.</summary>
    public double SizeOf(int series, int resolution, int day) => Resolutions.BytesOf(resolution, RawOn(series, day));

    /// <summary>The same of closed and open days from one to another, the second not included.</summary>
    public double SizeOf(int series, int resolution, int from, int until)
    {
        var at = (series * Resolutions.Count + resolution) * (_trace.Days + 1);
        var (first, last) = (Math.Clamp(from, 0, Today), Math.Clamp(until, 0, Today));
        return _sums[at + last] - _sums[at + first] + (until > Today && from <= Today ? SizeOf(series, resolution, Today) : 0);
    }

    /// <summary>An hour begins; where it is a day's first, yesterday is closed.</summary>
    public void BeginHour(int hour)
    {
        if (hour / 24 != Today)
        {
            CloseDay();
            Today = hour / 24;
            Array.Clear(_rawToday);
        }
        Hour = hour;
    }

    /// <summary>What the hour brings, once policies have decided without knowing it.</summary>
    public void WriteHour()
    {
        for (var series = 0; series < _rawToday.Length; series++)
        {
            if (_trace.SamplesIn(series, Hour) is var samples and > 0)
            {
                var before = SizeOf(series, 0, Today);
                _rawToday[series] += samples * Resolutions.SampleBytes;
                Count.Ingested += samples * Resolutions.SampleBytes;
                var unit = UnitOf(series, 0, Today);
                Used += SizeOf(series, 0, Today) - (_isHot[unit] ? before : 0);
                _isHot[unit] = true;
                for (var resolution = 1; resolution < Resolutions.Count; resolution++)
                {
                    if (_isHot[UnitOf(series, resolution, Today)])
                    {
                        Used += SizeOf(series, resolution, Today) - Resolutions.BytesOf(resolution, before);
                    }
                }
            }
        }
    }

    /// <summary>Puts a segment on the fast tier; a rollup is built if it is not there, and from then on grows with its day.</summary>
    /// <param name="isAhead">Before anybody asked for it.</param>
    public void Promote(int series, int resolution, int day, bool isAhead)
    {
        var unit = UnitOf(series, resolution, day);
        var until = day < Today ? WholeDay : isAhead ? int.MaxValue : Hour % 24 * 3_600;
        if (resolution > 0 && (_allRollups ? _builtUntil[unit] == 0 : !Exists(unit)))
        {
            Count.Built += isAhead ? 1 : 0;
            _builtAhead[unit] = isAhead ? Hour + 1 : 0;
            _builtUntil[unit] = until;
            _usedAt[unit] = Hour;
        }
        _builtUntil[unit] = Math.Max(_builtUntil[unit], until);
        if (!_isHot[unit])
        {
            _isHot[unit] = true;
            var size = SizeOf(series, resolution, day);
            Used += size;
            Count.Promotions++;
            Count.MovedBytes += size;
        }
    }

    /// <summary>Takes it off the fast tier; raw samples of today stay.</summary>
    public void Demote(int series, int resolution, int day)
    {
        var unit = UnitOf(series, resolution, day);
        if (_isHot[unit] && (resolution > 0 || day != Today))
        {
            _isHot[unit] = false;
            var size = SizeOf(series, resolution, day);
            Used -= size;
            Count.Demotions++;
            Count.MovedBytes += size;
            Count.RollupByteHours += resolution > 0 ? size * TimeToLiveHours : 0;
            // What was kept growing for its day stops here.
            _builtUntil[unit] = _builtUntil[unit] == int.MaxValue ? day < Today ? WholeDay : Hour % 24 * 3_600 : _builtUntil[unit];
        }
    }

    /// <summary>Answers a read.</summary>
    /// <param name="missed">Told of each day that was not there.</param>
    public ReadFound Read(in TraceRead read, Action<int>? missed = null)
    {
        var (first, last) = DaysOf(read);
        var (bytes, hot, buckets, built) = (0.0, 0.0, 0.0, 0.0);
        var (parts, days) = (new ReadParts(), 0);
        var isHot = true;
        for (var day = first; day <= last; day++)
        {
            var begin = _trace.Start + day * 86_400L;
            var (from, to) = (Math.Max(0, read.From - begin), Math.Min(WholeDay, Math.Min(read.To, read.Time) - begin));
            var raw = RawOn(read.Series, day) * (to - from) / (day == Today ? Math.Max(3_600, Hour % 24 * 3_600 + 3_600) : WholeDay);
            var asked = Resolutions.BytesOf(read.Resolution, RawOn(read.Series, day)) * (to - from) / WholeDay;
            if (to <= from || raw <= 0)
            {
                continue;
            }
            var unit = UnitOf(read.Series, read.Resolution, day);
            var share = read.Resolution == 0 ? 1 : BuiltShare(read.Resolution, unit, from, to, ref buckets, ref built);
            var isThere = _isHot[unit] && share >= 1;
            (bytes, days) = (bytes + asked, days + 1);
            hot += _isHot[unit] ? asked * share : 0;
            if (!isThere)
            {
                isHot = false;
                missed?.Invoke(day);
            }
            if (share > 0 && read.Resolution > 0)
            {
                Use(unit);
            }
            Take(ref parts, read.Resolution, unit, day, asked * share, read.Resolution == 0 ? 0 : raw * (1 - share), UnitOf(read.Series, 0, day));
        }
        return new(isHot, bytes, hot, buckets, built, TierModel.Seconds(parts), TierModel.Seconds(new(days, bytes, 0, 0, 0, 0, 0)));
    }

    /// <summary>The days a read touches of which there may be data; none: the second is before the first.</summary>
    public (int First, int Last) DaysOf(in TraceRead read)
    {
        var last = (Math.Min(read.To, read.Time) - 1 - _trace.Start) / 86_400;
        return ((int)Math.Max(0, (read.From - _trace.Start) / 86_400), (int)Math.Min(Today, last));
    }

    public bool Exists(int unit) => _allRollups || (_builtUntil[unit] > 0 && (_isHot[unit] || Hour - _usedAt[unit] <= TimeToLiveHours));

    /// <summary>What the fast tier would have to read instead, were a stretch of days not on it: seconds of a read of all of it.</summary>
    public double SavedSeconds(int series, int resolution, int from, int until)
    {
        var days = Math.Max(1, Math.Min(Today + 1, until) - Math.Max(0, from));
        var (size, raw) = (SizeOf(series, resolution, from, until), SizeOf(series, 0, from, until));
        var isOld = Today - from > TierModel.HddDays;
        var without = isOld ? new ReadParts(0, 0, 0, 0, days, raw, 0) : new ReadParts(0, 0, days, raw, 0, 0, 0);
        return TierModel.Seconds(without with { ScanBytes = resolution > 0 ? raw : 0 }) - TierModel.Seconds(new(days, size, 0, 0, 0, 0, 0));
    }

    private double RawOn(int series, int day) => day == Today ? _rawToday[series] : _raw[series * _trace.Days + day];

    /// <summary>The share of the closed buckets asked for that had been built.</summary>
    private double BuiltShare(int resolution, int unit, long from, long to, ref double buckets, ref double built)
    {
        var step = Resolutions.SecondsOf(resolution);
        // Buckets that are not over yet are answered from memory by everybody.
        var closed = to / step - from / step;
        if (closed <= 0)
        {
            return 1;
        }
        var there = _allRollups ? closed : Exists(unit) ? Math.Clamp(_builtUntil[unit] / step - from / step, 0, closed) : 0;
        (buckets, built) = (buckets + closed, built + there);
        return (double)there / closed;
    }

    private void Use(int unit)
    {
        if (_builtAhead[unit] > 0 && Hour - (_builtAhead[unit] - 1) <= TimeToLiveHours)
        {
            Count.BuiltAndRead++;
            _builtAhead[unit] = 0;
        }
        _usedAt[unit] = Hour;
    }

    private void Take(ref ReadParts parts, int resolution, int unit, int day, double bytes, double raw, int rawUnit)
    {
        var isNear = Today - day < TierModel.HddDays;
        if (_isHot[unit])
        {
            parts.SsdSegments++;
            parts.SsdBytes += bytes;
        }
        else if (bytes > 0)
        {
            // A rollup that was built lies on the gateway, whatever the age of its samples.
            var isOnHdd = isNear || (resolution > 0 && !_allRollups);
            (parts.HddSegments, parts.HddBytes) = (parts.HddSegments + (isOnHdd ? 1 : 0), parts.HddBytes + (isOnHdd ? bytes : 0));
            (parts.ArchiveSegments, parts.ArchiveBytes) = (parts.ArchiveSegments + (isOnHdd ? 0 : 1), parts.ArchiveBytes + (isOnHdd ? 0 : bytes));
        }
        if (raw <= 0)
        {
            return;
        }
        parts.ScanBytes += raw;
        (parts.SsdSegments, parts.SsdBytes) = (parts.SsdSegments + (_isHot[rawUnit] ? 1 : 0), parts.SsdBytes + (_isHot[rawUnit] ? raw : 0));
        if (!_isHot[rawUnit])
        {
            (parts.HddSegments, parts.HddBytes) = (parts.HddSegments + (isNear ? 1 : 0), parts.HddBytes + (isNear ? raw : 0));
            (parts.ArchiveSegments, parts.ArchiveBytes) = (parts.ArchiveSegments + (isNear ? 0 : 1), parts.ArchiveBytes + (isNear ? 0 : raw));
        }
    }

    private void CloseDay()
    {
        for (var series = 0; series < _rawToday.Length; series++)
        {
            _raw[series * _trace.Days + Today] = (float)_rawToday[series];
            for (var resolution = 0; resolution < Resolutions.Count; resolution++)
            {
                var at = (series * Resolutions.Count + resolution) * (_trace.Days + 1) + Today;
                var size = Resolutions.BytesOf(resolution, _raw[series * _trace.Days + Today]);
                _sums[at + 1] = _sums[at] + size;
                Count.AllRollupBytes += resolution > 0 ? size : 0;
                var unit = UnitOf(series, resolution, Today);
                if (_builtUntil[unit] == int.MaxValue)
                {
                    _builtUntil[unit] = WholeDay;
                }
                if (_isHot[unit])
                {
                    Used += size - Resolutions.BytesOf(resolution, _rawToday[series]);
                }
            }
        }
    }
}

/// <summary>What it cost a policy, since the count began.</summary>
internal sealed class TierCount
{
    public long Promotions;
    public long Demotions;
    public double MovedBytes;
    public double Ingested;
    public long Built;
    public long BuiltAndRead;
    public double RollupByteHours;
    public double AllRollupBytes;
}

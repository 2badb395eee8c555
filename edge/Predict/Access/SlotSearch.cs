namespace Foretier.Predict.Access;

/// <summary>
/// Looks for hours that come again: every day first, then on weekdays, then on days of the month, each in what the ones before do not explain.
/// </summary>
internal sealed class SlotSearch
{
    private const int DaysSeen = 21;
    private const int WeeksSeen = 13;
    private const int MonthsSeen = 13;

    /// <summary>How much a run counts less than the one after it.</summary>
    private const double Fade = 0.85;

    /// <summary>How likely it may be that reads at random, as many as there are, would look like that anywhere.</summary>
    private const double ChanceMax = 0.02;

    /// <summary>Somebody who reads in so many hours is not judged by chance any more: it is expected most of the time anyway.</summary>
    private const double DensityMax = 0.1;

    /// <summary>After so many of its usual pauses without a run it has stopped.</summary>
    private const int PausesMax = 3;

    /// <summary>Reads by day and hour of the local clock; two hours of a day that the clocks repeat are one.</summary>
    private readonly Dictionary<LocalHour, int> _reads;
    private readonly List<ReaderSlot> _slots = [];
    private readonly LocalHour _now;
    private readonly long _first;

    /// <summary>Slots whose reads are left out already.</summary>
    private int _settled;

    /// <summary>The share of hours that have reads, theirs or of the hour after.</summary>
    private readonly double _density;

    public SlotSearch(IReadOnlyList<(long Hour, int Count)> reads, long now, TimeZoneInfo zone)
    {
        _now = LocalHour.Of(now, zone);
        _reads = new(reads.Count);
        foreach (var (hour, count) in reads)
        {
            var local = LocalHour.Of(hour, zone);
            _reads[local] = _reads.GetValueOrDefault(local) + count;
        }
        _first = LocalHour.Of(reads[0].Hour, zone).Day;
        _density = Math.Min(DensityMax, 2.0 * reads.Count / Math.Max(24, now - reads[0].Hour));
    }

    public List<ReaderSlot> Find()
    {
        foreach (var hour in _reads.Keys.Where(l => l.Day >= _now.Day - DaysSeen).Select(l => l.Hour).Distinct().Order().ToList())
        {
            Consider(new(hour, -1, 0, 0, 0), 4, 24, Enumerable.Range(0, DaysSeen).Select(back => LastDue(hour) - back));
        }
        Explain();
        foreach (var (weekday, hour) in _reads.Keys.Where(l => l.Day >= _now.Day - 7 * WeeksSeen).Select(l => (l.Weekday, l.Hour)).Distinct().Order().ToList())
        {
            var last = LastDue(hour);
            last -= (new LocalHour(last, 0).Weekday - weekday + 7) % 7;
            Consider(new(hour, weekday, 0, 0, 0), 3, 168, Enumerable.Range(0, WeeksSeen).Select(back => last - 7L * back));
        }
        Explain();
        // The last day first: it explains a 30th and a 31st together.
        foreach (var hour in _reads.Keys.Where(l => l.IsLastDay).Select(l => l.Hour).Distinct().Order().ToList())
        {
            Consider(new(hour, -1, ReaderSlot.LastDay, 0, 0), 2, 24, Months(ReaderSlot.LastDay, hour));
        }
        Explain();
        foreach (var (day, hour) in _reads.Keys.Select(l => (l.DayOfMonth, l.Hour)).Distinct().Order().ToList())
        {
            Consider(new(hour, -1, day, 0, 0), 2, 24 * 31, Months(day, hour));
        }
        Explain();
        return _slots;
    }

    /// <summary>The last day on which a run at an hour would be over, be it late.</summary>
    private long LastDue(int hour) => _now.Hour > hour + 1 ? _now.Day : _now.Day - 1;

    private IEnumerable<long> Months(int dayOfMonth, int hour)
    {
        var month = new DateOnly(_now.Date.Year, _now.Date.Month, 1);
        for (var back = 0; back < MonthsSeen; back++, month = month.AddMonths(-1))
        {
            var length = DateTime.DaysInMonth(month.Year, month.Month);
            var day = LocalHour.DayOf(month.AddDays(Math.Min(dayOfMonth, length) - 1));
            if (day <= LastDue(hour) && (dayOfMonth <= length || dayOfMonth == ReaderSlot.LastDay))
            {
                yield return day;
            }
        }
    }

    /// <summary>Takes a slot in where it was met often enough on the days it was due, newest first, and not by chance.</summary>
    private void Consider(ReaderSlot slot, int min, int tries, IEnumerable<long> due)
    {
        var (hits, weights, weight, found, asked, reads) = (0.0, 0.0, 1.0, 0, 0, 0.0);
        var (met, missed) = (new int[7], new int[7]);
        foreach (var day in due.TakeWhile(day => day >= _first))
        {
            var count = ReadsAt(day, slot.Hour);
            hits += count > 0 ? weight : 0;
            found += count > 0 ? 1 : 0;
            (count > 0 ? met : missed)[new LocalHour(day, 0).Weekday]++;
            asked++;
            reads += count;
            weights += weight;
            weight *= Fade;
        }
        // A run more that nobody saw: a few that came do not make a certainty.
        var confidence = hits / (weights + 0.3);
        var isByChance = Tail(asked, found, _density) * tries > ChanceMax;
        // What never comes on some weekday is not daily.
        var isOfSomeWeekdays = slot is { Weekday: < 0, DayOfMonth: 0 } && Enumerable.Range(0, 7).Any(d => met[d] == 0 && missed[d] >= 2);
        if (found >= min && confidence >= PeriodicReaders.ConfidenceMin && !isByChance && !isOfSomeWeekdays && !HasStopped(slot))
        {
            _slots.Add(slot with { Confidence = confidence, ReadsPerRun = reads / found });
        }
    }

    /// <summary>A run that began just before the full hour is told in the hour before the others, or after.</summary>
    private int ReadsAt(long day, int hour) =>
        _reads.GetValueOrDefault(new(day, hour)) is var count and > 0 ? count : _reads.GetValueOrDefault(hour == 23 ? new(day + 1, 0) : new(day, hour + 1));

    private bool HasStopped(ReaderSlot slot)
    {
        var days = _reads.Keys.Where(l => l.Day >= _now.Day - 7 * WeeksSeen && (l.Hour == slot.Hour || Before(l).Hour == slot.Hour))
            .Select(l => l.Hour == slot.Hour ? l.Day : Before(l).Day).Distinct().Order().ToList();
        if (slot.DayOfMonth > 0 || days.Count < 3)
        {
            return false;
        }
        var pauses = days.Zip(days.Skip(1), (one, next) => next - one).Order().ToList();
        return LastDue(slot.Hour) - days[^1] > PausesMax * pauses[pauses.Count / 2];
    }

    /// <summary>Whether the hour before it stands for most of the same runs, some of which are late.</summary>
    private bool IsLate(ReaderSlot slot)
    {
        var hour = (slot.Hour + 23) % 24;
        var weekday = slot.Hour > 0 || slot.Weekday < 0 ? slot.Weekday : (slot.Weekday + 6) % 7;
        return _slots.Exists(s => s.Hour == hour && s.Weekday == weekday && s.DayOfMonth == slot.DayOfMonth)
            && _reads.Keys.Count(l => slot.Matches(l) && _reads.ContainsKey(Before(l))) * 2 <= _reads.Keys.Count(slot.Matches);
    }

    private static LocalHour Before(LocalHour local) => local.Hour == 0 ? new(local.Day - 1, 23) : local with { Hour = local.Hour - 1 };

    /// <summary>Leaves out what the slots found so far explain.</summary>
    private void Explain()
    {
        foreach (var late in _slots.Skip(_settled).Where(IsLate).ToList())
        {
            _slots.Remove(late);
        }
        _settled = _slots.Count;
        var explained = new List<LocalHour>();
        foreach (var local in _reads.Keys)
        {
            var before = Before(local);
            if (_slots.Exists(s => s.Matches(local) || (s.Matches(before) && !_reads.ContainsKey(before))))
            {
                explained.Add(local);
            }
        }
        foreach (var local in explained)
        {
            _reads.Remove(local);
        }
    }

    /// <summary>The probability that so many of the tries or more succeed where each does with probability p.</summary>
    private static double Tail(int tries, int successes, double p)
    {
        var (term, sum) = (Math.Pow(1 - p, tries), 0.0);
        for (var k = 0; k <= tries; k++)
        {
            sum += k >= successes ? term : 0;
            term *= (tries - k) / (k + 1.0) * p / (1 - p);
        }
        return sum;
    }
}

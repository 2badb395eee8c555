namespace Foretier.Predict.Volume;

/// <summary>
/// All experts but the model. Those that forecast a single number (SN24, SN168, HoW4, HoD) have it as their P50; P10 and P90 are that number plus
/// the 10th and 90th percentile of the errors they made in the four weeks before: each against what they would have said of that hour (naive
/// ones), or against the mean without it (means). The others are empirical quantiles of hours alike.
/// </summary>
/// <remarks>Deterministic and clock-free. Not thread-safe: it keeps its working space from series to series.</remarks>
internal sealed class BaselineExperts
{
    /// <summary>Below this many errors, or hours alike, a quantile of them says little; then arrivals at random widen it.</summary>
    private const int ErrorsMin = 24;
    private const int AlikeMin = 6;
    private const int AnyWeek = -1;

    /// <summary>The 90th percentile of a normal distribution in standard deviations.</summary>
    private const float Z90 = 1.2816f;

    /// <summary>At least this much of the first hour is taken to have passed (6 minutes), or one early sample would promise a flood.</summary>
    private const double FirstShareMin = 0.1;

    /// <summary>Hours by which <see cref="Expert.Level"/> judges the level, and how many average ones it adds, so that a quiet night is no level.</summary>
    private const int LevelHours = 48;
    private const int LevelPriorHours = 6;
    private const float LevelMin = 0.02f, LevelMax = 5;

    private readonly SeasonalSums _sums = new();
    private readonly float[] _alike = new float[SeriesVolume.HoursRead];
    private readonly float[] _errors = new float[SeriesVolume.HoursRead];
    private readonly float[] _weekErrors = new float[SeriesVolume.HoursRead];
    private int _hours;

    /// <summary>Of the series forecast last: actual less HoW4's mean of each hour of its history, NaN = unknown.</summary>
    public ReadOnlySpan<float> WeekErrors => _weekErrors.AsSpan(0, _hours);

    /// <summary>Of the series forecast last: hours of its history of which the count is known.</summary>
    public int KnownHours => _sums.Known;

    /// <param name="history">Closed hours, oldest first; at most <see cref="SeriesVolume.HoursRead"/> of them.</param>
    /// <param name="slots">Hour of the week of each of them, and of those to forecast.</param>
    /// <param name="into">Reset to as many hours as are to be forecast.</param>
    public void Forecast(in HourlyHistory history, ReadOnlySpan<byte> slots, ExpertBands into)
    {
        _sums.Read(history.Counts, slots);
        _hours = history.Counts.Length;
        _weekErrors.AsSpan(0, _hours).Fill(float.NaN);
        var ahead = slots.Slice(history.Counts.Length, into.Hours);
        if (_sums.Known == 0)
        {
            var pace = Random((float)(history.OpenCount / Math.Max(FirstShareMin, history.OpenShare)));
            for (var expert = Expert.SN24; expert <= Expert.DayKind; expert++)
            {
                into[expert].Fill(pace);
            }
            return;
        }
        Naive(history.Counts, slots, ahead, into);
        Means(history.Counts, slots, ahead, into);
        Empirical(history.Counts, slots, ahead, into);
    }

    private void Naive(ReadOnlySpan<int> counts, ReadOnlySpan<byte> slots, ReadOnlySpan<byte> ahead, ExpertBands into)
    {
        Span<short> week = stackalloc short[LocalHours.OfWeek], day = stackalloc short[24];
        var (low, high, n) = (0f, 0f, 0);
        for (var expert = Expert.SN24; expert <= Expert.SN168; expert++)
        {
            week.Fill(-1);
            day.Fill(-1);
            var errors = 0;
            for (var i = 0; i < counts.Length; i++)
            {
                if (counts[i] >= 0)
                {
                    ref var last = ref expert == Expert.SN24 ? ref day[slots[i] % 24] : ref week[slots[i]];
                    if (last >= 0)
                    {
                        _errors[errors++] = counts[i] - counts[last];
                    }
                    week[slots[i]] = day[slots[i] % 24] = (short)i;
                }
            }
            // Until there is a second week, the errors from day to day stand in for those from week to week.
            if (expert == Expert.SN24 || errors >= ErrorsMin)
            {
                ((low, high), n) = (Spread(errors), errors);
            }
            var bands = into[expert];
            for (var h = 0; h < bands.Length; h++)
            {
                int ofWeek = week[ahead[h]], ofDay = day[ahead[h] % 24];
                var last = expert == Expert.SN168 && ofWeek >= 0 ? ofWeek : ofDay;
                bands[h] = Around(last >= 0 ? counts[last] : _sums.Mean, low, high, n);
            }
        }
    }

    private void Means(ReadOnlySpan<int> counts, ReadOnlySpan<byte> slots, ReadOnlySpan<byte> ahead, ExpertBands into)
    {
        double recent = 0, expected = 0;
        for (var expert = Expert.HoW4; expert <= Expert.HoD; expert++)
        {
            var n = 0;
            for (var i = 0; i < counts.Length; i++)
            {
                if (counts[i] >= 0 && _sums.Known > 1)
                {
                    var error = _sums.ErrorWithout(counts[i], slots[i], expert == Expert.HoW4, out var mean);
                    _errors[n++] = error;
                    if (expert == Expert.HoW4)
                    {
                        _weekErrors[i] = error;
                        recent += i >= counts.Length - LevelHours ? counts[i] : 0;
                        expected += i >= counts.Length - LevelHours ? mean : 0;
                    }
                }
            }
            var (low, high) = Spread(n);
            var bands = into[expert];
            for (var h = 0; h < bands.Length; h++)
            {
                bands[h] = Around(_sums.MeanOf(ahead[h], expert == Expert.HoW4), low, high, n);
            }
            if (expert == Expert.HoW4)
            {
                var prior = LevelPriorHours * _sums.Mean + 0.5;
                var level = (float)Math.Clamp((recent + prior) / (expected + prior), LevelMin, LevelMax);
                for (var h = 0; h < bands.Length; h++)
                {
                    into[Expert.Level][h] = new(bands[h].P10 * level, bands[h].P50 * level, bands[h].P90 * level);
                }
            }
        }
    }

    private void Empirical(ReadOnlySpan<int> counts, ReadOnlySpan<byte> slots, ReadOnlySpan<byte> ahead, ExpertBands into)
    {
        Span<Band> days = into[Expert.Days], lastDays = into[Expert.LastDays], weeks = into[Expert.Weeks], kinds = into[Expert.DayKind];
        var weekAgo = counts.Length - LocalHours.OfWeek;
        for (var h = 0; h < into.Hours; h++)
        {
            int week = ahead[h], day = week % 24, next = (day + 1) % 24, last = (day + 23) % 24;
            // A day on, what depends on the hour of the day alone is the same.
            var isKnown = h >= 24 && ahead[h - 24] % 24 == day;
            days[h] = isKnown ? days[h - 24] : Of(Gather(counts, slots, day, AnyWeek, 0, 0), default);
            lastDays[h] = isKnown ? lastDays[h - 24]
                : Of(Gather(counts, slots, last, AnyWeek, weekAgo, Gather(counts, slots, next, AnyWeek, weekAgo, Gather(counts, slots, day, AnyWeek, weekAgo, 0))), days[h]);
            weeks[h] = Of(Gather(counts, slots, last, (week + LocalHours.OfWeek - 1) % LocalHours.OfWeek, 0,
                Gather(counts, slots, next, (week + 1) % LocalHours.OfWeek, 0, Gather(counts, slots, day, week, 0, 0))), days[h]);
            kinds[h] = isKnown && IsWeekend(ahead[h - 24]) == IsWeekend(week) ? kinds[h - 24] : Of(GatherKind(counts, slots, day, IsWeekend(week)), days[h]);
        }
    }

    private static bool IsWeekend(int week) => week / 24 is 0 or 6;

    /// <summary>Adds the known counts of an hour of the day, of one hour of the week or any, from some hour of the history on, to the <paramref name="n"/> there are.</summary>
    private int Gather(ReadOnlySpan<int> counts, ReadOnlySpan<byte> slots, int day, int week, int from, int n)
    {
        foreach (var i in _sums.HoursOf(day))
        {
            if (i >= from && (week == AnyWeek || slots[i] == week))
            {
                _alike[n++] = counts[i];
            }
        }
        return n;
    }

    private int GatherKind(ReadOnlySpan<int> counts, ReadOnlySpan<byte> slots, int day, bool isWeekend)
    {
        var n = 0;
        foreach (var i in _sums.HoursOf(day))
        {
            if (IsWeekend(slots[i]) == isWeekend)
            {
                _alike[n++] = counts[i];
            }
        }
        return n;
    }

    /// <summary>The quantiles of what was gathered, or <paramref name="instead"/> where that is too little.</summary>
    private Band Of(int n, Band? instead)
    {
        if (n == 0 || (n < AlikeMin && instead is { } other && other != default))
        {
            return instead is { } given && given != default ? given : Random(_sums.Mean);
        }
        var values = _alike.AsSpan(0, n);
        Sort(values);
        var band = new Band(At(values, 0.1f), At(values, 0.5f), At(values, 0.9f));
        return (n < AlikeMin ? band with { P90 = Math.Max(band.P90, Random(band.P50).P90) } : band).Ordered();
    }

    /// <summary>By insertion: they are few, and many of them are the same.</summary>
    private static void Sort(Span<float> values)
    {
        for (var i = 1; i < values.Length; i++)
        {
            var value = values[i];
            var at = i;
            for (; at > 0 && values[at - 1] > value; at--)
            {
                values[at] = values[at - 1];
            }
            values[at] = value;
        }
    }

    private static float At(ReadOnlySpan<float> sorted, float p)
    {
        var at = Math.Clamp(p * (sorted.Length + 1) - 1, 0, sorted.Length - 1);
        var below = (int)at;
        return below + 1 < sorted.Length ? sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]) : sorted[below];
    }

    private (float Low, float High) Spread(int errors) => errors == 0 ? (0, 0)
        : (Quantile.Select(_errors.AsSpan(0, errors), 0.1f), Quantile.Select(_errors.AsSpan(0, errors), 0.9f));

    private static Band Around(float point, float low, float high, int errors)
    {
        var band = new Band(point + low, point, point + Math.Max(0, high)).Ordered();
        return errors >= ErrorsMin ? band : band with { P90 = Math.Max(band.P90, Random(point).P90) };
    }

    /// <summary>What arrivals at random do.</summary>
    private static Band Random(float mean)
    {
        var spread = Z90 * MathF.Sqrt(mean + 0.5f);
        return new Band(mean - spread, mean, mean + spread).Ordered();
    }
}

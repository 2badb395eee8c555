using Foretier.Core.Samples;

namespace Foretier.Predict.Replay;

/// <summary>A query of a workload.</summary>
/// <param name="Time">When it is asked, seconds since 1970.</param>
/// <param name="Series">account/device/measurement.</param>
/// <param name="Step">The resolution that serves it, µs; 0 = raw.</param>
/// <param name="Range">What is asked for.</param>
/// <param name="Count">How often within the hour that begins with it; the range of the first stands for all.</param>
/// <param name="Reader">Whose query it is: dashboard, alert, daily, weekly, monthly or investigation.</param>
public sealed record WorkloadQuery(long Time, string Series, long Step, TimeRange Range, int Count, string Reader);

/// <summary>How large a workload is, and which one of its kind.</summary>
public sealed record WorkloadOptions
{
    /// <summary>Of everything random. Another seed is another site with other people. Default 1.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Accounts at the site. Default 4.</summary>
    public int Accounts { get; init; } = 4;

    /// <summary>Devices of each account, each with two to six measurements. Default 30.</summary>
    public int Devices { get; init; } = 30;

    /// <summary>Days it runs. Default 450: a year to score, and twelve weeks before it.</summary>
    public int Days { get; init; } = 450;

    /// <summary>Its first day. Default 2025-01-01.</summary>
    public DateOnly Start { get; init; } = new(2025, 1, 1);
}

/// <summary>
/// Queries as a site with people sees them, made from a seed: nothing here is recorded from anybody, the mix is this program's assumption.
/// </summary>
/// <remarks>
/// A fleet of accounts in three time zones, whose devices have two to six measurements of the volume shapes of the data this project was
/// measured on: regular samplers, senders on change with a day's wave, event counters with a weekly wave, and radio sensors that fall silent.
/// Their readers:
/// 1. alert rules ask for the last 5 to 15 minutes of one series, every 1 to 5 minutes, day and night; a tenth of them end some day, others begin.
/// 2. dashboards show the last hours or days of a device, refreshed every 10 s to 5 min while somebody looks: on office days, in sessions of
/// minutes to hours, a few on a wall for ever. People look more often where they looked lately.
/// 3. reports: daily (yesterday, by the hour), weekly (last week, by the hour or the day), monthly (last month, by the day), each at its own
/// local time, late by minutes, one run in twenty missed; some are given up and some are new each quarter.
/// 4. investigations: something breaks on a device; for hours to days somebody reads it and its neighbours, raw and by the minute, around an
/// event that may be months old, in bursts; then never again.
/// Every reader keeps its own random numbers, so that leaving one out leaves the others as they were.
/// Who asks the same again and again is one query an hour with a count, as an access log has it.
/// </remarks>
public sealed class QueryWorkload
{
    private const long Minute = 60;
    private const long Hour = 3_600;
    private const long Day = 86_400;

    private static readonly string[] Zones = ["Europe/Berlin", "America/New_York", "Asia/Singapore"];

    private readonly WorkloadOptions _options;
    private readonly long _start;
    private readonly long _end;
    private readonly List<FleetSeries[]> _devices = [];

    public QueryWorkload(WorkloadOptions options)
    {
        if (options.Accounts is < 1 or > 1_000 || options.Devices is < 1 or > 10_000 || options.Days is < 30 or > 4_000)
        {
            throw new ArgumentException("a workload has 1 to 1000 accounts, 1 to 10000 devices each, and runs 30 to 4000 days");
        }
        _options = options;
        _start = new DateTimeOffset(options.Start, TimeOnly.MinValue, TimeSpan.Zero).ToUnixTimeSeconds();
        _end = _start + options.Days * Day;
        var random = new Random(options.Seed);
        for (var account = 0; account < options.Accounts; account++)
        {
            for (var device = 0; device < options.Devices; device++)
            {
                var life = LifeOf(_devices.Count);
                _devices.Add([.. Enumerable.Range(0, random.Next(2, 7)).Select(m => FleetSeries.Make($"acme-{account}/device-{device}/m{m}", random) with { Life = life })]);
            }
        }
    }

    /// <summary>Every series there is, with what it sends.</summary>
    public IEnumerable<FleetSeries> Series => _devices.SelectMany(d => d);

    /// <summary>The time zone an account lives by.</summary>
    public static TimeZoneInfo ZoneOf(string account) =>
        TimeZoneInfo.FindSystemTimeZoneById(Zones[int.Parse(account.AsSpan("acme-".Length), System.Globalization.CultureInfo.InvariantCulture) % Zones.Length]);

    /// <summary>Samples of every series in each hour of the workload, in the order of <see cref="Series"/>. The same options give the same ones.</summary>
    public int[][] Samples() => [.. _devices.SelectMany((device, index) => device.Select((series, m) =>
        series.Hourly(Of(index, 100 + m), _start / Hour, _options.Days * 24, ZoneOf(series.Account))))];

    /// <summary>Its first midnight, seconds since 1970.</summary>
    public long Start => _start;

    /// <summary>All queries, in order of time. The same options give the same ones.</summary>
    public List<WorkloadQuery> Queries()
    {
        var queries = new List<WorkloadQuery>();
        for (var index = 0; index < _devices.Count; index++)
        {
            var device = _devices[index];
            var zone = ZoneOf(device[0].Account);
            Alerts(device, Of(index, 1), queries);
            Dashboards(device, zone, Of(index, 2), queries);
            Reports(device, zone, Of(index, 3), queries);
            Investigations(index, zone, Of(index, 4), queries);
        }
        // A stable order for equal times, so that a replay repeats.
        return [.. queries.OrderBy(q => q.Time)];
    }

    /// <summary>One device in eight is installed while the workload runs, one in fifteen taken away.</summary>
    private (int, int) LifeOf(int device)
    {
        var random = Of(device, 5);
        var hours = _options.Days * 24;
        var from = random.NextDouble() < 1.0 / 8 ? random.Next(hours) : 0;
        return (from, random.NextDouble() < 1.0 / 15 ? from + random.Next(hours) : int.MaxValue);
    }

    private Random Of(int device, int reader) => new(HashCode32(_options.Seed, device, reader));

    private static int HashCode32(int a, int b, int c)
    {
        var hash = 2166136261u;
        foreach (var part in new[] { a, b, c })
        {
            hash = (hash ^ (uint)part) * 16777619u;
            hash ^= hash >> 15;
        }
        return (int)(hash & int.MaxValue);
    }

    private void Add(List<WorkloadQuery> to, long time, FleetSeries series, long step, long back, long length, string reader, int count = 1)
    {
        // Nobody asks for a device before it is there, nor once it is gone.
        if (time >= _start && time < _end && (time - _start) / Hour >= series.Life.From && (time - _start) / Hour < series.Life.Until)
        {
            var from = (time - back) * Instant.Second;
            to.Add(new(time, series.Name, step, new(from, from + length * Instant.Second), count, reader));
        }
    }

    private void Alerts(FleetSeries[] device, Random random, List<WorkloadQuery> to)
    {
        foreach (var series in device)
        {
            // One series in twenty has an alert rule.
            if (random.NextDouble() > 0.05)
            {
                continue;
            }
            var every = random.Next(1, 6) * Minute;
            var back = random.Next(5, 16) * Minute;
            var from = random.NextDouble() < 0.2 ? _start + (long)(random.NextDouble() * (_end - _start)) : _start;
            var until = random.NextDouble() < 0.1 ? from + (long)(random.NextDouble() * (_end - from)) : _end;
            for (var time = from + random.Next(60); time < until; time += Hour)
            {
                Add(to, time, series, 0, back, back, "alert", (int)(Hour / every));
            }
        }
    }

    private void Dashboards(FleetSeries[] device, TimeZoneInfo zone, Random random, List<WorkloadQuery> to)
    {
        // What is on the device's page, at which step and over how long: hours by the minute, days by five, weeks by the hour.
        var (step, back) = random.Next(4) switch
        {
            0 => (Instant.Minute, 6 * Hour),
            1 => (5 * Instant.Minute, Day),
            2 => (Instant.Hour, 7 * Day),
            _ => (0L, Hour),
        };
        var shown = device.Where(_ => random.NextDouble() < 0.7).ToList();
        var isOnWall = random.NextDouble() < 0.02;
        // How often a day somebody opens it: few devices are looked at daily, most hardly ever.
        var interest = isOnWall ? 0 : Math.Exp(random.NextDouble() * 6 - 5);
        if (isOnWall)
        {
            for (var time = _start + random.Next(300); time < _end; time += Hour)
            {
                shown.ForEach(series => Add(to, time, series, step, back, back, "dashboard", 12));
            }
        }
        var warmth = 0.0;
        for (var day = _start; day < _end; day += Day)
        {
            var local = LocalMidnight(day, zone);
            var weekend = WeekdayOf(day) is 0 or 6;
            // Interest wanders over months, and yesterday's look makes today's likelier.
            interest *= Math.Exp((random.NextDouble() - 0.5) * 0.2);
            interest = Math.Clamp(interest, isOnWall ? 0 : 0.002, 6);
            var sessions = Poisson(random, (interest + warmth) * (weekend ? 0.15 : 1.1));
            warmth = warmth * 0.6 + sessions * 0.15;
            for (; sessions > 0; sessions--)
            {
                var begin = local + 8 * Hour + (long)(random.NextDouble() * random.NextDouble() * 11 * Hour);
                var length = (long)(-Math.Log(1 - random.NextDouble()) * 15 * Minute) + Minute;
                var refresh = random.Next(1, 31) * 10;
                for (var left = Math.Min(length, 4 * Hour); left > 0; left -= Hour, begin += Hour)
                {
                    shown.ForEach(series => Add(to, begin, series, step, back, back, "dashboard", (int)Math.Max(1, Math.Min(left, Hour) / refresh)));
                }
            }
        }
    }

    private void Reports(FleetSeries[] device, TimeZoneInfo zone, Random random, List<WorkloadQuery> to)
    {
        foreach (var (kind, share) in new[] { ("daily", 0.15), ("weekly", 0.2), ("monthly", 0.2) })
        {
            var wanted = random.NextDouble() < share;
            var (hour, minute, weekday, dayOfMonth) = (random.Next(0, 9), random.Next(0, 60), random.Next(1, 6), random.Next(1, 6));
            var step = kind == "daily" || (kind == "weekly" && random.NextDouble() < 0.5) ? Instant.Hour : Instant.Day;
            var from = random.NextDouble() < 0.3 ? _start + (long)(random.NextDouble() * (_end - _start)) : _start;
            var until = random.NextDouble() < 0.15 ? from + (long)(random.NextDouble() * (_end - from)) : _end;
            for (var day = _start; day < _end && wanted; day += Day)
            {
                var date = DateTimeOffset.FromUnixTimeSeconds(day);
                var isDue = kind == "daily" || (kind == "weekly" ? WeekdayOf(day) == weekday : date.Day == dayOfMonth);
                var (missed, late) = (random.NextDouble() < 0.05, (long)(-Math.Log(1 - random.NextDouble()) * 3 * Minute));
                if (!isDue || missed || day < from || day >= until)
                {
                    continue;
                }
                var midnight = LocalMidnight(day, zone);
                var time = midnight + hour * Hour + minute * Minute + Math.Min(late, 40 * Minute);
                // Whole local days, weeks from Monday, whole months: what such reports are about.
                var (first, length) = kind switch
                {
                    "daily" => (LocalMidnight(day - Day, zone), Day),
                    "weekly" => (LocalMidnight(day - (WeekdayOf(day) + 6) % 7 * Day - 7 * Day, zone), 7 * Day),
                    _ => (LocalMidnight(new DateTimeOffset(date.Year, date.Month, 1, 0, 0, 0, TimeSpan.Zero).AddMonths(-1).ToUnixTimeSeconds(), zone), 30 * Day),
                };
                foreach (var series in device)
                {
                    Add(to, time, series, step, time - first, length, kind);
                }
            }
        }
    }

    private void Investigations(int index, TimeZoneInfo zone, Random random, List<WorkloadQuery> to)
    {
        // Something worth a look happens to a device once in about eight months.
        for (var at = _start + Wait(random, 240); at < _end; at += Wait(random, 240))
        {
            var days = random.Next(1, 6);
            // Mostly of the last days; now and then of something found out late.
            var old = random.NextDouble() < 0.7 ? Day + random.Next(0, 3) * Day : (long)(random.NextDouble() * 180 * Day) + 7 * Day;
            var neighbours = Enumerable.Range(0, 3).Select(_ => Math.Clamp(index + random.Next(-3, 4), 0, _devices.Count - 1))
                .Where(n => _devices[n][0].Account == _devices[index][0].Account).Append(index).Distinct().ToList();
            for (var day = 0; day < days; day++)
            {
                var morning = LocalMidnight(at + day * Day, zone) + 8 * Hour;
                for (var burst = Poisson(random, 4); burst > 0; burst--)
                {
                    var begin = morning + (long)(random.NextDouble() * 10 * Hour);
                    var device = _devices[neighbours[random.NextDouble() < 0.7 ? neighbours.Count - 1 : random.Next(neighbours.Count)]];
                    var step = random.Next(3) switch { 0 => 0L, 1 => Instant.Minute, _ => 5 * Instant.Minute };
                    var length = random.Next(1, 25) * Hour;
                    for (var query = random.Next(1, 8); query > 0; query--)
                    {
                        foreach (var series in device)
                        {
                            if (random.NextDouble() < 0.6)
                            {
                                Add(to, begin + query * random.Next(20, 90), series, step, begin - at + old, length, "investigation");
                            }
                        }
                    }
                }
            }
        }
    }

    private static long Wait(Random random, int days) => (long)(-Math.Log(1 - random.NextDouble()) * days * Day) + Hour;

    private static int Poisson(Random random, double mean)
    {
        var (limit, product, count) = (Math.Exp(-Math.Min(mean, 30)), random.NextDouble(), 0);
        for (; product > limit; product *= random.NextDouble())
        {
            count++;
        }
        return count;
    }

    /// <summary>When the local day of the same date begins, by the offset at its noon.</summary>
    private static long LocalMidnight(long day, TimeZoneInfo zone)
    {
        var midnight = day / Day * Day;
        return midnight - (long)zone.GetUtcOffset(DateTimeOffset.FromUnixTimeSeconds(midnight + Day / 2)).TotalSeconds;
    }

    /// <summary>Sunday is 0.</summary>
    private static int WeekdayOf(long time) => (int)((time / Day + 4) % 7);
}

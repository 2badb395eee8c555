using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Predict.Access;
using Foretier.Predict.Volume;

namespace Foretier.Predict.Plan;

/// <summary>
/// Draws up the partition map of one edge: groups its series, predicts what the open window and the next ones will hold, and says what to
/// reserve and to have ready for them. The same inputs give the same map; nothing new gives the previous map itself.
/// </summary>
/// <remarks>
/// 1. Forecast every series. 2. For each window, group the series of each account. A window not announced before is grouped anew, starting
/// from the window before it; one that is only takes newcomers in, so that groups change at most daily. 3. Predict each partition.
/// 4. Leave what moved only a little as it was. 5. Raise the revision if anything is different.
/// </remarks>
public sealed class PartitionPlanner
{
    private readonly PlannerOptions _options;
    private readonly GroupPacker _packer;
    private readonly Func<string, TimeZoneInfo> _zoneOf;
    private readonly Func<string, AccountTerms> _termsOf;
    private readonly Dictionary<TimeZoneInfo, HourOfWeekMean> _forecasters = [];

    /// <param name="zoneOf">The time zone an account lives by; UTC for all where it is left out.</param>
    /// <param name="termsOf">What an account is given; the usual to all where it is left out.</param>
    public PartitionPlanner(PlannerOptions options, Func<string, TimeZoneInfo>? zoneOf = null, Func<string, AccountTerms>? termsOf = null)
    {
        options.Validate();
        _options = options;
        _packer = new(options);
        _zoneOf = zoneOf ?? (_ => TimeZoneInfo.Utc);
        _termsOf = termsOf ?? (_ => AccountTerms.Usual);
    }

    /// <summary>Not thread-safe: one plan at a time.</summary>
    /// <param name="previous">The edge's map so far.</param>
    /// <param name="now">µs.</param>
    /// <param name="forecastOf">What is known already of a series, <see cref="HoursFrom"/> now on; null, or no answer: the mean of the hour of the week.</param>
    public PartitionMap Plan(
        string edge, VolumeHistory volumes, AccessForecast access, SampleBytes bytes, PartitionMap previous, long now, Func<string, SeriesForecast?>? forecastOf = null)
    {
        var open = Window.DayOf(now);
        var last = Window.DayOf(open.Start + _options.WindowsAhead * Instant.Day);
        var series = Forecast(volumes, access, now, HoursFrom(now), forecastOf, WindowsFrom(open, last));
        var draft = new Draft(edge, previous, previous.Revision + 1);
        foreach (var entry in previous.Entries)
        {
            var window = entry.Id.Window;
            if (window.Start < open.Start && window.Start >= open.Start - _options.WindowsKept * Instant.Day)
            {
                draft.Keep(entry);
            }
        }
        foreach (var window in WindowsFrom(open, last))
        {
            foreach (var account in series.GroupBy(s => s.Account))
            {
                Plan(draft, account.Key, [.. account], window, window == open, access, bytes, now);
            }
        }
        return draft.ToMap();
    }

    /// <summary>Hours that a plan needs forecasts of, from the full hour on.</summary>
    public int HoursFrom(long now)
    {
        var last = Window.DayOf(Window.DayOf(now).Start + _options.WindowsAhead * Instant.Day);
        return (int)((last.End - Instant.Floor(now, Instant.Hour)) / Instant.Hour);
    }

    private List<PlannedSeries> Forecast(VolumeHistory volumes, AccessForecast access, long now, int hours, Func<string, SeriesForecast?>? forecastOf, List<Window> windows)
    {
        var buffer = new int[SeriesVolume.HoursRead];
        List<PlannedSeries> planned = new(volumes.Count);
        foreach (var volume in volumes.Series)
        {
            if (SeriesKey.TryParse(volume.Series, out var key) && key is not null)
            {
                var known = forecastOf?.Invoke(volume.Series);
                var isCurrent = known is not null && known.Start == Instant.Floor(now, Instant.Hour) && known.Bands.Count >= hours;
                var forecast = isCurrent ? known! : ForecasterOf(key.Account).Forecast(volumes.Read(volume, now, buffer), hours);
                planned.Add(new(key.Account, volume, forecast, access.ReadsPerDay(volume.Series), windows));
            }
        }
        return planned;
    }

    private static List<Window> WindowsFrom(Window open, Window last)
    {
        List<Window> windows = [];
        for (var window = open; window <= last; window = Window.DayOf(window.End))
        {
            windows.Add(window);
        }
        return windows;
    }

    private HourOfWeekMean ForecasterOf(string account)
    {
        var zone = _zoneOf(account);
        return _forecasters.TryGetValue(zone, out var known) ? known : _forecasters[zone] = new(zone);
    }

    private void Plan(
        Draft draft, string account, List<PlannedSeries> series, Window window, bool isOpen, AccessForecast access, SampleBytes bytes, long now)
    {
        var byName = series.ToDictionary(s => s.Name, StringComparer.Ordinal);
        var before = draft.GroupsBefore(account, window, out var announced);
        var groups = _packer.Pack(
            [.. series.Select(s => new PackedSeries(s.Name, (long)(s.Room(window) * bytes.Ssd), s.ReadsPerDay))],
            before.Select(g => (g.Group, g.Series)), mayMove: !announced);
        foreach (var group in groups)
        {
            var members = draft.Members(account, group.Name, [.. group.Members.Select(m => m.Name).Order(StringComparer.Ordinal)]);
            List<PlannedSeries> known = [.. members.Series.Where(byName.ContainsKey).Select(name => byName[name])];
            var id = new PartitionId(account, members.Group, members.Version, window);
            var similar = draft.Previous(id) ?? draft.PreviousOfGroup(id);
            var fresh = Predict(draft, id, members.Series.Count, known, bytes, similar, access, now);
            draft.Put(draft.Previous(id) is { } previous ? Settle(previous, fresh, known, isOpen) : fresh);
        }
    }

    private PartitionEntry Predict(
        Draft draft, PartitionId id, int count, List<PlannedSeries> members, SampleBytes bytes, PartitionEntry? similar, AccessForecast access, long now)
    {
        var reads = members.Select(m => m.ReadsPerDay).DefaultIfEmpty().Max();
        var pattern = PatternOf(reads, similar?.Access, isKnown: access.Since <= now - Instant.Day);
        var terms = _termsOf(id.Account);
        var rollups = ReadyRollups.Of(members, access, similar?.Rollups, _options.RollupReadsPerDayMin);
        if (members.Count == 0)
        {
            return new(id, draft.Edge, count, 0, 0, default, pattern, TierChoice.Of(pattern, reads, default, terms), rollups, draft.Revision);
        }
        var mean = members.Sum(m => m.Mean(id.Window));
        var p50 = Math.Max(0, mean + WindowErrors.Margin(members, id.Window, 0.5));
        var p90 = Math.Max(Math.Max(mean, p50), mean + WindowErrors.Margin(members, id.Window, 0.9));
        var busiest = members.Sum(m => m.BusiestP90(id.Window));
        // Samples leave memory within the hour; the busiest one is what it has to hold.
        var reserved = new TierBytes((long)(busiest * bytes.Memory), (long)(p90 * bytes.Ssd), (long)(p90 * bytes.Hdd), (long)(p90 * bytes.Archive));
        return new(id, draft.Edge, count, (long)Math.Round(p50), (long)Math.Ceiling(p90), reserved, pattern, TierChoice.Of(pattern, reads, reserved, terms), rollups, draft.Revision);
    }

    /// <summary>What is read keeps its pattern until reads fall to half of what earned it.</summary>
    private AccessPattern PatternOf(double readsPerDay, AccessPattern? before, bool isKnown)
    {
        bool Reaches(double threshold, AccessPattern pattern) => readsPerDay >= (before >= pattern ? threshold / 2 : threshold);
        return Reaches(_options.FrequentReadsPerDay, AccessPattern.Frequent) ? AccessPattern.Frequent
            : Reaches(_options.OccasionalReadsPerDay, AccessPattern.Occasional) || !isKnown ? AccessPattern.Occasional : AccessPattern.Rare;
    }

    private PartitionEntry Settle(PartitionEntry previous, PartitionEntry fresh, List<PlannedSeries> members, bool isOpen)
    {
        var tolerance = isOpen ? _options.OpenChangeMin : _options.ChangeMin;
        bool IsNear(long before, long now) => Math.Abs(now - before) <= tolerance * before;
        var same = IsNear(previous.SamplesP90, fresh.SamplesP90) && IsNear(previous.Reserved.Ssd, fresh.Reserved.Ssd)
            && (isOpen || IsNear(previous.SamplesP50, fresh.SamplesP50))
            && members.Sum(m => m.Counted(fresh.Id.Window)) <= previous.SamplesP90;
        var settled = same
            ? fresh with { SamplesP50 = previous.SamplesP50, SamplesP90 = previous.SamplesP90, Reserved = previous.Reserved }
            : fresh;
        return settled.SaysSameAs(previous) ? previous : settled;
    }
}

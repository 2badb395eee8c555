using Foretier.Core.Samples;

namespace Foretier.Predict.Access;

/// <summary>
/// How keys (a series at a resolution, or whatever else is read) were read so far, kept so that the seventeen features of the
/// <c>access-ranker</c> contract can be told at any hour. Their definitions, with vectors to hold them against, are in
/// <c>models/access-ranker/CARD.md</c>; training computes the same ones. Not thread-safe.
/// </summary>
/// <remarks>
/// A name's device is what stands before its last slash, its account what stands before its first one: for a series what these words mean,
/// for a path its folder and its root.
/// </remarks>
public sealed class ReadFeatures(Func<string, TimeZoneInfo>? zoneOf = null)
{
    public const int Count = 17;

    private const int RecencyHoursMax = 90 * 24;
    private const int AgeDaysMax = 400;
    private const double Month = 28 * 24;

    /// <summary>Half-lives of a key's own reads, hours.</summary>
    private static readonly double[] Own = [6, 24, 72, 168, 336, Month, 90 * 24];

    /// <summary>Of the reads of its device.</summary>
    private static readonly double[] OfDevice = [24, 168, Month];

    private const double OfAccount = 168;

    /// <summary>An average over 28 days in the usual sense: a day weighs 2/29 of the whole.</summary>
    private static readonly double EwmaHalfLife = -24 / Math.Log2(27.0 / 29);

    private readonly Dictionary<string, Key> _keys = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Fading[]> _devices = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Account> _accounts = new(StringComparer.Ordinal);

    /// <summary>How many names were read so far.</summary>
    public int Keys => _keys.Count;

    /// <summary>The names that were read so far, in order of their first read here.</summary>
    public IEnumerable<string> Names => _keys.Keys;

    /// <param name="hour">Hours since 1970; of one key ascending.</param>
    public void Add(string name, long hour, int count)
    {
        if (!_keys.TryGetValue(name, out var key))
        {
            _keys[name] = key = NewKey(name, hour);
        }
        for (var i = 0; i < Own.Length; i++)
        {
            key.Own[i].Add(hour, count, Own[i]);
        }
        key.Ewma.Add(hour, count, EwmaHalfLife);
        for (var i = 0; i < OfDevice.Length; i++)
        {
            key.Device[i].Add(hour, count, OfDevice[i]);
        }
        key.Account.Reads.Add(hour, count, OfAccount);
        var day = key.Account.DayOf(hour);
        key.Weekdays[WeekdayOf(day)].Add(hour, count, Month);
        if (day > key.LastDay)
        {
            key.Active.Add(hour, 1, Month);
            key.LastDay = day;
        }
        key.Last = Math.Max(key.Last, hour);
    }

    /// <summary>The features of a key at the beginning of an hour, from reads before it.</summary>
    /// <param name="to">Takes <see cref="Count"/> numbers.</param>
    public void Write(string name, long hour, Span<float> to)
    {
        var key = _keys[name];
        for (var i = 0; i < Own.Length; i++)
        {
            to[i] = Log1P(key.Own[i].At(hour, Own[i]));
        }
        to[7] = Log1P(Math.Clamp(hour - key.Last, 0, RecencyHoursMax));
        to[8] = Log1P(Math.Clamp((hour - key.First) / 24.0, 0, AgeDaysMax));
        for (var i = 0; i < OfDevice.Length; i++)
        {
            to[9 + i] = Log1P(key.Device[i].At(hour, OfDevice[i]));
        }
        to[12] = Log1P(key.Account.Reads.At(hour, OfAccount));
        // The day that most of the next 24 hours lie in.
        var weekday = WeekdayOf(key.Account.DayOf(hour + 12));
        to[13] = Log1P(key.Weekdays[weekday].At(hour, Month));
        (to[14], to[15]) = ((float)Math.Sin(Math.Tau * weekday / 7), (float)Math.Cos(Math.Tau * weekday / 7));
        to[16] = Log1P(key.Active.At(hour, Month));
    }

    /// <summary>Reads a day by EWMA-28d, which is what is expected where there is no model.</summary>
    public double Ewma28(string name, long hour) => _keys[name].Ewma.At(hour, EwmaHalfLife) * 24 * Math.Log(2) / EwmaHalfLife;

    /// <summary>Reads a day by a slower average (half of it from the last 28 days): what a forecast for one day is steadied with.</summary>
    public double Steady(string name, long hour) => _keys[name].Own[5].At(hour, Month) * 24 * Math.Log(2) / Month;

    /// <summary>Whether anything of a key's reads is left that tells more than that there were some, once.</summary>
    public bool IsRemembered(string name, long hour) => hour - _keys[name].Last < RecencyHoursMax;

    private Key NewKey(string name, long hour)
    {
        var path = name.TrimEnd('/');
        var last = path.LastIndexOf('/');
        var first = name.IndexOf('/', StringComparison.Ordinal);
        var (deviceName, accountName) = (last < 0 ? path : path[..last], first < 0 ? name : name[..first]);
        if (!_devices.TryGetValue(deviceName, out var device))
        {
            _devices[deviceName] = device = new Fading[OfDevice.Length];
        }
        if (!_accounts.TryGetValue(accountName, out var account))
        {
            _accounts[accountName] = account = new(zoneOf?.Invoke(accountName) ?? TimeZoneInfo.Utc);
        }
        return new(device, account) { First = hour, Last = hour };
    }

    private static int WeekdayOf(long day) => (int)((day + 4) % 7);

    private static float Log1P(double value) => (float)Math.Log(1 + value);

    private sealed class Key(Fading[] device, Account account)
    {
        public readonly Fading[] Own = new Fading[ReadFeatures.Own.Length];
        public readonly Fading[] Weekdays = new Fading[7];
        public readonly Fading[] Device = device;
        public readonly Account Account = account;
        public Fading Ewma;
        public Fading Active;
        public long First;
        public long Last;
        public long LastDay = -1;
    }

    private sealed class Account(TimeZoneInfo zone)
    {
        public Fading Reads;

        /// <summary>The local day of an hour, counted from 1970.</summary>
        public long DayOf(long hour)
        {
            var offset = zone == TimeZoneInfo.Utc ? 0 : (long)zone.GetUtcOffset(Instant.ToDateTimeOffset(hour * Instant.Hour)).TotalMinutes;
            return (hour * 60 + offset) / (24 * 60);
        }
    }
}

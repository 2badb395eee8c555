using Foretier.Core.Samples;
using Foretier.Predict.Place;

namespace Foretier.Predict.Replay.Events;

/// <summary>
/// Decides once an hour over rolling stretches: a series at a resolution, of today, of the six days before, and so on. What ages from one stretch
/// into the next moves by what is decided for each.
/// </summary>
internal abstract class BandPolicy(string name, EventTrace trace, PlacePolicy policy) : SegmentPolicy(name)
{
    /// <summary>
    /// How many days ago a stretch ends, and the next begins: today, yesterday, what else a range of seven days reaches into, what a report of the
    /// week before does, of the month before, and two more.
    /// </summary>
    private static readonly int[] _ends = [1, 2, 8, 15, 37, 100, 400];

    private const double ScanBytesPerSecond = 100e6;

    private readonly bool[] _isHot = new bool[trace.Series.Count * Resolutions.Count * _ends.Length];
    private readonly List<Candidate> _candidates = [];
    private readonly List<int> _bands = [];

    protected static int Bands => _ends.Length;

    protected EventTrace Trace => trace;

    protected int BandCount => _isHot.Length;

    protected static int BandOf(int series, int resolution, int band) => (series * Resolutions.Count + resolution) * _ends.Length + band;

    protected static (int Series, int Resolution, int Band) PartsOf(int at) =>
        (at / _ends.Length / Resolutions.Count, at / _ends.Length % Resolutions.Count, at % _ends.Length);

    /// <summary>What a stretch is called where reads are learned from.</summary>
    protected string NameOf(int at)
    {
        var (series, resolution, band) = PartsOf(at);
        return $"{trace.Series[series]}@{Resolutions.Names[resolution]}@{_ends[band]}d";
    }

    /// <summary>What is expected to be read, by stretch; what is left out: nothing.</summary>
    protected abstract ValueTask<IEnumerable<(int Band, Demand Demand)>> ExpectAsync(SegmentTiers tiers, CancellationToken cancel);

    /// <summary>What there is for stretches of the room that today's raw samples leave.</summary>
    protected virtual double RoomOf(double left) => left;

    /// <summary>A stretch was read.</summary>
    /// <param name="share">The share of its days that the read touched, above 0 to 1.</param>
    protected abstract void Learn(int band, int hour, double share);

    public sealed override async ValueTask EpochAsync(SegmentTiers tiers, CancellationToken cancel)
    {
        if (tiers.Hour % 24 == 0 && tiers.Hour > 0)
        {
            Age(tiers);
        }
        _candidates.Clear();
        _bands.Clear();
        var added = new HashSet<int>();
        foreach (var (band, demand) in await ExpectAsync(tiers, cancel).ConfigureAwait(false))
        {
            if (added.Add(band))
            {
                Add(band, demand, tiers);
            }
        }
        for (var band = 0; band < _isHot.Length; band++)
        {
            if (_isHot[band] && added.Add(band))
            {
                Add(band, Demand.None, tiers);
            }
        }
        var plan = policy.Plan(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_candidates), new(Math.Max(0, RoomOf(tiers.Capacity - HeldBytes(tiers)))), TimeOf(tiers));
        foreach (var drop in plan.Drops)
        {
            Set(_bands[drop.Index], false, tiers);
        }
        foreach (var bring in plan.Brings)
        {
            Set(_bands[bring.Index], true, tiers);
        }
    }

    public override void Read(in TraceRead read, SegmentTiers tiers)
    {
        var (first, last) = tiers.DaysOf(read);
        for (var band = 0; band < _ends.Length; band++)
        {
            var (from, until) = DaysOf(band, tiers.Today);
            if (first < until && last >= from)
            {
                Learn(BandOf(read.Series, read.Resolution, band), tiers.Hour, (Math.Min(last, until - 1) - Math.Max(first, from) + 1.0) / (until - from));
            }
        }
    }

    protected long TimeOf(SegmentTiers tiers) => (trace.Start + tiers.Hour * 3_600L) * Instant.Second;

    /// <summary>Whether a segment stays although its stretch does not.</summary>
    protected virtual bool IsKept(int series, int resolution, int day) => false;

    /// <summary>Whether the stretch that a day lies in is on the fast tier.</summary>
    protected bool IsChosen(int series, int resolution, int day, int today) =>
        Array.FindIndex(_ends, end => today - day < end) is var band and >= 0 && _isHot[BandOf(series, resolution, band)];

    private static (int From, int Until) DaysOf(int band, int today) => (today - _ends[band] + 1, band == 0 ? today + 1 : today - _ends[band - 1] + 1);

    private void Add(int at, Demand demand, SegmentTiers tiers)
    {
        var (series, resolution, band) = PartsOf(at);
        // Today's raw samples are there anyway.
        if (resolution == 0 && band == 0)
        {
            return;
        }
        var (from, until) = DaysOf(band, tiers.Today);
        // Of today, as much as yesterday.
        var bytes = Math.Max(tiers.SizeOf(series, resolution, from, until), band == 0 ? tiers.SizeOf(series, resolution, from - 1, until - 1) : 0);
        if (bytes <= 0)
        {
            return;
        }
        var isThere = until > 1 && tiers.Exists(tiers.UnitOf(series, resolution, Math.Min(until - 1, tiers.Today)));
        _candidates.Add(new("", EventTrace.AccountOf(trace.Series[series]),
            _isHot[at] ? CandidateState.Here : resolution == 0 || isThere ? CandidateState.Below : CandidateState.Unbuilt,
            bytes, demand, tiers.SavedSeconds(series, resolution, from, until))
        {
            BuildSeconds = resolution == 0 ? 0 : tiers.SizeOf(series, 0, from, until) / ScanBytesPerSecond,
        });
        _bands.Add(at);
    }

    private double HeldBytes(SegmentTiers tiers)
    {
        var (today, yesterday) = (0.0, 0.0);
        for (var series = 0; series < trace.Series.Count; series++)
        {
            today += tiers.SizeOf(series, 0, tiers.Today);
            yesterday += tiers.SizeOf(series, 0, tiers.Today - 1, tiers.Today);
        }
        return Math.Max(today, yesterday);
    }

    private void Set(int at, bool isHot, SegmentTiers tiers)
    {
        var (series, resolution, band) = PartsOf(at);
        var (from, until) = DaysOf(band, tiers.Today);
        _isHot[at] = isHot;
        for (var day = Math.Max(0, from); day < until; day++)
        {
            Move(series, resolution, day, isHot, tiers);
        }
    }

    /// <summary>A day has passed: each stretch hands one day on to the next.</summary>
    private void Age(SegmentTiers tiers)
    {
        for (var at = 0; at < _isHot.Length; at++)
        {
            var (series, resolution, band) = PartsOf(at);
            var day = band == 0 ? tiers.Today : tiers.Today - _ends[band - 1];
            if (day >= 0)
            {
                Move(series, resolution, day, _isHot[at], tiers);
            }
            if (band == _ends.Length - 1 && tiers.Today - _ends[band] is var gone and >= 0)
            {
                Move(series, resolution, gone, false, tiers);
            }
        }
    }

    private void Move(int series, int resolution, int day, bool isHot, SegmentTiers tiers)
    {
        if (!isHot && IsKept(series, resolution, day))
        {
            return;
        }
        if (!isHot)
        {
            tiers.Demote(series, resolution, day);
        }
        else if (day == tiers.Today || tiers.SizeOf(series, resolution, day) > 0)
        {
            tiers.Promote(series, resolution, day, isAhead: true);
        }
    }
}

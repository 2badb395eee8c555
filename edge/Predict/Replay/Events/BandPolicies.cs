using Foretier.Core.Query;
using Foretier.Predict.Access;
using Foretier.Predict.Models;
using Foretier.Predict.Place;

namespace Foretier.Predict.Replay.Events;

/// <summary>
/// What a node does: expected reads by <see cref="AccessScorer"/>, who reads by the clock by <see cref="PeriodicReaders"/>, of what was never read as
/// much as of its likes (<see cref="LikelyDemand"/>), placed by <see cref="PlacePolicy"/>.
/// </summary>
internal sealed class PredictiveBands(EventTrace trace, IInference? ranker)
    : BandPolicy("predictive", trace, new(new() { PricePerGbMonth = TierModel.SsdPrice }))
{
    private readonly ReadFeatures _features = new(trace.ZoneOf);
    private readonly ReaderBook _readers = new(trace.ZoneOf);
    private readonly Dictionary<string, int> _known = new(StringComparer.Ordinal);
    private readonly string?[] _names = new string?[trace.Series.Count * Resolutions.Count * Bands];
    private readonly Dictionary<string, int> _sizes = trace.Series.CountBy(EventTrace.AccountOf).ToDictionary();
    private readonly double[] _shares = new double[trace.Series.Count * Resolutions.Count * Bands];
    private readonly UseOrder _asked = new();
    private readonly int[][] _siblings = SiblingsOf(trace);
    private double _askedBytes;

    /// <summary>
    /// The share of the room for what somebody has just asked for that nobody expected: who looks into something looks again, and at the device's other
    /// measurements, which lie in the same files and come with it.
    /// </summary>
    private const double AskedShare = 0.2;

    /// <summary>How much the newest read says of which share of a stretch is read.</summary>
    private const double ShareOfNewest = 0.2;

    /// <summary>Of what was never read, only what is as young is kept: it is there already.</summary>
    private const int LikelyBands = 4;

    protected override double RoomOf(double left) => left * (1 - AskedShare);

    protected override bool IsKept(int series, int resolution, int day) => _asked.Has(series, resolution, day);

    public override void Read(in TraceRead read, SegmentTiers tiers)
    {
        base.Read(read, tiers);
        var (first, last) = tiers.DaysOf(read);
        for (var day = first; day <= last; day++)
        {
            var size = tiers.SizeOf(read.Series, read.Resolution, day);
            if (size <= 0 || size > tiers.Capacity * AskedShare || IsChosen(read.Series, read.Resolution, day, tiers.Today))
            {
                continue;
            }
            var isMissed = !tiers.IsHot(read.Series, read.Resolution, day);
            Keep(tiers, read.Series, read.Resolution, day, isAhead: false);
            foreach (var sibling in isMissed ? _siblings[read.Series] : [])
            {
                var bytes = tiers.SizeOf(sibling, read.Resolution, day);
                if (bytes > 0 && bytes <= tiers.Capacity * AskedShare && !tiers.IsHot(sibling, read.Resolution, day))
                {
                    Keep(tiers, sibling, read.Resolution, day, isAhead: true);
                }
            }
        }
    }

    private void Keep(SegmentTiers tiers, int series, int resolution, int day, bool isAhead)
    {
        var size = tiers.SizeOf(series, resolution, day);
        MakeRoom(tiers, size);
        _askedBytes += _asked.Has(series, resolution, day) ? 0 : size;
        _asked.Use(series, resolution, day);
        tiers.Promote(series, resolution, day, isAhead);
    }

    private void MakeRoom(SegmentTiers tiers, double size)
    {
        foreach (var (series, resolution, day) in _asked.OldestFirst())
        {
            if (_askedBytes + size <= tiers.Capacity * AskedShare)
            {
                return;
            }
            _asked.Remove(series, resolution, day);
            _askedBytes -= tiers.SizeOf(series, resolution, day);
            if (!IsChosen(series, resolution, day, tiers.Today))
            {
                tiers.Demote(series, resolution, day);
            }
        }
    }

    protected override async ValueTask<IEnumerable<(int Band, Demand Demand)>> ExpectAsync(SegmentTiers tiers, CancellationToken cancel)
    {
        var hour = Trace.Start / 3_600 + tiers.Hour;
        List<string> names = [.. _known.Keys.Where(name => _features.IsRemembered(name, hour))];
        var scores = await AccessScorer.ScoreAsync(_features, names, hour, ranker, cancel).ConfigureAwait(false);
        var expected = new Dictionary<int, Demand>(names.Count);
        var likely = new LikelyDemand();
        for (var i = 0; i < scores.Length; i++)
        {
            var band = _known[names[i]];
            // Who looks for one day of a year reads the others no sooner.
            expected[band] = new(scores[i] * _shares[band]);
            likely.Add(EventTrace.AccountOf(names[i]), KindOf(band), scores[i]);
        }
        foreach (var (name, reads) in _readers.Due(hour, hour + 2))
        {
            expected[_known[name]] = expected.GetValueOrDefault(_known[name]) with { Due = TimeOf(tiers), DueReads = reads };
        }
        for (var series = 0; series < Trace.Series.Count; series++)
        {
            var account = EventTrace.AccountOf(Trace.Series[series]);
            for (var band = 1; band < LikelyBands; band++)
            {
                var at = BandOf(series, 0, band);
                expected.TryAdd(at, likely.Of(account, KindOf(at), _sizes[account]));
            }
        }
        return expected.Select(e => (e.Key, e.Value));
    }

    protected override void Learn(int band, int hour, double share)
    {
        _shares[band] += (share - _shares[band]) * (_names[band] is null ? 1 : ShareOfNewest);
        var name = _names[band] ??= NameOf(band);
        var at = Trace.Start / 3_600 + hour;
        _known.TryAdd(name, band);
        _features.Add(name, at, 1);
        _readers.Add(name, ReadShape.Unknown, at, 1);
    }

    /// <summary>Of each series, the others of its device.</summary>
    private static int[][] SiblingsOf(EventTrace trace)
    {
        var devices = Enumerable.Range(0, trace.Series.Count).ToLookup(series => trace.Series[series][..Math.Max(0, trace.Series[series].LastIndexOf('/'))]);
        return [.. trace.Series.Select((name, series) => devices[name[..Math.Max(0, name.LastIndexOf('/'))]].Where(other => other != series).ToArray())];
    }

    private static int KindOf(int band) => band % (Resolutions.Count * Bands);
}

/// <summary>EWMA over 28 days, without looking for who reads by the clock.</summary>
internal sealed class EwmaBands(EventTrace trace) : BandPolicy("ewma28d", trace, Plain)
{
    private readonly ReadFeatures _features = new(trace.ZoneOf);
    private readonly string?[] _names = new string?[trace.Series.Count * Resolutions.Count * Bands];
    private readonly List<int> _known = [];

    /// <summary>Whatever is read most per byte, moved without regard for what moving costs.</summary>
    internal static PlacePolicy Plain => new(new() { MoveCost = 0, RollupReadsMin = 0 });

    protected override ValueTask<IEnumerable<(int Band, Demand Demand)>> ExpectAsync(SegmentTiers tiers, CancellationToken cancel)
    {
        var hour = Trace.Start / 3_600 + tiers.Hour;
        return new(_known.Where(band => _features.IsRemembered(_names[band]!, hour)).Select(band => (band, new Demand(_features.Ewma28(_names[band]!, hour)))).ToList());
    }

    protected override void Learn(int band, int hour, double share)
    {
        if (_names[band] is null)
        {
            _names[band] = NameOf(band);
            _known.Add(band);
        }
        _features.Add(_names[band]!, Trace.Start / 3_600 + hour, 1);
    }
}

/// <summary>What was read within thirty days, the last read first.</summary>
internal sealed class RecencyBands(EventTrace trace) : BandPolicy("recency", trace, EwmaBands.Plain)
{
    private const int KeptHours = 30 * 24;

    private readonly Dictionary<int, int> _last = [];

    protected override ValueTask<IEnumerable<(int Band, Demand Demand)>> ExpectAsync(SegmentTiers tiers, CancellationToken cancel) =>
        new(_last.Where(l => l.Value > tiers.Hour - KeptHours).Select(l => (l.Key, new Demand(l.Value - (tiers.Hour - KeptHours)))).ToList());

    protected override void Learn(int band, int hour, double share) => _last[band] = hour;
}

/// <summary>At each hour, what will be read most in it: the most that any policy with the same epochs can do, whatever it moves.</summary>
internal sealed class ClairvoyantBands(EventTrace trace) : BandPolicy("clairvoyant", trace, EwmaBands.Plain)
{
    private readonly Dictionary<int, double> _reads = [];
    private int _at;

    protected override ValueTask<IEnumerable<(int Band, Demand Demand)>> ExpectAsync(SegmentTiers tiers, CancellationToken cancel)
    {
        foreach (var band in _reads.Keys)
        {
            // What is not read in this hour stays where it is, as far as there is room.
            _reads[band] = 1e-9;
        }
        for (var until = Trace.Start + (tiers.Hour + 1) * 3_600L; _at < Trace.Reads.Count && Trace.Reads[_at].Time < until; _at++)
        {
            // The bands it will touch are those that reading it tells of.
            Read(Trace.Reads[_at], tiers);
        }
        return new(_reads.Select(r => (r.Key, new Demand(r.Value))).ToList());
    }

    protected override void Learn(int band, int hour, double share) => _reads[band] = _reads.GetValueOrDefault(band) is var reads and >= 1 ? reads + 1 : 1;
}

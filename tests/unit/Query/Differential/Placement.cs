using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Core.Tiers;

namespace Foretier.Tests.Differential;

/// <summary>Random samples of several kinds of series over some days, in flushes, who holds which of them, and a map that tells lies about it.</summary>
internal sealed class Placement
{
    // 2001-01-01 was a Monday. Days before and after the clocks of Europe change, and one without.
    private static readonly long[] Origins = [1_490_313_600L * Instant.Second, 1_509_062_400L * Instant.Second, 1_489_017_600L * Instant.Second];
    private static readonly string[] Kinds = ["gauge", "counter", "state", "mixed"];

    private readonly Dictionary<(string Node, Window Window, long After), Dictionary<string, List<Layer>>> _held = [];
    private readonly Random _random;

    public Placement(Random random)
    {
        _random = random;
        Origin = Origins[random.Next(Origins.Length)];
        Days = random.Next(1, 5);
        var catalog = new Catalog();
        var health = new SourceHealth(TimeProvider.System);
        var names = Enumerable.Range(0, random.Next(1, 5)).Select(i => $"acme/d{i % 2}/m{i / 2}").ToList();
        foreach (var name in names)
        {
            Truth[name] = [];
            catalog.Put(new SeriesInfo(name, "edge", null, "gauge"));
        }
        for (var day = 0; day < Days; day++)
        {
            Fill(catalog, new Window(Origin + day * Instant.Day, Instant.Day), names);
        }
        foreach (var node in new[] { "archive", "gateway", "edge" })
        {
            health.Connected(node);
        }
        // The map may say what it likes: answers are those of the samples.
        var map = new HostileMap(random.Next(), names, Origin, Days);
        Answerer = new(catalog, node => new LayerSource(node, _held), health, TimeProvider.System, () => map.Current);
    }

    public long Origin { get; }
    public int Days { get; }
    public Dictionary<string, SortedDictionary<long, PlainSample>> Truth { get; } = [];
    public Answerer Answerer { get; }

    private void Fill(Catalog catalog, Window window, List<string> names)
    {
        var flushes = _random.Next(1, 6);
        var layers = names.ToDictionary(name => name, _ => new List<Layer>());
        for (var flush = 1; flush <= flushes; flush++)
        {
            foreach (var name in names)
            {
                if (_random.Next(6) == 0)
                {
                    layers[name].Add(Layer.Tombstone(flush, Delete(window, name)));
                }
                if (Flush(window, name) is not { Count: > 0 } samples)
                {
                    continue;
                }
                var inMemory = flush == flushes && _random.Next(2) == 0;
                foreach (var part in Cut(samples))
                {
                    layers[name].Add(inMemory ? Layer.Of(flush, part) : Layer.Of(flush, Segment.Open(Segment.Encode(part).Bytes), RollupsOf(part)));
                }
            }
        }
        // The first flushes went down to the archive, the next to the gateway, the rest is on the edge; each share may be empty.
        var archived = _random.Next(0, flushes + 1);
        var shipped = _random.Next(archived, flushes + 1);
        Hold(catalog, layers, window, "archive", Tier.Archive, 0, archived);
        Hold(catalog, layers, window, "gateway", Tier.Hdd, archived, shipped);
        Hold(catalog, layers, window, "edge", Tier.Ssd, _random.Next(2) == 0 ? 0 : shipped, Holding.Latest);
    }

    /// <summary>A range of any length that begins and ends anywhere, or on samples' own times.</summary>
    private TimeRange Delete(Window window, string name)
    {
        var times = Truth[name].Keys.Where(window.Range.Contains).ToList();
        long At() => times.Count > 0 && _random.Next(2) == 0 ? times[_random.Next(times.Count)] : window.Start + _random.NextInt64(Instant.Day);
        var (one, other) = (At(), _random.Next(5) == 0 ? window.End : At());
        var range = new TimeRange(Math.Min(one, other), Math.Max(one, other) + (one == other ? 1 : 0)).Clip(window.Range);
        times.Where(range.Contains).ToList().ForEach(time => Truth[name].Remove(time));
        return range;
    }

    private SampleColumns Flush(Window window, string name)
    {
        var truth = Truth[name];
        var samples = new SortedDictionary<long, PlainSample>();
        var kind = Kinds[name[^1] % 2 * 2 + name[6] % 2];
        var gap = _random.Next(4) switch { 0 => Instant.Second, 1 => 10 * Instant.Second, 2 => 7 * Instant.Minute, _ => 1_234_567 };
        var time = window.Start + _random.NextInt64(0, Instant.Day);
        var level = _random.NextDouble() * 1000;
        for (var n = _random.Next(0, 600); n > 0 && time < window.End; n--)
        {
            level = kind != "counter" ? level : _random.Next(60) == 0 ? _random.Next(3) : level + _random.Next(10) / (_random.Next(5) == 0 ? 10.0 : 1);
            samples[time] = kind switch
            {
                "counter" => new(time, level, null),
                "state" => new(time, 0, Text()),
                "mixed" when _random.Next(5) == 0 => new(time, 0, Text()),
                "mixed" => new(time, _random.Next(4), null),
                _ => new(time, Math.Round(_random.NextDouble() * 100 - 20, _random.Next(4)), null),
            };
            // Bursts, gaps, and times that are not round.
            time += _random.Next(50) == 0 ? _random.NextInt64(gap, 3 * Instant.Hour) : _random.Next(3) == 0 ? gap : _random.NextInt64(1, gap * 2);
        }
        // Corrections of what an earlier flush has, and the same again.
        foreach (var at in truth.Keys.Where(t => window.Range.Contains(t) && _random.Next(40) == 0).ToList())
        {
            samples[at] = _random.Next(2) == 0 ? truth[at] : new(at, _random.Next(1000), null);
        }
        var columns = new SampleColumns();
        foreach (var sample in samples.Values)
        {
            columns.Add(sample.Time, sample.Value, sample.State);
            truth[sample.Time] = sample;
        }
        return columns;
    }

    private string Text() => _random.Next(3) switch { 0 => "on", 1 => "off", _ => "starting up" };

    private IEnumerable<SampleColumns> Cut(SampleColumns samples)
    {
        var middle = samples.Times[_random.Next(samples.Count)];
        return new[] { samples.Slice(new(long.MinValue, middle)), samples.Slice(new(middle, long.MaxValue)) }.Where(part => part.Count > 0);
    }

    /// <summary>As a store keeps them, none at all, or all there can be, worth it or not.</summary>
    private byte[] RollupsOf(SampleColumns samples)
    {
        switch (_random.Next(4))
        {
            case 0:
                return [];
            case 1:
                return RollupBlock.CompanionOf(samples, _random.Next(2) == 0 ? Segment.Encode(samples).Bytes.Length : 1_000_000);
            default:
                return RollupBlock.Encode([Table(Instant.Minute), Table(5 * Instant.Minute), Table(Instant.Hour)]);
        }
        RollupTable Table(long step)
        {
            var rows = new BucketRows((RollupParts)_random.Next(16));
            rows.Add(samples, new(TimeRange.Everything, step));
            return new(step, rows);
        }
    }

    private void Hold(Catalog catalog, Dictionary<string, List<Layer>> layers, Window window, string node, Tier tier, long after, long through)
    {
        if (through <= after)
        {
            return;
        }
        var held = layers.ToDictionary(s => s.Key, s => s.Value.Where(l => l.Version > after && l.Version <= through).ToList());
        var all = held.Values.SelectMany(l => l).ToList();
        _held[(node, window, after)] = held;
        catalog.Put(new Holding("edge", window, node, tier, after, through,
            all.Count == 0 ? TimeRange.Nothing : new(all.Min(l => l.FirstTime), all.Max(l => l.LastTime) + 1), 1, 1));
    }
}

using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Core.Tiers;
using Foretier.Tests.Differential;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Query;

/// <summary>
/// Random samples with late ones and corrections, spread at random over edge, gateway and archive in layers, asked at random:
/// the answer equals the one computed from the plain samples. FORETIER_CASES and FORETIER_SEED make it longer, or repeat a case.
/// </summary>
public class SameAnswerTests
{
    private static readonly long Origin = 1_489_017_600L * Instant.Second;

    [Fact]
    public async Task Any_question_over_any_placement_has_the_answer_of_the_plain_samples()
    {
        var cases = int.Parse(Environment.GetEnvironmentVariable("FORETIER_CASES") ?? "150");
        var seed = int.Parse(Environment.GetEnvironmentVariable("FORETIER_SEED") ?? "1");
        for (var i = 0; i < cases; i++)
        {
            try
            {
                await CheckAsync(new Random(seed + i));
            }
            catch (Exception error)
            {
                throw new InvalidOperationException($"seed {seed + i}: {error.Message}", error);
            }
        }
    }

    private static async Task CheckAsync(Random random)
    {
        var place = new Placement(random);
        for (var q = 0; q < 4; q++)
        {
            var from = Origin + random.NextInt64(-Instant.Hour, 2 * Instant.Day);
            var to = from + random.NextInt64(1, 2 * Instant.Day);
            if (random.Next(3) == 0)
            {
                // Edges on minutes and on samples' own times are where off-by-ones live.
                (from, to) = (Instant.Floor(from, Instant.Minute), Instant.Floor(to, Instant.Minute) + Instant.Minute);
            }
            long[] steps = [0, Instant.Minute, 5 * Instant.Minute, Instant.Hour, Instant.Day, 7_000_001];
            var step = steps[random.Next(steps.Length)];
            if (step != 0 && (to - from) / step > 200_000)
            {
                step = Instant.Hour;
            }
            var question = new Question([], new(from, to), step, [Fn.Raw, Fn.Avg, Fn.Min, Fn.Max, Fn.Sum, Fn.Count, Fn.First, Fn.Last]);
            if (random.Next(2) == 0)
            {
                question = question with { Functions = [Fn.Avg, Fn.Count] };
            }
            var answer = await place.Answerer.AnswerAsync(question, [.. place.Series], CancellationToken.None);
            Assert.False(answer.IsPartial);
            foreach (var series in answer.Series)
            {
                Compare(question, place.Truth[series.Name], series);
            }
        }
    }

    private static void Compare(Question question, SortedDictionary<long, (double Value, string? State)> truth, SeriesAnswer answer)
    {
        var expected = truth.Where(s => question.Range.Contains(s.Key)).ToList();
        if (answer.Raw is { } raw)
        {
            Assert.Equal(expected.Select(s => s.Key), raw.Times.ToArray());
            for (var i = 0; i < raw.Count; i++)
            {
                Assert.Equal(expected[i].Value.State, raw.StateAt(i));
                Assert.Equal(expected[i].Value.Value, raw.Values[i]);
            }
        }
        var buckets = expected.GroupBy(s => question.Grid.StartOf(s.Key)).ToList();
        Assert.Equal(buckets.Select(b => b.Key), answer.Rows!.Rows.ToArray().Select(r => r.Start));
        for (var i = 0; i < buckets.Count; i++)
        {
            var rollup = answer.Rows.Rows[i].Rollup;
            var samples = buckets[i].ToList();
            var numbers = samples.Where(s => s.Value.State is null).Select(s => s.Value.Value).ToList();
            Assert.Equal((samples.Count, numbers.Count), (rollup.Count, rollup.Numbers));
            Assert.Equal((samples[0].Key, samples[0].Value.State), (rollup.FirstTime, rollup.FirstState));
            Assert.Equal((samples[^1].Key, samples[^1].Value.State), (rollup.LastTime, rollup.LastState));
            if (numbers.Count > 0)
            {
                Assert.Equal((numbers.Min(), numbers.Max()), (rollup.Min, rollup.Max));
                Assert.True(Math.Abs(numbers.Sum() - rollup.Sum) <= 1e-12 * Math.Max(1, numbers.Sum(Math.Abs)), $"sum {rollup.Sum} is not {numbers.Sum()}");
            }
        }
    }

    /// <summary>One edge's flushes over two days, and who holds which of them.</summary>
    private sealed class Placement
    {
        private readonly Dictionary<(string Node, Window Window, long After), Dictionary<string, List<Layer>>> _held = [];

        public Placement(Random random)
        {
            var catalog = new Catalog();
            var health = new SourceHealth(new FakeTimeProvider());
            for (var s = 0; s < 2; s++)
            {
                var name = $"acme/d/m{s}";
                Truth[name] = [];
                Series.Add(new(name, "edge", null, "gauge"));
            }
            for (var day = 0; day < 2; day++)
            {
                var window = new Window(Origin + day * Instant.Day, Instant.Day);
                var flushes = random.Next(1, 6);
                var layers = Series.ToDictionary(s => s.Name, _ => new List<Layer>());
                for (var flush = 1; flush <= flushes; flush++)
                {
                    foreach (var series in Series)
                    {
                        if (Samples(random, window, series.Name) is { Count: > 0 } samples)
                        {
                            foreach (var part in Cut(samples, random))
                            {
                                layers[series.Name].Add(Store(part, flush, memory: flush == flushes && random.Next(2) == 0));
                            }
                        }
                    }
                }
                // The first flushes went down to the archive, the next to the gateway, the rest is on the edge; each share may be empty.
                var archived = random.Next(0, flushes + 1);
                var shipped = random.Next(archived, flushes + 1);
                Hold(catalog, layers, window, "archive", Tier.Archive, 0, archived);
                Hold(catalog, layers, window, "gateway", Tier.Hdd, archived, shipped);
                Hold(catalog, layers, window, "edge", Tier.Ssd, random.Next(2) == 0 ? 0 : shipped, Holding.Latest);
            }
            Answerer = new(catalog, node => new LayerSource(node, _held), health, new FakeTimeProvider());
            foreach (var node in new[] { "archive", "gateway", "edge" })
            {
                health.Connected(node);
            }
        }

        public Dictionary<string, SortedDictionary<long, (double, string?)>> Truth { get; } = [];
        public List<SeriesInfo> Series { get; } = [];
        public Answerer Answerer { get; }

        private SampleColumns Samples(Random random, Window window, string name)
        {
            var samples = new SortedDictionary<long, (double, string?)>();
            var start = window.Start + random.NextInt64(0, Instant.Day);
            var gap = random.Next(4) switch { 0 => Instant.Second, 1 => Instant.Minute, 2 => 17 * Instant.Minute, _ => 1_234_567 };
            for (var n = random.Next(0, 400); n > 0 && start < window.End; n--, start += random.Next(3) == 0 ? gap : random.NextInt64(1, gap * 2))
            {
                samples[start] = random.Next(20) == 0 ? (0, random.Next(2) == 0 ? "on" : "off") : (Math.Round(random.NextDouble() * 100 - 20, random.Next(4)), null);
            }
            var truth = Truth[name];
            foreach (var time in truth.Keys.Where(t => window.Range.Contains(t) && random.Next(50) == 0).ToList())
            {
                samples[time] = (random.Next(1000), null);
            }
            var columns = new SampleColumns();
            foreach (var (time, (value, state)) in samples)
            {
                columns.Add(time, value, state);
                truth[time] = (value, state);
            }
            return columns;
        }

        private static IEnumerable<SampleColumns> Cut(SampleColumns samples, Random random)
        {
            var middle = samples.Times[random.Next(samples.Count)];
            return new[] { samples.Slice(new(long.MinValue, middle)), samples.Slice(new(middle, long.MaxValue)) }.Where(part => part.Count > 0);
        }

        private static Layer Store(SampleColumns samples, long flush, bool memory)
        {
            if (memory)
            {
                return Layer.Of(flush, samples);
            }
            var rows = new BucketRows();
            rows.Add(samples, new(TimeRange.Everything, Instant.Minute));
            return Layer.Of(flush, Segment.Open(Segment.Encode(samples).Bytes), RollupBlock.Encode(Instant.Minute, rows));
        }

        private void Hold(Catalog catalog, Dictionary<string, List<Layer>> layers, Window window, string node, Tier tier, long after, long through)
        {
            var held = layers.ToDictionary(s => s.Key, s => s.Value.Where(l => l.Version > after && l.Version <= through).ToList());
            var all = held.Values.SelectMany(l => l).ToList();
            if (through <= after)
            {
                return;
            }
            _held[(node, window, after)] = held;
            catalog.Put(new Holding("edge", window, node, tier, after, through, all.Count == 0 ? TimeRange.Nothing : new(all.Min(l => l.FirstTime), all.Max(l => l.LastTime) + 1), 1, 1));
        }
    }
}

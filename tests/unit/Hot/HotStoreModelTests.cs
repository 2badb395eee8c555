using CsCheck;
using Foretier.Agent.Hot;
using Foretier.Agent.Ship;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;
using Sample = (string Series, long Time, double Value, string? State);

namespace Foretier.Tests.Unit.Hot;

/// <summary>
/// Random lives of a hot store and its gateway, with kills, power cuts at any write and lost receipts, against the plainest model there is:
/// a dictionary of what was acknowledged, and the messages after that, of which a crash may keep any first few, whole.
/// </summary>
public class HotStoreModelTests(ITestOutputHelper output)
{
    private static readonly Gen<(int Kind, int Seed)[]> Lives = Gen.Select(Gen.Int[0, 99], Gen.Int[0, 1_000_000]).Array[5, 60];

    [Fact]
    public void Nothing_acknowledged_is_lost_and_nothing_is_doubled_whatever_happens()
    {
        // scripts/powercut asks for more.
        var lives = int.TryParse(Environment.GetEnvironmentVariable("FORETIER_POWERCUT_LIVES"), out var wanted) ? wanted : 150;
        long cuts = 0, kills = 0, done = 0;
        Lives.Sample(steps =>
        {
            var life = new Life();
            LiveAsync(life, steps).GetAwaiter().GetResult();
            Interlocked.Add(ref cuts, life.PowerCuts);
            Interlocked.Add(ref kills, life.Kills);
            if (Interlocked.Increment(ref done) % 200 == 0)
            {
                Console.WriteLine($"{done} lives, {cuts} power cuts, {kills} kills");
            }
        }, iter: lives, threads: 2);
        output.WriteLine($"{done} lives, {cuts} power cuts, {kills} kills: nothing acknowledged was lost or doubled");
        Assert.True(cuts > lives / 3, $"only {cuts} power cuts");
    }

    private static async Task LiveAsync(Life life, (int Kind, int Seed)[] steps)
    {
        await life.BeginAsync();
        try
        {
            foreach (var (kind, seed) in steps)
            {
                await life.StepAsync(kind, new Random(seed));
            }
            await life.EndAsync();
        }
        finally
        {
            await life.Bench.Store.AbandonAsync();
        }
    }

    private sealed class Life
    {
        private static readonly ShipOptions Shipping = new()
        {
            Url = new("http://gateway"),
            Token = "token",
            BatchBytesMax = 600,
            RetryMin = TimeSpan.FromMilliseconds(1),
            RetryMax = TimeSpan.FromMilliseconds(1),
        };

        private readonly FakeGateway _gateway = new();
        private readonly List<Sample[]> _pending = [];
        private Dictionary<(string Series, long Time), (double Value, string? State)> _acknowledged = [];
        private long _accepted, _rejected, _lastTicket;
        private bool _hasDropped;
        private (string Series, TimeRange Range)? _deleting;

        public HotBench Bench { get; private set; } = null!;

        public async Task BeginAsync() => Bench = await HotBench.OpenAsync();

        public async Task StepAsync(int kind, Random random)
        {
            try
            {
                await (kind switch
                {
                    < 41 => AppendAsync(random),
                    < 45 => DeleteAsync(random),
                    < 55 => AcknowledgeAsync(),
                    < 65 => FlushAsync(),
                    < 72 => ShipAsync(random),
                    < 78 => ReleaseAsync(random),
                    < 83 => CrashAsync(null),
                    < 88 => CrashAsync(random),
                    < 93 => Arm(random),
                    < 95 => ReopenAsync(),
                    < 97 => PassTimeAsync(random),
                    < 98 => Bench.Store.SealAllAsync(CancellationToken.None),
                    _ => VerifyAsync(),
                });
            }
            catch (Exception) when (Bench.Disk.IsDead)
            {
            }
            if (Bench.Disk.IsDead)
            {
                await CrashAsync(random);
            }
        }

        public async Task EndAsync()
        {
            Bench.Disk.FailAfter = null;
            await StepAsync(50, new Random(0));
            await VerifyAsync();
            await StepAsync(60, new Random(0));
            await VerifyAsync();
            if (!_hasDropped)
            {
                // All duplicates have met now. (One of a sample that was given up cannot be seen here.)
                Assert.Equal(_acknowledged.Count, Bench.Store.Ledger.Unique - Bench.Store.Ledger.Deleted);
            }
            await StepAsync(70, new Random(0));
            await VerifyAsync();
            Assert.Equal(0, Bench.Store.Ledger.Held);
            Assert.All(Bench.Disk.Names.Where(name => name.StartsWith("ssd/", StringComparison.Ordinal)), name => Assert.DoesNotContain(".new", name, StringComparison.Ordinal));
        }

        private Task Arm(Random random)
        {
            Bench.Disk.FailAfter = Bench.Disk.Operations + random.Next(80);
            return Task.CompletedTask;
        }

        private Task AppendAsync(Random random)
        {
            if (random.Next(20) == 0)
            {
                _lastTicket = Bench.Store.Reject("unparsable", 1);
                _rejected++;
                return Task.CompletedTask;
            }
            var message = new Sample[random.Next(1, random.Next(4) == 0 ? 120 : 7)];
            for (var i = 0; i < message.Length; i++)
            {
                var series = random.Next(3);
                var time = HotBench.Day + random.Next(2) * Instant.Day + random.Next(60) * Instant.Minute;
                message[i] = ($"acme/boiler/s{series}", time, series == 2 ? 0 : Math.Round(random.NextDouble() * 100, random.Next(3)), series == 2 ? $"state {random.Next(3)}" : null);
            }
            _lastTicket = Bench.Store.Append(
                [.. message.Select(s => new IncomingSample(Bench.Series(s.Series[^2..], s.State is not null), s.Time, s.Value, s.State))]);
            _pending.Add(message);
            return Task.CompletedTask;
        }

        /// <summary>Waits for no one: whether it was written down when the disk fails in between shows afterwards.</summary>
        private async Task DeleteAsync(Random random)
        {
            var from = HotBench.Day + random.Next(48 * 60) * Instant.Minute;
            var range = new TimeRange(from, from + random.Next(1, random.Next(3) == 0 ? 48 * 60 : 30) * Instant.Minute);
            range = random.Next(3) == 0 ? new(HotBench.Day + random.Next(60) * Instant.Minute, HotBench.Day + Instant.Day + random.Next(60) * Instant.Minute) : range;
            var series = $"s{random.Next(3)}";
            Bench.Series(series, series == "s2");
            _deleting = ($"acme/boiler/{series}", range);
            await Bench.DeleteAsync(series, range.From, range.To);
            await AcknowledgeAsync();
            Remove(_acknowledged, _deleting.Value);
            _deleting = null;
        }

        private static void Remove<T>(Dictionary<(string Series, long Time), T> from, (string Series, TimeRange Range) deletion)
        {
            foreach (var key in from.Keys.Where(key => key.Series == deletion.Series && deletion.Range.Contains(key.Time)).ToList())
            {
                from.Remove(key);
            }
        }

        private async Task AcknowledgeAsync()
        {
            await Bench.Store.WaitDurableAsync(_lastTicket, CancellationToken.None);
            foreach (var message in _pending)
            {
                Apply(_acknowledged, message);
                _accepted += message.Length;
            }
            _pending.Clear();
        }

        private Task FlushAsync() => Bench.Store.FlushAllAsync(CancellationToken.None);

        /// <summary>The background loop finds windows that are quiet, or old, beside whatever comes next.</summary>
        private async Task PassTimeAsync(Random random)
        {
            Bench.Clock.Advance(TimeSpan.FromSeconds(random.Next(2) == 0 ? 6 : 61));
            await Task.Delay(random.Next(3));
        }

        private async Task ShipAsync(Random random)
        {
            _gateway.LosesReceipt = _ => random.Next(3) == 0;
            var isCutShort = random.Next(4) == 0;
            var until = _gateway.Batches + random.Next(1, 4);
            await using var shipper = NewShipper();
            while (Bench.Store.Unshipped().Count > 0 && !Bench.Disk.IsDead && !(isCutShort && _gateway.Batches >= until))
            {
                Assert.False(shipper.Completion.IsFaulted, shipper.Completion.Exception?.ToString());
                await Task.Delay(1);
            }
        }

        private async Task ReleaseAsync(Random random)
        {
            _gateway.LosesReceipt = _ => random.Next(5) == 0;
            _hasDropped = true;
            using var cancel = new CancellationTokenSource();
            await using var shipper = NewShipper();
            var release = Bench.Store.ReleaseAsync(random.Next(2) == 0 ? HotBench.Day + 1 : long.MaxValue, cancel.Token);
            while (!release.IsCompleted && !Bench.Disk.IsDead)
            {
                await Task.WhenAny(release, Task.Delay(1));
            }
            if (Bench.Disk.IsDead)
            {
                await cancel.CancelAsync();
            }
            await release;
        }

        private Shipper NewShipper() => new(Bench.Store, Shipping, TimeProvider.System, NullLogger<Shipper>.Instance, _gateway.Connection());

        private async Task ReopenAsync()
        {
            await Bench.Store.DisposeAsync();
            await Bench.OpenAgainAsync();
            // What was appended is made durable by an orderly end.
            await ReconcileAsync(_pending.Count);
        }

        public int PowerCuts { get; private set; }
        public int Kills { get; private set; }

        private async Task CrashAsync(Random? random)
        {
            (PowerCuts, Kills) = random is null ? (PowerCuts, Kills + 1) : (PowerCuts + 1, Kills);
            await Bench.CrashAsync(random);
            await ReconcileAsync(0);
        }

        /// <summary>Finds out how many of the messages not acknowledged survived: the first few, each whole.</summary>
        private async Task ReconcileAsync(int least)
        {
            var ledger = Bench.Store.Ledger;
            Assert.True(ledger.Balanced, ledger.ToString());
            Assert.InRange(ledger.Accepted, _accepted, _accepted + _pending.Sum(message => message.Length));
            Assert.InRange(ledger.Rejected, 0, _rejected);
            var kept = 0;
            while (_accepted < ledger.Accepted)
            {
                Apply(_acknowledged, _pending[kept]);
                _accepted += _pending[kept++].Length;
            }
            Assert.True(kept >= least);
            if (kept == _pending.Count && _deleting is { } deletion && !(await ReadAsync()).Keys.Any(key => key.Item1 == deletion.Series && deletion.Range.Contains(key.Item2)))
            {
                Remove(_acknowledged, deletion); // it had come to the device
            }
            _deleting = null;
            _pending.Clear();
            _rejected = ledger.Rejected;
            _lastTicket = Bench.Store.DurableTicket;
            await VerifyAsync();
        }

        private async Task VerifyAsync()
        {
            var expected = new Dictionary<(string, long), (double, string?)>(_acknowledged);
            _pending.ForEach(message => Apply(expected, message));
            var actual = await ReadAsync();
            Assert.Equal(expected.OrderBy(s => s.Key.Item1, StringComparer.Ordinal).ThenBy(s => s.Key.Item2), actual.OrderBy(s => s.Key.Series, StringComparer.Ordinal).ThenBy(s => s.Key.Time));

            var ledger = Bench.Store.Ledger;
            Assert.True(ledger.Balanced, ledger.ToString());
            Assert.Equal(_accepted + _pending.Sum(message => message.Length), ledger.Accepted);
            Assert.InRange(ledger.Unique, expected.Count, ledger.Accepted);
            Assert.InRange(ledger.Held, 0, ledger.Unique);
        }

        private async Task<Dictionary<(string Series, long Time), (double, string?)>> ReadAsync()
        {
            var edge = await Bench.ReadAsync();
            var whole = Bench.Own.Where(h => h.IsWhole).Select(h => h.Window).ToHashSet();
            var actual = _gateway.Samples.Where(s => !whole.Contains(Window.DayOf(s.Key.Time))).ToDictionary();
            foreach (var erased in await Bench.ErasedAsync())
            {
                Remove(actual, erased);
            }
            foreach (var (key, value) in edge)
            {
                actual[key] = value;
            }
            return actual;
        }

        private static void Apply(Dictionary<(string Series, long Time), (double Value, string? State)> to, Sample[] message)
        {
            foreach (var sample in message)
            {
                to[(sample.Series, sample.Time)] = (sample.Value, sample.State);
            }
        }
    }
}

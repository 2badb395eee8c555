using CsCheck;
using Foretier.Core.Tiers;
using Foretier.Gateway.Receive;
using static Foretier.Tests.Unit.Gateway.WarmBed;

namespace Foretier.Tests.Unit.Gateway;

/// <summary>Random sequences of deliveries, repeats, bad bytes, packing and restarts against a model that is too simple to be wrong.</summary>
public class WarmLedgerProperties
{
    private enum Act
    {
        Deliver,
        Repeat,
        Skip,
        Garble,
        Pack,
        PackDuringDelivery,
        Restart,
        LoseCatalog,
    }

    [Fact]
    public Task Ledger_balances_and_nothing_is_lost_or_doubled() => Gen.Select(
        Gen.Frequency((8, Gen.Const(Act.Deliver)), (2, Gen.Const(Act.Repeat)), (1, Gen.Const(Act.Skip)), (1, Gen.Const(Act.Garble)), (1, Gen.Const(Act.Pack)),
            (1, Gen.Const(Act.PackDuringDelivery)), (1, Gen.Const(Act.Restart)), (1, Gen.Const(Act.LoseCatalog))),
        Gen.Select(Gen.Int[0, 30], Gen.Int[0, 999]).Array[1, 8]).Array[1, 14].SampleAsync(async acts =>
        {
            await using var bed = await WarmBed.OpenAsync();
            var archived = new List<Dictionary<int, double>>();
            var held = new SortedDictionary<int, double>();
            var last = Batch(0, 1);
            long through = 0, accepted = 0, rejected = 0;

            async Task DeliverAsync((int, int)[] raw)
            {
                var samples = raw.DistinctBy(s => s.Item1).Select(s => (s.Item1, (double)s.Item2)).ToArray();
                last = Batch(through, through + 1, samples);
                through++;
                var result = await bed.ReceiveAsync(last);
                Assert.Equal((ReceiveOutcome.Stored, through, samples.Length), (result.Outcome, result.Through, (int)result.Receipt!.Accepted));
                Assert.Equal(samples.Count(s => held.ContainsKey(s.Item1)), result.Receipt.Superseded);
                accepted += samples.Length;
                foreach (var (second, value) in samples)
                {
                    held[second] = value;
                }
            }

            foreach (var (act, samples) in acts)
            {
                switch (act)
                {
                    case Act.Deliver:
                        await DeliverAsync(samples);
                        break;
                    case Act.Repeat when through > 0:
                        Assert.Equal(ReceiveOutcome.AlreadyHeld, (await bed.ReceiveAsync(last)).Outcome);
                        break;
                    case Act.Skip:
                        Assert.Equal(ReceiveOutcome.Gap, (await bed.ReceiveAsync(Batch(through + 1, through + 2, (1, 1)))).Outcome);
                        break;
                    case Act.Garble:
                        var result = await bed.Store.ReceiveAsync(Edge, Day, through, through + 1, new byte[] { 1, 2 }, null, default);
                        Assert.Equal(ReceiveOutcome.Refused, result.Outcome);
                        rejected++;
                        break;
                    case Act.Pack when bed.Hdd() is not null:
                        await bed.Packer.PackAsync(long.MaxValue, default);
                        archived.Add(new(held));
                        held.Clear();
                        break;
                    case Act.PackDuringDelivery when bed.Hdd() is not null:
                        bed.BeforePublish = async () =>
                        {
                            bed.BeforePublish = () => Task.CompletedTask;
                            var before = new Dictionary<int, double>(held);
                            await DeliverAsync(samples);
                            archived.Add(before);
                            held.Clear();
                            foreach (var (second, value) in samples.DistinctBy(s => s.Item1))
                            {
                                held[second] = value;
                            }
                        };
                        await bed.Packer.PackAsync(long.MaxValue, default);
                        break;
                    case Act.Restart:
                        await bed.RestartAsync();
                        break;
                    case Act.LoseCatalog:
                        await bed.RestartAsync(() => File.Delete(bed.Options.IndexPath));
                        // What was superseded before it was archived, and what was refused, is known to the catalog alone.
                        var rebuilt = bed.Store.CountLedger();
                        (accepted, rejected) = (rebuilt.Accepted, 0);
                        break;
                    default:
                        break;
                }
                var ledger = bed.BalancedLedger();
                Assert.Equal((accepted + rejected, accepted, rejected), (ledger.Received, ledger.Accepted, ledger.Rejected));
                Assert.Equal((held.Count, archived.Sum(a => a.Count)), ((int)ledger.Held, (int)ledger.Released));
                Assert.Equal(held.Count, bed.Hdd()?.Count ?? 0);
                if (bed.Hdd() is { } hdd)
                {
                    Assert.Equal(through, hdd.Through);
                    Assert.Equal(string.Join(' ', held.Select(h => $"{h.Key}={h.Value}")), await bed.ReadAsync(hdd.After, hdd.Through));
                }
            }
            Assert.Equal(archived.Select(a => string.Join(' ', a.OrderBy(s => s.Key).Select(h => $"{h.Key}={h.Value}"))),
                bed.Archive.Values.OrderBy(a => a.Holding.After).Select(a => Text(a.Samples[Series])));
        }, iter: 60);
}

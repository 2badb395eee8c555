using CsCheck;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Predict.Access;
using Foretier.Predict.Place;

namespace Foretier.Tests.Unit.Predict;

public class PlacePolicyTests
{
    private static readonly long _now = Instant.From(new(2025, 3, 9, 6, 0, 0, TimeSpan.Zero));
    private static readonly PlacePolicy _policy = new(new());

    [Fact]
    public void A_gain_that_does_not_pay_for_its_moves_moves_nothing_and_one_that_does_moves()
    {
        // Two moves at a quarter of a read each, over ten days of stay.
        const double margin = 0.05;
        Assert.Equal([true, false], Keeps(1, Here(1), Below(1 + margin * 0.99)));
        Assert.Equal([false, true], Keeps(1, Here(1), Below(1 + margin * 1.01)));
        Assert.Equal([true, false], Keeps(2, Below(0.5), Here(0)));
        // By the byte: two small ones with a read each are worth more than a large one with three.
        Assert.Equal([false, true, true], Keeps(2, Below(3, bytes: 2), Below(1.6), Below(1.6)));
    }

    [Fact]
    public void Who_reads_by_the_clock_finds_it_there_once_due_and_not_a_day_before()
    {
        Candidate Due(double hours) => Below(0.03) with { Demand = new(0.03, _now + (long)(hours * Instant.Hour), 1) };
        Assert.Equal([true, false], Keeps(1, Due(1), Here(2)));
        Assert.Equal([false, true], Keeps(1, Due(24), Here(2)));
    }

    [Fact]
    public void A_rollup_is_built_for_as_many_reads_as_it_has_to_have_and_kept_for_a_little_fewer()
    {
        Candidate Rollup(CandidateState state, double readsPerWeek) => new("r", "acme", state, 1, new(readsPerWeek / 7), 1) { BuildSeconds = 0.1 };
        Assert.Equal([true, false], Keeps(9, Rollup(CandidateState.Unbuilt, 1.3), Rollup(CandidateState.Unbuilt, 1.2)));
        Assert.Equal([true, false], Keeps(9, Rollup(CandidateState.Here, 1.1), Rollup(CandidateState.Here, 0.9)));
    }

    [Fact]
    public void What_has_no_room_or_may_not_be_moved_in_this_cycle_is_named_with_what_it_wants_for()
    {
        var unbuilt = new Candidate("d", "acme", CandidateState.Unbuilt, 1, new(5), 1) { BuildSeconds = 3 };
        Shortage Missing(PlaceBudget budget, params Candidate[] candidates) => Assert.Single(_policy.Plan(candidates, budget, _now).Unaffordable).Missing;

        Assert.Equal(Shortage.Bytes, Missing(new(1), Below(5), Below(4)));
        Assert.Equal(Shortage.Fetch, Missing(new(9) { FetchBytes = 1 }, Below(5), Below(4)));
        Assert.Equal(Shortage.Fetch, Missing(new(9) { FetchBytes = 1 }, unbuilt with { FetchBytes = 2 }));
        Assert.Equal(Shortage.Writes, Missing(new(9) { WriteBytes = 1 }, Below(5), Below(4)));
        Assert.Equal(Shortage.Cpu, Missing(new(9) { CpuSeconds = 2 }, unbuilt));
        var strict = new PlacePolicy(new(), Tier.Hdd, account => new() { Hdd = new() { BytesMax = account == "acme" ? 1 : null } });
        Assert.Equal(Shortage.AccountBytes, Assert.Single(strict.Plan([Below(5), Below(4)], new(9), _now).Unaffordable).Missing);
    }

    [Fact]
    public void Priority_retention_and_price_decide_between_equals()
    {
        var policy = new PlacePolicy(new() { PricePerGbMonth = 0.1 }, Tier.Ssd, account => new()
        {
            Priority = account == "vip" ? 3 : 1,
            RetentionSeconds = account == "short" ? 7 * 86_400 : null,
            Ssd = new() { PricePerGbMonth = account == "free" ? 0.01 : null },
            Hdd = new() { PricePerGbMonth = 0.01 },
        });
        bool[] Plan(double bytes, params Candidate[] candidates) => [.. policy.Plan(candidates, new(bytes), _now).Keeps];

        Assert.Equal([false, true], Plan(1, Below(2), Below(1) with { Account = "vip" }));
        Assert.Equal([false, true], Plan(2, Here(2) with { Account = "short", End = _now - 8 * Instant.Day }, Below(1)));
        // A terabyte on this tier costs 100 a month more; ten reads of a second are worth 0.01 a day.
        Assert.Equal([false], Plan(1e13, Below(10, bytes: 1e12)));
        Assert.Equal([true], Plan(1e13, Below(10, bytes: 1e12) with { Account = "free" }));
    }

    [Fact]
    public void What_is_held_stays_whatever_it_is_worth_and_takes_its_room_first() =>
        Assert.Equal([true, false, true], Keeps(2, Here(0) with { IsHeld = true }, Here(1), Below(2)));

    [Fact]
    public void A_plan_keeps_its_budgets_and_planned_anew_changes_nothing() =>
        (from count in Gen.Int[0, 30]
         from candidates in _candidate.Array[count]
         from room in Gen.Double[0, 20]
         select (candidates, room)).Sample(t =>
        {
            var (candidates, room) = t;
            var plan = _policy.Plan(candidates, new(room) { CpuSeconds = 1e9 }, _now);
            Assert.True(plan.Bytes <= room * (1 + 1e-9));
            Assert.Equal(candidates.Where((_, i) => plan.Keeps[i]).Sum(c => c.Bytes), plan.Bytes, 6);
            Assert.All(plan.Brings, b => Assert.True(plan.Keeps[b.Index] && candidates[b.Index].State != CandidateState.Here));
            Assert.All(plan.Drops, d => Assert.True(!plan.Keeps[d.Index] && candidates[d.Index].State == CandidateState.Here));
            Candidate[] after = [.. candidates.Select((c, i) => plan.Keeps[i] ? c with { State = CandidateState.Here } : c.State == CandidateState.Here ? c with { State = CandidateState.Below } : c)];
            var again = _policy.Plan(after, new(room), _now);
            Assert.Equal(plan.Keeps, again.Keeps);
            Assert.Empty(again.Brings);
            Assert.Empty(again.Drops);
        });

    [Fact]
    public void Room_that_does_not_do_for_all_goes_to_the_usual_need_first_and_by_priority()
    {
        Reservation[] requests = [new("a", "acme", 40, 100), new("b", "vip", 40, 100), new("c", "acme", 10, 20)];
        IReadOnlyList<Reserved> Share(long room) => ReservePolicy.Share(requests, room, account => new() { Priority = account == "vip" ? 2 : 1 });

        Assert.All(Share(220), r => Assert.Equal(0, r.Short));
        Assert.Equal([40, 100, 20], Share(160).Select(r => r.Bytes));
        Assert.Equal([60, 0, 0], Share(160).Select(r => r.Short));
        Assert.Equal([0, 40, 10], Share(50).Select(r => r.Bytes));
        Assert.Equal([40, 100, 20], ReservePolicy.Share(requests, 220, account => new() { Ssd = new() { BytesMax = account == "acme" ? 60 : null } }).Select(r => r.Bytes));
    }

    private static readonly Gen<Candidate> _candidate = Gen.Select(Gen.Enum<CandidateState>(), Gen.Double[0.1, 4], Gen.Double[0, 3], Gen.Double[0.01, 1], (state, bytes, reads, saved) =>
        new Candidate("x", "acme", state, bytes, new(reads), saved) { BuildSeconds = state == CandidateState.Unbuilt ? 1 : 0 });

    private static bool[] Keeps(double room, params Candidate[] candidates) => [.. _policy.Plan(candidates, new(room), _now).Keeps];

    private static Candidate Here(double reads, double bytes = 1) => new("h", "acme", CandidateState.Here, bytes, new(reads), 1);

    private static Candidate Below(double reads, double bytes = 1) => new("b", "acme", CandidateState.Below, bytes, new(reads), 1);
}

using System.Runtime.InteropServices;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Predict.Place;

/// <summary>
/// Decides what is on a tier: what stays, what is brought ahead of its readers, which rollups are built before they are asked for, what leaves to
/// make room. The agent plans its SSD with it, the gateway its HDD, <c>foretier replay</c> the same against traces. Pure; knows no clock.
/// </summary>
/// <remarks>
/// 1. What a candidate is worth: reads a day × seconds saved × priority, less its price. Somebody due within the lead time counts as that many
/// reads in that time. 2. A rollup that is not likely to be read within its time to live is worth nothing, and so is what retention has ended.
/// 3. What is there gets a bonus of two moves, so that only a gain that pays for them displaces it. 4. By worth per byte, best first, whatever fits
/// into the room, its account's room, and what may be moved in a cycle; what fits only in part of that is named. 5. The rest leaves.
/// Equals go in the order they are given. Where only room is short, a plan made of a plan's outcome and the same demand changes nothing.
/// </remarks>
public sealed class PlacePolicy
{
    private const double BytesPerGb = 1e9;
    private const double DaysPerMonth = 365.25 / 12;

    private const double RollupKeptFor = 0.8;

    private readonly PlaceOptions _options;
    private readonly Tier _tier;
    private readonly Func<string, AccountTerms> _termsOf;

    /// <param name="tier">That is planned.</param>
    /// <param name="termsOf">What an account is given; null: the usual to all.</param>
    public PlacePolicy(PlaceOptions options, Tier tier = Tier.Ssd, Func<string, AccountTerms>? termsOf = null)
    {
        _options = options.Validated();
        _tier = tier;
        _termsOf = termsOf ?? (_ => AccountTerms.Usual);
    }

    /// <summary>Plans one cycle. Thread-safe.</summary>
    /// <param name="candidates">All that is on the tier, and all that could be.</param>
    /// <param name="now">µs.</param>
    public PlacePlan Plan(ReadOnlySpan<Candidate> candidates, PlaceBudget budget, long now)
    {
        var accounts = new Accounts(_termsOf);
        var count = candidates.Length;
        var worth = new double[count];
        var keys = new (double Density, int Index)[count];
        var bonus = BonusPerByte(candidates);
        for (var i = 0; i < count; i++)
        {
            ref readonly var each = ref candidates[i];
            worth[i] = Worth(each, accounts.Of(each.Account).Terms, now, out var isWanted);
            var density = worth[i] / each.Bytes + (each.State == CandidateState.Here ? bonus : 0);
            keys[i] = (each.IsHeld ? double.NegativeInfinity : isWanted && density > 0 ? -density : double.PositiveInfinity, i);
        }
        Array.Sort(keys);
        var keeps = new bool[count];
        List<Placement> drops = [], brings = [], unaffordable = [];
        var (bytes, cpu, writes, fetch) = (0.0, 0.0, 0.0, 0.0);
        foreach (var (key, i) in keys)
        {
            ref readonly var each = ref candidates[i];
            ref var account = ref accounts.Of(each.Account);
            var isWanted = key < double.PositiveInfinity;
            var isHere = each.State == CandidateState.Here;
            var missing = !isWanted || each.IsHeld ? Shortage.None
                : bytes + each.Bytes > budget.Bytes * (1 + 1e-12) ? Shortage.Bytes
                : account.Used + each.Bytes > account.Terms.On(_tier).BytesMax ? Shortage.AccountBytes
                : isHere ? Shortage.None
                : writes + each.Bytes > budget.WriteBytes ? Shortage.Writes
                : fetch + FetchOf(each) > budget.FetchBytes ? Shortage.Fetch
                : each.State == CandidateState.Unbuilt && cpu + each.BuildSeconds > budget.CpuSeconds ? Shortage.Cpu : Shortage.None;
            Placement Do(PlaceAction action) => new(i, action, worth[i], double.IsFinite(key) ? -key : 0, missing);
            if (isWanted && missing == Shortage.None)
            {
                keeps[i] = true;
                bytes += each.Bytes;
                account.Used += each.Bytes;
                if (!isHere)
                {
                    writes += each.Bytes;
                    fetch += FetchOf(each);
                    cpu += each.State == CandidateState.Unbuilt ? each.BuildSeconds : 0;
                    brings.Add(Do(each.State == CandidateState.Below ? PlaceAction.Stage : PlaceAction.Build));
                }
                continue;
            }
            if (isHere)
            {
                drops.Add(Do(PlaceAction.Drop));
            }
            if (missing != Shortage.None)
            {
                unaffordable.Add(Do(isHere ? PlaceAction.Drop : PlaceAction.Leave));
            }
        }
        drops.Reverse();
        return new(keeps, drops, brings, unaffordable, bytes);
    }

    private static double FetchOf(in Candidate each) => each.State == CandidateState.Below ? each.Bytes : each.FetchBytes;

    private double Worth(in Candidate each, AccountTerms terms, long now, out bool isWanted)
    {
        var readsPerDay = each.Demand.ReadsPerDay;
        var lead = (long)_options.Lead.TotalMicroseconds;
        // Worth bringing for this one time, if it is not here anyway.
        if (each.Demand.Due < now + lead && each.Demand.Due >= now - Instant.Hour && each.Demand.DueReads > 2 * _options.MoveCost)
        {
            readsPerDay = Math.Max(readsPerDay, each.Demand.DueReads * Instant.Day / lead);
        }
        isWanted = readsPerDay > 0 && each.End >= terms.KeptFrom(now);
        if (each.BuildSeconds > 0 || each.State == CandidateState.Unbuilt)
        {
            var inTime = readsPerDay * _options.RollupTimeToLive.TotalDays;
            isWanted &= inTime >= _options.RollupReadsMin * (each.State == CandidateState.Unbuilt ? 1 : RollupKeptFor);
        }
        var price = terms.PriceAboveBelow(_tier) ?? _options.PricePerGbMonth;
        return readsPerDay * each.SavedSeconds * terms.Priority - each.Bytes / BytesPerGb * price / DaysPerMonth / _options.SecondWorth;
    }

    /// <summary>A move costs by its bytes, so that the bonus is the same for each byte: of an average candidate, two moves spread over its stay.</summary>
    private double BonusPerByte(ReadOnlySpan<Candidate> candidates)
    {
        var (bytes, saved) = (0.0, 0.0);
        foreach (ref readonly var each in candidates)
        {
            bytes += each.Bytes;
            saved += each.SavedSeconds;
        }
        return bytes > 0 ? 2 * _options.MoveCost / _options.StayDays * saved / bytes : 0;
    }

    /// <summary>What each account is given, and what of it a plan has used so far.</summary>
    private readonly struct Accounts(Func<string, AccountTerms> termsOf)
    {
        private readonly Dictionary<string, (AccountTerms Terms, double Used)> _known = new(StringComparer.Ordinal);

        public ref (AccountTerms Terms, double Used) Of(string account)
        {
            ref var known = ref CollectionsMarshal.GetValueRefOrAddDefault(_known, account, out var exists);
            if (!exists)
            {
                known = (termsOf(account), 0);
            }
            return ref known;
        }
    }
}

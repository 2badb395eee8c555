using Foretier.Core.Tiers;

namespace Foretier.Predict.Place;

/// <summary>A partition that asks for room on a tier before its window opens.</summary>
/// <param name="Name">What it is called where it gets less.</param>
/// <param name="BytesP50">What it will need as likely as not.</param>
/// <param name="BytesP90">What nine windows in ten stay within.</param>
public readonly record struct Reservation(string Name, string Account, long BytesP50, long BytesP90);

/// <summary>What a partition gets.</summary>
/// <param name="Bytes">Set aside for it.</param>
/// <param name="Short">What it is short of its P90: samples beyond the reservation still go in while there is room, but nothing is promised.</param>
public readonly record struct Reserved(int Index, long Bytes, long Short);

/// <summary>
/// Parts the room on an edge's flash among the partitions of the windows to come. Where it does not do for all: everybody's P50 first, then the rest of
/// the P90, each in order of priority, the small ones first, so that as few as possible fall short. Pure.
/// </summary>
public static class ReservePolicy
{
    /// <param name="room">Bytes to be had, what can be freed in time included.</param>
    /// <param name="termsOf">What an account is given; null: the usual to all.</param>
    /// <returns>For each request, in its order.</returns>
    public static IReadOnlyList<Reserved> Share(IReadOnlyList<Reservation> requests, long room, Func<string, AccountTerms>? termsOf = null)
    {
        termsOf ??= _ => AccountTerms.Usual;
        var granted = new long[requests.Count];
        var accounts = new Dictionary<string, long>(StringComparer.Ordinal);
        var order = Enumerable.Range(0, granted.Length).OrderByDescending(i => termsOf(requests[i].Account).Priority).ThenBy(i => requests[i].BytesP90)
            .ThenBy(i => requests[i].Name, StringComparer.Ordinal).ToList();
        foreach (var wanted in new Func<Reservation, long>[] { r => Math.Min(r.BytesP50, r.BytesP90), r => r.BytesP90 })
        {
            foreach (var i in order)
            {
                var (request, left) = (requests[i], room);
                if (termsOf(request.Account).Ssd.BytesMax is { } most)
                {
                    left = Math.Min(left, most - accounts.GetValueOrDefault(request.Account));
                }
                var more = Math.Clamp(wanted(request) - granted[i], 0, Math.Max(0, left));
                granted[i] += more;
                room -= more;
                accounts[request.Account] = accounts.GetValueOrDefault(request.Account) + more;
            }
        }
        return [.. granted.Select((bytes, i) => new Reserved(i, bytes, Math.Max(0, requests[i].BytesP90 - bytes)))];
    }
}

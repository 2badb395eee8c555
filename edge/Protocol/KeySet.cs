using Foretier.Core.Tiers;

namespace Foretier.Protocol;

/// <summary>
/// What the top of an installation decides and tells the nodes below: all API keys, and what accounts are given. Each node keeps it, so that it can go by it alone.
/// </summary>
/// <param name="Revision">Counts the changes at the top.</param>
public sealed record KeySet(long Revision, IReadOnlyList<StoredKey> Keys)
{
    public static readonly KeySet Empty = new(0, []);

    /// <summary>By account; those left out have the usual.</summary>
    public IReadOnlyDictionary<string, AccountTerms> Accounts { get; init; } = new Dictionary<string, AccountTerms>();
}

/// <param name="Hash">SHA-256 of the key, hexadecimal. Keys are 200 random bits: nothing to crack, nothing to leak.</param>
/// <param name="Accounts">Accounts whose data it may read; empty with <paramref name="IsAdmin"/>.</param>
/// <param name="CreatedAt">µs.</param>
/// <param name="ExpiresAt">µs; 0 = never.</param>
public sealed record StoredKey(string Id, string Name, string Hash, IReadOnlyList<string> Accounts, bool IsAdmin, long CreatedAt, long ExpiresAt);

namespace Foretier.Protocol;

/// <summary>All API keys of an installation, as its top tells them to the nodes below and each keeps them, so that it can check them alone.</summary>
/// <param name="Revision">Counts the changes at the top.</param>
public sealed record KeySet(long Revision, IReadOnlyList<StoredKey> Keys)
{
    public static readonly KeySet Empty = new(0, []);
}

/// <param name="Hash">SHA-256 of the key, hexadecimal. Keys are 200 random bits: nothing to crack, nothing to leak.</param>
/// <param name="Accounts">Accounts whose data it may read; empty with <paramref name="IsAdmin"/>.</param>
/// <param name="CreatedAt">µs.</param>
/// <param name="ExpiresAt">µs; 0 = never.</param>
public sealed record StoredKey(string Id, string Name, string Hash, IReadOnlyList<string> Accounts, bool IsAdmin, long CreatedAt, long ExpiresAt);

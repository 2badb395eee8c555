using System.Security.Cryptography;
using System.Text;
using Foretier.Core.Samples;

namespace Foretier.Node.Keys;

/// <summary>What a request may do.</summary>
/// <param name="Accounts">Accounts it may read; empty with <see cref="IsAdmin"/> meaning all.</param>
public sealed record Caller(string Name, IReadOnlyList<string> Accounts, bool IsAdmin)
{
    /// <summary>A request that came over a link: the node above has checked its own callers.</summary>
    public static readonly Caller Node = new("node", [], true);

    public bool MayRead(string account) => IsAdmin || Accounts.Contains(account);

    public bool MayRead(SeriesKey series) => MayRead(series.Account);
}

/// <summary>The API keys a node knows, as SHA-256 of keys of 160 random bits or more: nothing to crack, nothing to leak.</summary>
public sealed class KeyRing(string? bootstrap)
{
    private readonly byte[]? _bootstrap = bootstrap is { Length: 64 } ? Convert.FromHexString(bootstrap)
        : string.IsNullOrEmpty(bootstrap) ? null
        : throw new Hosting.ConfigurationException("settings: FORETIER__KEYS__BOOTSTRAP is not 64 hex digits (the SHA-256 of the key).");

    public Caller? Find(string presented)
    {
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(Encoding.UTF8.GetBytes(presented), hash);
        return _bootstrap is not null && CryptographicOperations.FixedTimeEquals(hash, _bootstrap) ? new("bootstrap", [], true) : null;
    }
}

/// <summary>The secret that the nodes of one installation show each other.</summary>
public sealed class LinkToken(string token)
{
    private readonly byte[] _hash = SHA256.HashData(Encoding.UTF8.GetBytes(token));

    public string Value { get; } = token;

    public bool Matches(string? authorization) =>
        Value.Length > 0 && authorization?.StartsWith("Bearer ", StringComparison.Ordinal) == true
        && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(authorization["Bearer ".Length..])), _hash);
}

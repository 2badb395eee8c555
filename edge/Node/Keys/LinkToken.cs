using System.Security.Cryptography;
using System.Text;

namespace Foretier.Node.Keys;

/// <summary>The secret that the nodes of one installation show each other.</summary>
public sealed class LinkToken(string token)
{
    private readonly byte[] _hash = SHA256.HashData(Encoding.UTF8.GetBytes(token));

    public string Value { get; } = token;

    public bool Matches(string? authorization) =>
        Value.Length > 0 && authorization?.StartsWith("Bearer ", StringComparison.Ordinal) == true
        && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(authorization["Bearer ".Length..])), _hash);
}

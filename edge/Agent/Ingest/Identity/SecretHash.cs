using System.Security.Cryptography;
using System.Text;

namespace Foretier.Agent.Ingest.Identity;

/// <summary>
/// A secret as it is kept: salted and hashed. A generated secret has 160 random bits, beyond any search, so one SHA-256 is enough and keeps
/// reconnect storms cheap. A secret that a person chose gets PBKDF2 with HMAC-SHA-512 and 210,000 rounds (OWASP's figure).
/// </summary>
/// <param name="Algorithm"><see cref="Generated"/> or <see cref="Chosen"/>.</param>
/// <param name="Rounds">PBKDF2 rounds; 1 for a generated secret.</param>
public sealed record SecretHash(string Algorithm, int Rounds, byte[] Salt, byte[] Hash)
{
    public const string Generated = "sha256";
    public const string Chosen = "pbkdf2-sha512";

    private const int ChosenRounds = 210_000;
    private const int HashBytes = 32;
    private const int SaltBytes = 16;

    /// <summary>Length of a generated secret in characters: 160 bits in base 32.</summary>
    public const int GeneratedLength = 32;

    /// <summary>A new secret, 32 characters of a-z and 2-7, which no shell and no URL needs to quote.</summary>
    public static string NewSecret() => RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyz234567", GeneratedLength);

    /// <summary>For secrets of <see cref="NewSecret"/> only.</summary>
    public static SecretHash OfGenerated(string secret) => OfGenerated(Encoding.UTF8.GetBytes(secret));

    public static SecretHash OfChosen(string secret) => Make(Chosen, ChosenRounds, Encoding.UTF8.GetBytes(secret));

    internal static SecretHash OfGenerated(ReadOnlySpan<byte> secret) => Make(Generated, 1, secret);

    /// <summary>Takes the same time whether or not it matches. Some 0.1 s of CPU for a chosen secret.</summary>
    public bool Matches(ReadOnlySpan<byte> secret)
    {
        Span<byte> hash = stackalloc byte[HashBytes];
        Compute(Algorithm, Rounds, Salt, secret, hash);
        return CryptographicOperations.FixedTimeEquals(hash, Hash);
    }

    public bool Matches(string secret) => Matches(Encoding.UTF8.GetBytes(secret));

    internal bool IsSound =>
        Salt is { Length: >= 8 } && Hash is { Length: HashBytes }
        && ((Algorithm == Generated && Rounds == 1) || (Algorithm == Chosen && Rounds is >= 1_000 and <= 10_000_000));

    private static SecretHash Make(string algorithm, int rounds, ReadOnlySpan<byte> secret)
    {
        var salt = RandomNumberGenerator.GetBytes(SaltBytes);
        var hash = new byte[HashBytes];
        Compute(algorithm, rounds, salt, secret, hash);
        return new(algorithm, rounds, salt, hash);
    }

    private static void Compute(string algorithm, int rounds, ReadOnlySpan<byte> salt, ReadOnlySpan<byte> secret, Span<byte> hash)
    {
        if (algorithm == Chosen)
        {
            Rfc2898DeriveBytes.Pbkdf2(secret, salt, hash, rounds, HashAlgorithmName.SHA512);
            return;
        }
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        sha.AppendData(salt);
        sha.AppendData(secret);
        sha.GetHashAndReset(hash);
    }
}

using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Durable;
using Foretier.Node.Hosting;
using Foretier.Protocol;

namespace Foretier.Node.Keys;

/// <summary>
/// The API keys a node knows, and what accounts are given. The top of an installation decides them (<see cref="Create"/>, <see cref="Revoke"/>,
/// <see cref="SetTerms"/>); the nodes below are told (<see cref="KeyPush"/>), keep the last they heard, and so go by it without an uplink. Thread-safe.
/// </summary>
public sealed class KeyRing
{
    /// <summary>Keys of one installation, expired ones left out.</summary>
    public const int KeysMax = 10_000;

    /// <summary>Accounts that have other terms than the usual.</summary>
    public const int AccountsMax = 10_000;

    private const string Letters = "abcdefghijklmnopqrstuvwxyz234567";
    private const int KeyLetters = 40;
    private const int IdLetters = 8;

    /// <summary>No key is longer: characters.</summary>
    private const int PresentedMax = 256;

    private static readonly Caller Bootstrap = new("bootstrap", [], true);

    private readonly byte[]? _bootstrap;
    private readonly string _path;
    private readonly TimeProvider _clock;
    private readonly Lock _lock = new();
    private readonly Signal _changed = new();
    private volatile State _state = new(KeySet.Empty);

    private KeyRing(string path, byte[]? bootstrap, TimeProvider clock) => (_path, _bootstrap, _clock) = (path, bootstrap, clock);

    public KeySet Current => _state.Set;

    /// <summary>Damage of the file that was put right at the start; null where there was none.</summary>
    public string? Problem { get; private set; }

    /// <param name="path">File of the keys, readable by its owner alone; made at the first change.</param>
    /// <param name="bootstrap">SHA-256 of a key that may do everything, hexadecimal; null or empty where there is none.</param>
    /// <exception cref="ConfigurationException">The file cannot be read, or the setting is no hash.</exception>
    public static KeyRing Open(string path, string? bootstrap, TimeProvider clock)
    {
        if (bootstrap is { Length: > 0 } && !IsHash(bootstrap))
        {
            throw new ConfigurationException("settings: FORETIER__KEYS__BOOTSTRAP is not 64 hex digits (the SHA-256 of the key).");
        }
        var ring = new KeyRing(path, bootstrap is { Length: > 0 } ? Convert.FromHexString(bootstrap) : null, clock);
        try
        {
            if (TwoCopies.Read(path, out var problem) is { } text)
            {
                var set = JsonSerializer.Deserialize<KeySet>(text, NodeJson.Options) ?? throw new JsonException("the file is empty");
                ring._state = new(set.Keys.All(k => IsHash(k.Hash)) ? set : throw new JsonException("an entry has no hash"));
            }
            ring.Problem = problem;
            return ring;
        }
        catch (Exception broken) when (broken is JsonException or IOException or InvalidDataException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"cannot read the API keys in {path}: {broken.Message} Restore the file from a backup, or move it "
                + "away: a node below is told the keys again, at the top they have to be made again.", broken);
        }
    }

    /// <summary>Whose key this is; null where it is unknown, revoked or over.</summary>
    public Caller? Find(ReadOnlySpan<char> presented)
    {
        if (presented.Length > PresentedMax)
        {
            return null;
        }
        Span<byte> bytes = stackalloc byte[Encoding.UTF8.GetMaxByteCount(presented.Length)];
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(presented, bytes)], hash);
        if (_bootstrap is not null && CryptographicOperations.FixedTimeEquals(hash, _bootstrap))
        {
            return Bootstrap;
        }
        // Found by its hash: how long a search takes tells nothing of a key that one does not have.
        return _state.Callers.TryGetValue(Convert.ToHexStringLower(hash), out var found) && !IsOver(found.Key) ? found.Caller : null;
    }

    /// <summary>Makes a key and writes it down.</summary>
    /// <inheritdoc cref="Draft"/>
    public (StoredKey Stored, string Key) Create(string name, IReadOnlyList<string> accounts, bool isAdmin, TimeSpan? life)
    {
        var made = Draft(name, accounts, isAdmin, life);
        Change(set => With(set, made.Stored));
        return made;
    }

    /// <summary>Makes a key that nobody knows yet.</summary>
    /// <param name="life">Null: it does not end by itself.</param>
    /// <returns>What is kept, and the key, in clear for this once.</returns>
    /// <exception cref="ArgumentException">What was asked for cannot be; the message says what.</exception>
    public (StoredKey Stored, string Key) Draft(string name, IReadOnlyList<string> accounts, bool isAdmin, TimeSpan? life)
    {
        if (!SeriesKey.IsValidPart(name))
        {
            throw new ArgumentException($"'{name}' is no name: 1 to 128 of A-Z a-z 0-9 _ . : @ -");
        }
        if (isAdmin == accounts.Count > 0)
        {
            throw new ArgumentException(isAdmin ? "a key that administers reads all accounts: name none" : "name at least one account that the key may read, or let it administer");
        }
        if (accounts.FirstOrDefault(account => !SeriesKey.IsValidPart(account)) is { } wrong)
        {
            throw new ArgumentException($"'{wrong}' is no account: 1 to 128 of A-Z a-z 0-9 _ . : @ -");
        }
        if (life <= TimeSpan.Zero || life > TimeSpan.FromDays(36_500))
        {
            throw new ArgumentException("a key ends after more than nothing and at most 100 years");
        }
        var key = "ft_" + RandomNumberGenerator.GetString(Letters, KeyLetters);
        var now = Instant.Now(_clock);
        var stored = new StoredKey(RandomNumberGenerator.GetString(Letters, IdLetters), name, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key))),
            [.. accounts.Distinct(StringComparer.Ordinal)], isAdmin, now, life is { } span ? now + span.Ticks / TimeSpan.TicksPerMicrosecond : 0);
        return (stored, key);
    }

    /// <summary>A set with one key more, and without those that are over.</summary>
    public KeySet With(KeySet set, StoredKey added) => Next(set, keys => keys.Count < KeysMax ? [.. keys, added] : throw new ArgumentException($"there are {KeysMax} keys already: revoke some"));

    /// <summary>A set with one key less.</summary>
    public KeySet Without(KeySet set, string id) => Next(set, keys => [.. keys.Where(key => key.Id != id)]);

    /// <summary>Ends a key at once. Null where there is none of this id.</summary>
    public StoredKey? Revoke(string id)
    {
        var found = Current.Keys.FirstOrDefault(key => key.Id == id);
        if (found is not null)
        {
            Change(set => Without(set, id));
        }
        return found;
    }

    /// <summary>What an account is given.</summary>
    public AccountTerms TermsOf(string account) => Current.Accounts.GetValueOrDefault(account) ?? AccountTerms.Usual;

    /// <summary>Gives an account other terms.</summary>
    /// <exception cref="ArgumentException">It is no account, or the terms cannot be; the message says what.</exception>
    public void SetTerms(string account, AccountTerms terms) => Change(set => With(set, account, terms));

    /// <summary>A set in which an account has other terms; the same set where it has them already.</summary>
    /// <inheritdoc cref="SetTerms"/>
    public KeySet With(KeySet set, string account, AccountTerms terms)
    {
        if (!SeriesKey.IsValidPart(account))
        {
            throw new ArgumentException($"'{account}' is no account: 1 to 128 of A-Z a-z 0-9 _ . : @ -");
        }
        if ((set.Accounts.GetValueOrDefault(account) ?? AccountTerms.Usual) == terms.Validated())
        {
            return set;
        }
        var accounts = set.Accounts.Where(known => known.Key != account).ToDictionary(StringComparer.Ordinal);
        if (terms != AccountTerms.Usual)
        {
            accounts[account] = accounts.Count < AccountsMax ? terms : throw new ArgumentException($"{AccountsMax} accounts have terms already: give some the usual again");
        }
        return Next(set, keys => keys) with { Accounts = accounts };
    }

    /// <summary>Takes what the node above says over, and writes it down where it is news.</summary>
    /// <param name="onlyNewer">One of several nodes above says it: what is older than what another has said already is left.</param>
    public void Apply(KeySet set, bool onlyNewer = false)
    {
        lock (_lock)
        {
            if (!(onlyNewer && set.Revision <= Current.Revision) && !JsonSerializer.SerializeToUtf8Bytes(set, NodeJson.Options).AsSpan().SequenceEqual(JsonSerializer.SerializeToUtf8Bytes(Current, NodeJson.Options)))
            {
                Put(set);
            }
        }
    }

    /// <summary>Completes when the keys are others than these.</summary>
    public Task WaitForChangeAsync(KeySet known, CancellationToken cancel)
    {
        lock (_lock)
        {
            return ReferenceEquals(known, Current) ? _changed.Next.WaitAsync(cancel) : Task.CompletedTask;
        }
    }

    private static bool IsHash(string text) => text.Length == 64 && text.All(char.IsAsciiHexDigit);

    private bool IsOver(StoredKey key) => key.ExpiresAt > 0 && key.ExpiresAt <= Instant.Now(_clock);

    private KeySet Next(KeySet set, Func<IReadOnlyList<StoredKey>, IReadOnlyList<StoredKey>> change) =>
        set with { Revision = set.Revision + 1, Keys = change([.. set.Keys.Where(key => !IsOver(key))]) };

    private void Change(Func<KeySet, KeySet> change)
    {
        lock (_lock)
        {
            var next = change(Current);
            if (!ReferenceEquals(next, Current))
            {
                Put(next);
            }
        }
    }

    /// <summary>On disk first: what is not there must not work until the next start and then be gone, nor be gone and then work again.</summary>
    private void Put(KeySet set)
    {
        TwoCopies.Write(_path, JsonSerializer.SerializeToUtf8Bytes(set, NodeJson.Options), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _state = new(set);
        _changed.Set();
    }

    private sealed class State(KeySet set)
    {
        public KeySet Set => set;

        public FrozenDictionary<string, (StoredKey Key, Caller Caller)> Callers { get; } =
            set.Keys.ToFrozenDictionary(key => key.Hash, key => (key, new Caller(key.Id, key.Accounts, key.IsAdmin)), StringComparer.Ordinal);
    }
}

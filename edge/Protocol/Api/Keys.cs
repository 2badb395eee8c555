namespace Foretier.Protocol.Api;

/// <summary><c>GET /api/v1/keys</c></summary>
public sealed record KeysReply(IReadOnlyList<KeyEntry> Keys) : ApiDocument;

/// <summary>An API key, without what only its holder has.</summary>
/// <param name="Id">What it is revoked by.</param>
/// <param name="Name">What its maker calls it.</param>
/// <param name="Admin">True: it may do everything, for all accounts.</param>
public sealed record KeyEntry(string Id, string Name, bool Admin) : ApiDocument
{
    /// <summary>Accounts whose data it may read.</summary>
    public IReadOnlyList<string> Accounts { get; init; } = [];
    public ApiTime? CreatedAt { get; init; }

    /// <summary>When it stops working; none = never.</summary>
    public ApiTime? ExpiresAt { get; init; }
}

/// <summary>Body of <c>POST /api/v1/keys</c>.</summary>
/// <param name="Name">What to call it.</param>
/// <param name="Accounts">Accounts whose data it may read; none with <paramref name="Admin"/>.</param>
/// <param name="Admin">It may do everything, for all accounts.</param>
/// <param name="ExpiresAfterSeconds">None: it does not end by itself.</param>
public sealed record KeyRequest(string Name, IReadOnlyList<string>? Accounts, bool Admin = false, double? ExpiresAfterSeconds = null);

/// <summary>Answer to it.</summary>
/// <param name="Key">In clear for this once: nobody keeps it.</param>
public sealed record KeyMadeReply(KeyEntry Entry, string Key) : ApiDocument;

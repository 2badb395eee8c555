using Foretier.Core.Tiers;

namespace Foretier.Protocol.Api;

/// <summary><c>GET /api/v1/devices</c></summary>
public sealed record DevicesReply(IReadOnlyList<DeviceEntry> Devices) : ApiDocument;

/// <param name="Device">Its name, or <c>*</c> for a concentrator.</param>
public sealed record DeviceEntry(string Account, string Device) : ApiDocument
{
    /// <summary>The edge that knows it.</summary>
    public string? Edge { get; init; }

    /// <summary><c>active</c>, <c>silent</c>, <c>new</c> (never heard), <c>revoked</c>.</summary>
    public string? Status { get; init; }

    /// <summary>When a message of it last arrived.</summary>
    public ApiTime? LastSeen { get; init; }

    /// <summary>The interval it is expected to keep to, s: told, else learnt from its gaps; none where not known yet.</summary>
    public double? ExpectSeconds { get; init; }

    /// <summary>False where a concentrator speaks for it and it cannot connect by itself.</summary>
    public bool HasSecret { get; init; }

    /// <summary>Until then the secret before works too.</summary>
    public ApiTime? GraceUntil { get; init; }

    /// <summary>Serial numbers of its valid certificates.</summary>
    public IReadOnlyList<CertificateEntry>? Certificates { get; init; }

    /// <summary>Topic patterns of its own; none = those of its account, else its own topics.</summary>
    public IReadOnlyList<string>? Publish { get; init; }
    public IReadOnlyList<string>? Subscribe { get; init; }
}

/// <param name="Serial">Hexadecimal.</param>
/// <param name="NotAfter">When it ends.</param>
public sealed record CertificateEntry(string Serial, ApiTime NotAfter) : ApiDocument;

/// <summary>Body of <c>PUT /api/v1/devices/{account}/{device}</c>.</summary>
/// <param name="Secret">None: one is made up.</param>
public sealed record DeviceSecret(string? Secret)
{
    /// <summary>How long the secret before goes on to work, s.</summary>
    public double GraceSeconds { get; init; }

    /// <summary>The secret was made up by a node: 160 random bits, which need no slow hash.</summary>
    public bool Generated { get; init; }
}

/// <summary>Its answer, the only time the secret is shown.</summary>
public sealed record DeviceSecretReply(string Account, string Device, string Secret) : ApiDocument;

/// <summary>Body of <c>PATCH /api/v1/devices/{account}/{device}</c>; what is left out stays.</summary>
/// <param name="Publish">Topic patterns; empty = the default again.</param>
/// <param name="Subscribe">The same for what it may hear.</param>
/// <param name="ExpectSeconds">How often it is to be heard; 0 = learn it.</param>
public sealed record DeviceChange(IReadOnlyList<string>? Publish, IReadOnlyList<string>? Subscribe, double? ExpectSeconds);

/// <summary><c>GET /api/v1/accounts</c></summary>
public sealed record AccountsReply(IReadOnlyList<AccountEntry> Accounts) : ApiDocument;

/// <param name="Devices">Devices and concentrators of it that are known.</param>
public sealed record AccountEntry(string Account, int Devices) : ApiDocument
{
    /// <summary>The edge that knows it; none where it has terms alone.</summary>
    public string? Edge { get; init; }

    /// <summary>What it is given, as the node that was asked knows it; none = the usual.</summary>
    public AccountTerms? Terms { get; init; }

    /// <summary>What its devices may publish where they have no rules of their own; none = their own topics.</summary>
    public IReadOnlyList<string>? Publish { get; init; }
    public IReadOnlyList<string>? Subscribe { get; init; }
}

/// <summary>Body of <c>PUT /api/v1/accounts/{account}</c>; rules that are left out are the default.</summary>
public sealed record AccountRules(IReadOnlyList<string>? Publish, IReadOnlyList<string>? Subscribe);

/// <summary>Answer to <c>PUT /api/v1/accounts/{account}/terms</c>.</summary>
public sealed record AccountTermsReply(string Account, AccountTerms Terms) : ApiDocument;

/// <summary><c>POST /api/v1/devices/{account}/{device}/enrolment</c>: one token of each edge that may take the device.</summary>
public sealed record EnrolmentsReply(IReadOnlyList<EnrolmentEntry> Enrolments) : ApiDocument;

/// <param name="Token">Good for one certificate; shown this once.</param>
public sealed record EnrolmentEntry(string Edge, string Token, ApiTime Until) : ApiDocument;

/// <summary>What <c>POST /api/v1/enroll/{account}/{device}</c> becomes between nodes.</summary>
/// <param name="Request">The certificate request as it came (PKCS#10, PEM or DER).</param>
/// <param name="Certificate">Instead of a token or secret: the still valid certificate, DER,</param>
/// <param name="Signature">and what its key signs the request with.</param>
public sealed record EnrolmentRequest(byte[] Request, string? Token, string? Secret, byte[]? Certificate, byte[]? Signature);

/// <param name="Certificate">PEM.</param>
public sealed record EnrolmentReply(string Edge, string Certificate) : ApiDocument;

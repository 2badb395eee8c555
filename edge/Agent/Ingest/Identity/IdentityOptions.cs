using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest.Identity;

/// <summary>Who is let in. The default: only who has a secret or a certificate.</summary>
public sealed record IdentityOptions
{
    /// <summary>
    /// The account that messages of clients without user name and secret go to; null = such clients are refused, the default. They may publish
    /// for every device of it and hear nothing.
    /// </summary>
    public string? AnonymousAccount { get; init; }

    /// <summary>Life of a device certificate that this edge signs. Default 365.</summary>
    public int CertificateDays { get; init; } = 365;

    /// <summary>How long an enrolment token is good. Default 24.</summary>
    public int EnrolmentHours { get; init; } = 24;

    /// <summary>
    /// PEM files of further authorities whose client certificates are let in, beside the edge's own. Their common name is account/device, and
    /// the device must be known here and not revoked.
    /// </summary>
    public IReadOnlyList<string> TrustedAuthorities { get; init; } = [];

    /// <exception cref="ArgumentException">One cannot be read; the message names it.</exception>
    internal X509Certificate2Collection ReadTrusted()
    {
        var all = new X509Certificate2Collection();
        foreach (var file in TrustedAuthorities)
        {
            try
            {
                var before = all.Count;
                all.ImportFromPemFile(file);
                if (all.Count == before)
                {
                    throw new CryptographicException("there is none in it");
                }
            }
            catch (Exception failure) when (failure is CryptographicException or IOException or UnauthorizedAccessException)
            {
                throw new ArgumentException($"Identity:TrustedAuthorities: no certificate can be read from {file}: {failure.Message}", failure);
            }
        }
        return all;
    }

    /// <exception cref="ArgumentException">A value is impossible; the message names it.</exception>
    public IdentityOptions Validated()
    {
        if (AnonymousAccount is not null && !SeriesKey.IsValidPart(AnonymousAccount))
        {
            throw new ArgumentException("Identity:AnonymousAccount must be the name of an account, 1 to 128 of A-Z a-z 0-9 _ . : @ -");
        }
        if (CertificateDays is < 1 or > 3650)
        {
            throw new ArgumentException("Identity:CertificateDays must lie within 1 and 3650");
        }
        if (EnrolmentHours is < 1 or > 24 * 30)
        {
            throw new ArgumentException("Identity:EnrolmentHours must lie within 1 and 720");
        }
        return this;
    }
}

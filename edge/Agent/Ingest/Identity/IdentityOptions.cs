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

    /// <exception cref="ArgumentException">A value is impossible; the message names it.</exception>
    public IdentityOptions Validated()
    {
        if (AnonymousAccount is not null && !SeriesKey.IsValidPart(AnonymousAccount))
        {
            throw new ArgumentException("Identity:AnonymousAccount must be the name of an account, 1 to 128 of A-Z a-z 0-9 _ . : @ -");
        }
        return this;
    }
}

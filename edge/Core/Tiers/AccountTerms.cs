using Foretier.Core.Samples;

namespace Foretier.Core.Tiers;

/// <summary>
/// What an account is given, decided once at the top of an installation: input of forecasts and placement. Nothing is refused or deleted by it.
/// </summary>
public sealed record AccountTerms
{
    /// <summary>An account of which nothing is said.</summary>
    public static readonly AccountTerms Usual = new();

    /// <summary>A second that its readers wait counts so many times. 0.01 to 100, default 1.</summary>
    public double Priority { get; init; } = 1;

    /// <summary>What ended longer ago, s, is neither kept ready nor brought; null: no limit.</summary>
    public long? RetentionSeconds { get; init; }

    /// <summary>The clock that its habits follow, such as Europe/Rome; null: that of the edge.</summary>
    public string? TimeZone { get; init; }

    /// <summary>On the flash of edges.</summary>
    public TierTerms Ssd { get; init; } = TierTerms.Usual;

    /// <summary>On the disk of gateways.</summary>
    public TierTerms Hdd { get; init; } = TierTerms.Usual;

    /// <summary>In the object store, which takes everything: it has a price alone.</summary>
    public TierTerms Archive { get; init; } = TierTerms.Usual;

    public TierTerms On(Tier tier) => tier switch { Tier.Memory or Tier.Ssd => Ssd, Tier.Hdd => Hdd, _ => Archive };

    /// <summary>What a GB costs more on a tier than on the one below, a month; null where no price of the tier is told.</summary>
    public double? PriceAboveBelow(Tier tier) =>
        On(tier).PricePerGbMonth is { } price ? price - (tier < Tier.Archive ? On(tier + 1).PricePerGbMonth ?? 0 : 0) : null;

    /// <summary>From when on its data is of interest, µs.</summary>
    public long KeptFrom(long now) => RetentionSeconds is { } kept ? now - kept * Instant.Second : long.MinValue;

    /// <summary>The time zone it lives by; <paramref name="instead"/> where none is told, or one that this machine does not know.</summary>
    public TimeZoneInfo ZoneOr(TimeZoneInfo instead) => TimeZone is not null && TimeZoneInfo.TryFindSystemTimeZoneById(TimeZone, out var zone) ? zone : instead;

    /// <exception cref="ArgumentException">A value is impossible; the message names it.</exception>
    public AccountTerms Validated()
    {
        Require(Ssd is not null && Hdd is not null && Archive is not null, "ssd, hdd and archive are objects; leave one out for the usual");
        Require(Priority is >= 0.01 and <= 100, "priority must lie within 0.01 and 100");
        Require(RetentionSeconds is null or (>= 3_600 and <= 36_525L * 86_400), "retentionSeconds must lie within an hour and 100 years");
        Require(TimeZone is null || TimeZoneInfo.TryFindSystemTimeZoneById(TimeZone, out _), $"timeZone '{TimeZone}' is none this machine knows; use a name such as Europe/Rome");
        Require(Archive!.BytesMax is null, "the archive has a price and no bytesMax: it takes everything");
        foreach (var tier in new[] { Ssd!, Hdd!, Archive! })
        {
            Require(tier.BytesMax is null or >= 0, "bytesMax must be at least 0");
            Require(tier.PricePerGbMonth is null or (>= 0 and <= 1e9), "pricePerGbMonth must lie within 0 and 1e9");
        }
        return this;
    }

    private static void Require(bool holds, string rule)
    {
        if (!holds)
        {
            throw new ArgumentException(rule);
        }
    }
}

/// <summary>What an account is given on one tier.</summary>
public sealed record TierTerms
{
    public static readonly TierTerms Usual = new();

    /// <summary>Bytes that may be reserved for it, or brought ahead of its readers; null: as much as its samples and reads are worth.</summary>
    public long? BytesMax { get; init; }

    /// <summary>In any currency; null: not told.</summary>
    public double? PricePerGbMonth { get; init; }
}

namespace Foretier.Predict.Place;

/// <summary>What an account is given on a node: how much its reads count, how much it may take, how long its data is kept.</summary>
public sealed record AccountTerms
{
    /// <summary>An account of which nothing is said.</summary>
    public static readonly AccountTerms Usual = new();

    /// <summary>A second that its readers wait counts so many times. 0.01 to 100, default 1.</summary>
    public double Priority { get; init; } = 1;

    /// <summary>Bytes that it may take on the fast tier; null: as much as its reads are worth.</summary>
    public long? BytesMax { get; init; }

    /// <summary>What ended longer ago is neither kept nor brought; null: no limit.</summary>
    public TimeSpan? Retention { get; init; }

    /// <exception cref="ArgumentException">A value is impossible; the message names it.</exception>
    public AccountTerms Validated()
    {
        if (Priority is not (>= 0.01 and <= 100))
        {
            throw new ArgumentException($"{nameof(Priority)} must lie within 0.01 and 100");
        }
        if (BytesMax < 0)
        {
            throw new ArgumentException($"{nameof(BytesMax)} must be at least 0");
        }
        return Retention <= TimeSpan.Zero ? throw new ArgumentException($"{nameof(Retention)} must be above 0") : this;
    }
}

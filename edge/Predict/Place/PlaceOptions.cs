namespace Foretier.Predict.Place;

/// <summary>How placement weighs reads against moves and room.</summary>
public sealed record PlaceOptions
{
    /// <summary>What moving an average candidate costs, in average reads served slowly instead of fast. Default 0.25.</summary>
    public double MoveCost { get; init; } = 0.25;

    /// <summary>How long what was brought is expected to stay, so that a gain a day can be held against its moves. Default 10 days.</summary>
    public double StayDays { get; init; } = 10;

    /// <summary>How long before a reader is due what it reads is brought, for that one time if for nothing else. Default 2 h.</summary>
    public TimeSpan Lead { get; init; } = TimeSpan.FromHours(2);

    /// <summary>How long a rollup may go unread before it counts as wasted. Default 7 days.</summary>
    public TimeSpan RollupTimeToLive { get; init; } = TimeSpan.FromDays(7);

    /// <summary>
    /// Reads within that time that a rollup is built for; one that is there is kept for four fifths of them, since keeping it means to go on
    /// building. Default 1.25: where reads come at random, seven such rollups in ten are read in time.
    /// </summary>
    public double RollupReadsMin { get; init; } = 1.25;

    /// <summary>What a GB costs more on this tier than on the one below, a month, in any currency, to accounts that have no price of their own. Default 0.</summary>
    public double PricePerGbMonth { get; init; }

    /// <summary>What a second that somebody waits less is worth, in the same currency. Default 0.001: 3.60 an hour.</summary>
    public double SecondWorth { get; init; } = 0.001;

    /// <exception cref="ArgumentException">A value is impossible; the message names it.</exception>
    public PlaceOptions Validated()
    {
        Require(MoveCost >= 0, nameof(MoveCost), "at least 0");
        Require(StayDays > 0, nameof(StayDays), "above 0");
        Require(Lead >= TimeSpan.FromHours(1) && Lead <= TimeSpan.FromHours(24), nameof(Lead), "1 h to 24 h");
        Require(RollupTimeToLive >= TimeSpan.FromHours(1), nameof(RollupTimeToLive), "at least 1 h");
        Require(RollupReadsMin >= 0, nameof(RollupReadsMin), "at least 0");
        Require(PricePerGbMonth >= 0, nameof(PricePerGbMonth), "at least 0");
        Require(SecondWorth > 0, nameof(SecondWorth), "above 0");
        return this;
    }

    private static void Require(bool holds, string name, string allowed)
    {
        if (!holds)
        {
            throw new ArgumentException($"{name} must be {allowed}", name);
        }
    }
}

namespace Foretier.Protocol;

/// <summary>
/// How often series below were asked for, told down the links by the node that was asked, about once a minute; the questions themselves may
/// never get there.
/// </summary>
/// <param name="From">The node that tells it.</param>
/// <param name="Run">Which of its runs, so that numbers begin anew.</param>
/// <param name="Number">Counts up from 1. One that was told before is sent again where no answer came, and must not count twice.</param>
/// <param name="Counts">At most <see cref="CountsMax"/>.</param>
public sealed record AccessMessage(string From, long Run, long Number, IReadOnlyList<AccessCount> Counts)
{
    public const int CountsMax = 4_096;
}

/// <summary>Questions for one series within one hour.</summary>
/// <param name="Step">The rollup that suits what was asked, µs; 0 = raw samples.</param>
/// <param name="Shape">How old the start of the range and how long it was: the value of a <c>ReadShape</c>.</param>
/// <param name="Hour">Hours since 1970, UTC, by the clock of the node that was asked.</param>
public sealed record AccessCount(string Series, long Step, byte Shape, long Hour, int Count);

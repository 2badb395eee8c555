using Foretier.Core.Samples;

namespace Foretier.Node.Keys;

/// <summary>What a request may do.</summary>
/// <param name="Name">For the log and the limits; the id of its key.</param>
/// <param name="Accounts">Accounts it may read; empty with <see cref="IsAdmin"/> meaning all.</param>
public sealed record Caller(string Name, IReadOnlyList<string> Accounts, bool IsAdmin)
{
    /// <summary>A request that came over a link: the node above has checked its own callers.</summary>
    public static readonly Caller Node = new("node", [], true);

    public bool MayRead(string account) => IsAdmin || Accounts.Contains(account);

    public bool MayRead(SeriesKey series) => MayRead(series.Account);
}

using Foretier.Core.Partitions;
using Foretier.Core.Tiers;

namespace Foretier.Core.Query;

/// <summary>What a question found that it cannot have: nodes that did not answer, holdings that are lost. Mostly nothing, and then nothing is made for it.</summary>
internal sealed class Avoided
{
    private HashSet<string>? _nodes;
    private HashSet<(string Node, string Edge, Window Window, long After)>? _lost;

    /// <summary>Which holdings a plan has to do without; null: none.</summary>
    public Func<Holding, bool>? Holdings => _nodes is null && _lost is null ? null : Has;

    public bool Has(Holding holding) =>
        _nodes?.Contains(holding.Node) == true || _lost?.Contains((holding.Node, holding.Edge, holding.Window, holding.After)) == true;

    /// <returns>False where it was known.</returns>
    public bool Add(string node) => (_nodes ??= []).Add(node);

    /// <summary>Adds the holdings that are lost there.</summary>
    /// <returns>False where all were known.</returns>
    public bool AddLost(Fetched fetched)
    {
        var isNews = false;
        foreach (var number in fetched.Result?.Lost ?? [])
        {
            var part = fetched.Fetch.Request.Parts[number];
            isNews |= (_lost ??= []).Add((fetched.Fetch.Node, part.Edge, part.Window, part.After));
        }
        return isNews;
    }
}

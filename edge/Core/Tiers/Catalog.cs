using Foretier.Core.Partitions;
using Foretier.Core.Samples;

namespace Foretier.Core.Tiers;

/// <summary>What is known of a series besides its samples.</summary>
/// <param name="Name">account/device/measurement.</param>
/// <param name="Edge">The edge that takes it in; a device that moved has one entry for each edge.</param>
/// <param name="Unit">SenML unit, null where none was given.</param>
/// <param name="Kind">gauge, counter, state or event.</param>
public sealed record SeriesInfo(string Name, string Edge, string? Unit, string Kind);

/// <summary>
/// What changed between two revisions of a catalog. Reset says that this is all there is and older knowledge is void.
/// </summary>
public sealed record CatalogUpdate(
    long Revision, bool Reset, IReadOnlyList<SeriesInfo> Series, IReadOnlyList<Holding> Holdings, IReadOnlyList<HoldingKey> Removed);

/// <summary>Identifies a holding: one node keeps at most one for each (edge, window, tier, after).</summary>
public sealed record HoldingKey(string Edge, Window Window, string Node, Tier Tier, long After)
{
    public static HoldingKey Of(Holding holding) => new(holding.Edge, holding.Window, holding.Node, holding.Tier, holding.After);
}

/// <summary>
/// The truth about who holds what. Each node writes the entries of what it holds, and learns those of the nodes below it;
/// it can be rebuilt from the files at any time. Thread-safe; readers take <see cref="View"/>, an immutable picture.
/// </summary>
public sealed class Catalog
{
    private readonly Lock _lock = new();

    /// <summary>By edge and name. (One table of all would be copied whole, tens of megabytes at a time, as a fleet's catalogs come in.)</summary>
    private readonly Dictionary<string, Dictionary<string, (SeriesInfo Info, long Revision, bool IsOld)>> _series = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _words = new(StringComparer.Ordinal);
    private readonly Dictionary<HoldingKey, (Holding Holding, long Revision)> _holdings = [];
    private readonly Dictionary<HoldingKey, long> _removed = [];
    private readonly Signal _changed = new();
    private CatalogView? _view;
    private SeriesList? _listed;
    private long _revision;

    public CatalogView View
    {
        get
        {
            lock (_lock)
            {
                _listed ??= new([.. _series.Values.SelectMany(edge => edge.Values).Select(s => s.Info)]);
                return _view ??= new(_revision, _listed, [.. _holdings.Values.Select(h => h.Holding)]);
            }
        }
    }

    /// <summary>True where <see cref="View"/> and looking in it take no time; else the next to ask makes both, of all series and holdings.</summary>
    public bool IsAtHand
    {
        get
        {
            lock (_lock)
            {
                return _view is not null && _listed is { IsIndexed: true };
            }
        }
    }

    public void Put(SeriesInfo series) => Put(series, isOld: false);

    /// <param name="isOld">It tells how things were: what its edge or gateway has said since goes before it.</param>
    private void Put(SeriesInfo series, bool isOld)
    {
        lock (_lock)
        {
            if (!_series.TryGetValue(series.Edge, out var ofEdge))
            {
                _series[series.Edge] = ofEdge = new(StringComparer.Ordinal);
            }
            var isKnown = ofEdge.TryGetValue(series.Name, out var known);
            if (isKnown && isOld && !known.IsOld)
            {
                return;
            }
            if (!isKnown || known.Info != series)
            {
                // What hundreds of thousands of series say alike is kept once: read from documents, each has its own.
                series = series with { Edge = Word(series.Edge), Unit = series.Unit is null ? null : Word(series.Unit), Kind = Word(series.Kind) };
                ofEdge[series.Name] = (series, Advance(), isOld);
                _listed = null;
            }
            else if (known.IsOld && !isOld)
            {
                ofEdge[series.Name] = known with { IsOld = false };
            }
        }
    }

    public void Put(Holding holding)
    {
        lock (_lock)
        {
            var key = HoldingKey.Of(holding);
            if (!_holdings.TryGetValue(key, out var known) || known.Holding != holding)
            {
                _holdings[key] = (holding, Advance());
                _removed.Remove(key);
            }
        }
    }

    public void Remove(HoldingKey key)
    {
        lock (_lock)
        {
            if (_holdings.Remove(key))
            {
                _removed[key] = Advance();
            }
        }
    }

    /// <summary>Replaces holdings in one step, so that no reader sees the window nowhere or twice.</summary>
    public void Swap(IEnumerable<HoldingKey> remove, IEnumerable<Holding> put)
    {
        lock (_lock)
        {
            foreach (var key in remove)
            {
                Remove(key);
            }
            foreach (var holding in put)
            {
                Put(holding);
            }
        }
    }

    /// <summary>Takes over what another catalog said. A reset replaces all holdings whose node or edge is in <paramref name="ofNodes"/>.</summary>
    /// <param name="isOld">An archive's: units and kinds are as they were when it was written.</param>
    public void Apply(CatalogUpdate update, Func<HoldingKey, bool> ofNodes, bool isOld = false)
    {
        lock (_lock)
        {
            if (update.Reset)
            {
                var kept = update.Holdings.Select(HoldingKey.Of).ToHashSet();
                foreach (var key in _holdings.Keys.Where(key => ofNodes(key) && !kept.Contains(key)).ToList())
                {
                    Remove(key);
                }
            }
            foreach (var series in update.Series)
            {
                Put(series, isOld);
            }
            Swap(update.Removed, update.Holdings);
        }
    }

    /// <summary>What changed after a revision; everything, as a reset, where <paramref name="since"/> is 0 or too old to know.</summary>
    public CatalogUpdate ChangesSince(long since)
    {
        lock (_lock)
        {
            var reset = since <= 0 || since > _revision;
            return new(_revision, reset,
                [.. _series.Values.SelectMany(edge => edge.Values).Where(s => reset || s.Revision > since).Select(s => s.Info)],
                [.. _holdings.Values.Where(h => reset || h.Revision > since).Select(h => h.Holding)],
                reset ? [] : [.. _removed.Where(r => r.Value > since).Select(r => r.Key)]);
        }
    }

    /// <summary>Returns when the catalog is newer than <paramref name="revision"/>.</summary>
    public Task WaitForChangeAsync(long revision, CancellationToken cancel)
    {
        lock (_lock)
        {
            return _revision > revision ? Task.CompletedTask : _changed.Next.WaitAsync(cancel);
        }
    }

    private string Word(string text)
    {
        if (!_words.TryGetValue(text, out var word))
        {
            _words[text] = word = text;
        }
        return word;
    }

    private long Advance()
    {
        _view = null;
        _revision++;
        _changed.Set();
        return _revision;
    }
}

/// <summary>A window and what is held of it: by the edge, by those below it, by several at once.</summary>
public sealed record HeldWindow(Window Window, IReadOnlyList<Holding> Holdings);

/// <summary>One immutable picture of a catalog.</summary>
public sealed class CatalogView
{
    private readonly SeriesList _series;
    private readonly Dictionary<string, HeldWindow[]> _byEdge;

    public CatalogView(long revision, IReadOnlyList<SeriesInfo> series, IReadOnlyList<Holding> holdings)
        : this(revision, new SeriesList([.. series]), holdings)
    {
    }

    /// <param name="series">May be shared with other views: holdings change more often than series do.</param>
    internal CatalogView(long revision, SeriesList series, IReadOnlyList<Holding> holdings)
    {
        Revision = revision;
        _series = series;
        Holdings = holdings;
        _byEdge = holdings.GroupBy(h => h.Edge).ToDictionary(edge => edge.Key,
            HeldWindow[] (edge) => [.. edge.GroupBy(h => h.Window).Select(window => new HeldWindow(window.Key, [.. window])).OrderBy(held => held.Window)]);
    }

    public long Revision { get; }
    public IReadOnlyList<SeriesInfo> Series => _series.All;
    public IReadOnlyList<Holding> Holdings { get; }

    public IEnumerable<SeriesInfo> Named(string name) => _series.Named(name);
    public IEnumerable<Holding> OfEdge(string edge) => WindowsOf(edge).SelectMany(held => held.Holdings);

    /// <summary>The windows of an edge, in order of time, and who has what of each.</summary>
    public IReadOnlyList<HeldWindow> WindowsOf(string edge) => _byEdge.GetValueOrDefault(edge, []);

    /// <summary>Index of the first of <see cref="WindowsOf"/> that ends after a time: windows of an edge do not overlap.</summary>
    public int FirstWindow(string edge, long after)
    {
        var windows = _byEdge.GetValueOrDefault(edge, []);
        int low = 0, high = windows.Length;
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = windows[middle].Window.End > after ? (low, middle) : (middle + 1, high);
        }
        return low;
    }

    /// <summary>How many series an edge took in.</summary>
    public int SeriesOf(string edge) => _series.CountOf(edge);

    public IEnumerable<SeriesInfo> Matching(SeriesGlob glob) =>
        glob.IsExact ? _series.Named(glob.Text) : Series.Where(s => SeriesKey.TryParse(s.Name, out var key) && glob.Matches(key!));
}

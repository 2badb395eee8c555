using Foretier.Protocol;

namespace Foretier.Node.Access;

/// <summary>
/// Counts on their way to the edges that own the series, added up until they can be sent. Bounded: where an edge stays away, what waits
/// for the edge that has most waiting is given up. Thread-safe.
/// </summary>
internal sealed class PendingCounts(int keysMax)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Dictionary<(string Series, long Step, byte Shape, long Hour), int>> _waiting = new(StringComparer.Ordinal);
    private int _keys;
    private long _dropped;

    /// <summary>Questions that were given up.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    public void Add(string edge, AccessCount count)
    {
        lock (_lock)
        {
            if (!_waiting.TryGetValue(edge, out var counts))
            {
                _waiting[edge] = counts = [];
            }
            var key = (count.Series, count.Step, count.Shape, count.Hour);
            if (!counts.TryGetValue(key, out var before) && ++_keys > keysMax)
            {
                var (most, given) = _waiting.MaxBy(w => w.Value.Count);
                Interlocked.Add(ref _dropped, given.Values.Sum(n => (long)n));
                _keys -= given.Count;
                _waiting.Remove(most);
                _waiting[edge] = counts = _waiting.GetValueOrDefault(edge) ?? [];
            }
            counts[key] = (int)Math.Min(int.MaxValue, (long)before + count.Count);
        }
    }

    /// <summary>All that waits, by edge.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<AccessCount>> All()
    {
        lock (_lock)
        {
            return _waiting.ToDictionary(edge => edge.Key, edge => (IReadOnlyList<AccessCount>)[.. edge.Value.Select(c => new AccessCount(c.Key.Series, c.Key.Step, c.Key.Shape, c.Key.Hour, c.Value))]);
        }
    }

    /// <summary>Takes counts of the edges for which <paramref name="linkOf"/> names a link, by that link: of each at most one message full.</summary>
    /// <remarks>A series of two edges behind one link is told once: who passes it on knows both.</remarks>
    public Dictionary<string, List<AccessCount>> Take(Func<string, string?> linkOf)
    {
        var taken = new Dictionary<string, Dictionary<(string Series, long Step, byte Shape, long Hour), int>>(StringComparer.Ordinal);
        lock (_lock)
        {
            foreach (var (edge, counts) in _waiting)
            {
                if (linkOf(edge) is not { } link)
                {
                    continue;
                }
                if (!taken.TryGetValue(link, out var message))
                {
                    taken[link] = message = [];
                }
                foreach (var (key, count) in counts.Take(AccessMessage.CountsMax - message.Count).ToList())
                {
                    message[key] = Math.Max(count, message.GetValueOrDefault(key));
                    counts.Remove(key);
                    _keys--;
                }
            }
            foreach (var done in _waiting.Where(w => w.Value.Count == 0).Select(w => w.Key).ToList())
            {
                _waiting.Remove(done);
            }
        }
        return taken.ToDictionary(t => t.Key, t => t.Value.Select(c => new AccessCount(c.Key.Series, c.Key.Step, c.Key.Shape, c.Key.Hour, c.Value)).ToList());
    }
}

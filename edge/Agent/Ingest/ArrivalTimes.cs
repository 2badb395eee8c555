using System.Collections.Concurrent;

namespace Foretier.Agent.Ingest;

/// <summary>
/// Gives samples that come without a time the time of their arrival, never the same twice in one series, whatever connection they come by:
/// two readings within a microsecond, or a clock set back, would otherwise overwrite each other.
/// </summary>
internal sealed class ArrivalTimes
{
    private readonly ConcurrentDictionary<int, Series> _series = new();

    public Series Of(int series) => _series.GetOrAdd(series, static _ => new());

    public sealed class Series
    {
        private long _last;

        /// <summary><paramref name="now"/>, or the microsecond after the last one given where that is later.</summary>
        public long Next(long now)
        {
            while (true)
            {
                var last = Volatile.Read(ref _last);
                var next = Math.Max(now, last + 1);
                if (Interlocked.CompareExchange(ref _last, next, last) == last)
                {
                    return next;
                }
            }
        }
    }
}

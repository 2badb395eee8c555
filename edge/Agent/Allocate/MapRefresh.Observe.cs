using Foretier.Agent.Hot;
using Foretier.Core.Samples;
using Foretier.Predict.Volume;

namespace Foretier.Agent.Allocate;

public sealed partial class MapRefresh
{
    private readonly Func<int, string?> _nameOf;
    private readonly Lock _handlesLock = new();
    private volatile SeriesVolume?[] _byHandle = [];

    /// <summary>Counts accepted samples of one series. Thread-safe; tens of nanoseconds.</summary>
    /// <param name="series">The handle the hot store gave.</param>
    /// <param name="time">The time of the samples, µs: of any one of those that lie in the same hour.</param>
    public void Observe(int series, long time, int count)
    {
        var known = _byHandle;
        var volume = (uint)series < (uint)known.Length ? known[series] : null;
        if ((volume ?? Learn(series)) is { } found)
        {
            found.Observe(time, count);
        }
    }

    /// <inheritdoc cref="Observe(int, long, int)"/>
    public void Observe(string series, long time, int count) => Of(series).Observe(time, count);

    /// <summary>Counts the samples of one message; runs of one series within an hour are counted together.</summary>
    public void Observe(ReadOnlySpan<IncomingSample> samples)
    {
        for (var i = 0; i < samples.Length;)
        {
            ref readonly var first = ref samples[i];
            var hour = first.Time / Instant.Hour;
            var from = i;
            do
            {
                i++;
            }
            while (i < samples.Length && samples[i].Series == first.Series && samples[i].Time / Instant.Hour == hour);
            Observe(first.Series, first.Time, i - from);
        }
    }

    /// <summary>The clock passed over this time, as when the box slept: nobody was counting then.</summary>
    public void Missed(TimeRange range) => Volumes.MarkGap(range);

    private SeriesVolume Of(string name)
    {
        if (Volumes.Find(name) is { } known)
        {
            return known;
        }
        var begun = Volumes.Of(name);
        Request();
        return begun;
    }

    private SeriesVolume? Learn(int series)
    {
        if (series < 0 || _nameOf(series) is not { } name)
        {
            return null;
        }
        var volume = Of(name);
        lock (_handlesLock)
        {
            var handles = _byHandle;
            if (series >= handles.Length)
            {
                Array.Resize(ref handles, Math.Max(series + 1, handles.Length * 2));
            }
            handles[series] = volume;
            _byHandle = handles;
        }
        return volume;
    }

    private void ForgetHandles()
    {
        lock (_handlesLock)
        {
            _byHandle = [];
        }
    }
}

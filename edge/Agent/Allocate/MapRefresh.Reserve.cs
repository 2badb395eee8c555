using Foretier.Agent.Hot;
using Foretier.Core.Partitions;
using Foretier.Predict.Place;

namespace Foretier.Agent.Allocate;

public sealed partial class MapRefresh
{
    private static readonly TimeSpan ShortageRetry = TimeSpan.FromSeconds(10);

    private readonly Dictionary<Window, long> _reserved = [];
    private string? _shortage;

    /// <summary>Bytes that windows that are open or about to open were predicted to need at the last refresh, and those of them that are set aside.</summary>
    internal (long Wanted, long Reserved) Room { get; private set; }

    /// <summary>Of some windows that the gateway has too, the one that is worth least a byte here.</summary>
    public Window LeastWorth(IReadOnlyList<(Window Window, long Bytes)> among) => KeepOrder.LeastWorth(_options.Place, _termsOf, Expected, among, Core.Samples.Instant.Now(_clock));

    /// <summary>
    /// Has the windows that open soon made ready, and the one that is open given what it turns out to need more. Where one cannot have all that nine in ten would need, it gets as much as there is, in the
    /// order of its accounts' priorities, and the rest is said now rather than when its samples come.
    /// </summary>
    private async Task<string?> ReserveAsync(PartitionMap map, long now, CancellationToken cancel)
    {
        string? problem = null;
        foreach (var past in _reserved.Keys.Where(window => window.End <= now).ToList())
        {
            _reserved.Remove(past);
        }
        var ahead = (long)_options.ReserveAhead.TotalMicroseconds;
        var (wanted, reserved) = (0L, 0L);
        foreach (var next in map.Entries.Where(e => ahead > 0 && e.Id.Window.End > now && e.Id.Window.Start <= now + ahead).GroupBy(e => e.Id.Window))
        {
            var bytes = next.Sum(e => e.Reserved.Ssd);
            wanted += bytes;
            if (bytes > _reserved.GetValueOrDefault(next.Key))
            {
                problem = await ReserveAsync([.. next], bytes, cancel).ConfigureAwait(false) ?? problem;
            }
            reserved += _reserved.GetValueOrDefault(next.Key);
        }
        Room = (wanted, reserved);
        return problem;
    }

    private async Task ReserveAgainAsync(CancellationToken cancel)
    {
        await _one.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            _shortage = await ReserveAsync(_current, Core.Samples.Instant.Now(_clock), cancel).ConfigureAwait(false);
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task<string?> ReserveAsync(List<PartitionEntry> entries, long bytes, CancellationToken cancel)
    {
        var window = entries[0].Id.Window;
        try
        {
            await _reserve(window, bytes, cancel).ConfigureAwait(false);
            _reserved[window] = bytes;
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or HotStoreUnavailableException)
        {
            var room = await ReserveLessAsync(window, bytes / 2, cancel).ConfigureAwait(false);
            var shares = ReservePolicy.Share([.. entries.Select(entry => new Reservation(entry.Id.ToString(), entry.Id.Account,
                entry.SamplesP90 == 0 ? 0 : (long)(entry.Reserved.Ssd * (double)entry.SamplesP50 / entry.SamplesP90), entry.Reserved.Ssd))], room, _termsOf);
            var without = shares.Where(share => share.Short > 0).Select(share => entries[share.Index].Id.ToString()).ToList();
            var problem = $"{bytes} bytes cannot be reserved for window {window}, {room} are: {e.Message}. Short are {string.Join(", ", without.Take(3))}"
                + (without.Count > 3 ? $" and {without.Count - 3} more" : "");
            if (_shortage is null)
            {
                _log.LogWarning("{Problem}; trying on", problem);
            }
            return problem;
        }
    }

    /// <summary>As much as there is, by halves, down to a twentieth.</summary>
    private async Task<long> ReserveLessAsync(Window window, long bytes, CancellationToken cancel)
    {
        for (var least = bytes / 10; bytes > least && bytes > _reserved.GetValueOrDefault(window); bytes /= 2)
        {
            try
            {
                await _reserve(window, bytes, cancel).ConfigureAwait(false);
                _reserved[window] = bytes;
                break;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or HotStoreUnavailableException)
            {
                // Said already; less may do.
            }
        }
        return _reserved.GetValueOrDefault(window);
    }
}

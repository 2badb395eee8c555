using Foretier.Core.Tiers;
using Microsoft.Extensions.Logging;

namespace Foretier.Gateway.Warm;

/// <content>What edges say of their series, kept for when they are gone.</content>
public sealed partial class WarmStore
{
    /// <summary>Takes over kind and unit of series held here, as their edge says they are now. Returns at once.</summary>
    public void Learn(IReadOnlyList<SeriesInfo> told)
    {
        var changed = told.Where(info => _series.TryGetValue((info.Edge, info.Name), out var known) && known.Info != info).ToList();
        if (changed.Count > 0)
        {
            _ = Task.Run(() => LearnAsync(changed));
        }
    }

    private async Task LearnAsync(List<SeriesInfo> changed)
    {
        try
        {
            await _writing.WaitAsync().ConfigureAwait(false);
            try
            {
                _index.Writer.Transact(() => changed.ForEach(info => _index.WriteSeries(info)));
                foreach (var info in changed)
                {
                    _series[(info.Edge, info.Name)] = (_series[(info.Edge, info.Name)].Id, info);
                }
            }
            finally
            {
                _writing.Release();
            }
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException or Microsoft.Data.Sqlite.SqliteException)
        {
            // It is told again with the next batch that has samples of the series, and at the next link.
            _log.LogWarning("Kind or unit of {Count} series could not be written down: {Reason}", changed.Count, failure.Message);
        }
    }
}

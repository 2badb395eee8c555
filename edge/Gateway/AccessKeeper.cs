using Foretier.Core.Samples;
using Foretier.Durable;
using Foretier.Predict;
using Foretier.Predict.Access;
using Foretier.Predict.Models;
using Foretier.Protocol;

namespace Foretier.Gateway;

/// <summary>
/// The gateway's access log: what was asked here, and above, of the series of its edges; and once an hour what is expected to be asked. Saved
/// with each forecast and at the end; where that fails the gateway goes on with what is in memory, and says so.
/// </summary>
internal sealed class AccessKeeper : IAsyncDisposable
{
    private readonly string _path;
    private readonly TimeProvider _clock;
    private readonly ILogger<AccessKeeper> _log;
    private readonly AccessForecaster _forecaster;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    /// <summary>Opens what was kept; what is damaged is moved aside, named in the log, and begun anew.</summary>
    /// <param name="startRanker">Starts what runs access-ranker for a cycle; null: EWMA-28d only.</param>
    /// <param name="zoneOf">The time zone an account lives by.</param>
    public AccessKeeper(string folder, Func<CancellationToken, Task<IInference>>? startRanker, Func<string, TimeZoneInfo> zoneOf, TimeProvider clock, ILogger<AccessKeeper> log)
    {
        (_path, _clock, _log) = (Path.Combine(folder, "access-log"), clock, log);
        Log = SealedFile.Read(_path, stream => AccessLog.Load(stream), (path, reason) =>
            log.LogWarning("{Path} is damaged ({Reason}); it is kept as {Path}.damaged, and begun anew", path, reason, path)) ?? new();
        _forecaster = new(zoneOf, startRanker);
        Expected = AccessForecast.Of(Log, Instant.Now(clock));
        _loop = RunAsync(_stop.Token);
    }

    public AccessLog Log { get; }

    /// <summary>What is expected to be read in the next 24 hours, as of the last full hour. Swapped whole.</summary>
    public AccessForecast Expected { get; private set; }

    /// <summary>Why the log could not be saved, or the model not be used, for the health page; null where all went well.</summary>
    public string? Problem => _unsaved ?? (_forecaster.Failure is { } failure ? $"reads are expected by EWMA-28d: {failure.Message}" : null);

    private string? _unsaved;

    public void Count(AccessCount count) => Log.Record(count.Series, count.Step, new(count.Shape), count.Hour * Instant.Hour, count.Count, Instant.Now(_clock));

    private async Task RunAsync(CancellationToken stop)
    {
        try
        {
            while (true)
            {
                var now = Instant.Now(_clock);
                await Task.Delay(TimeSpan.FromMicroseconds(Instant.Hour - now % Instant.Hour), _clock, stop).ConfigureAwait(false);
                Expected = await _forecaster.MakeAsync(Log, Instant.Now(_clock), stop).ConfigureAwait(false);
                Save();
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Asked to stop.
        }
    }

    private void Save()
    {
        try
        {
            Disk.Replace(_path, Log.Save);
            _unsaved = null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _unsaved = $"{_path} cannot be written: {e.Message}";
            _log.LogWarning("{Problem}; going on with what is in memory", _unsaved);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Save();
        _stop.Dispose();
    }
}

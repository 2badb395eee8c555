using Foretier.Core.Samples;
using Foretier.Durable;
using Foretier.Predict;
using Foretier.Predict.Access;
using Foretier.Protocol;

namespace Foretier.Gateway;

/// <summary>
/// The gateway's access log: what was asked here, and above, of the series of its edges. Saved every half hour and at the end; where that
/// fails the gateway goes on with what is in memory, and says so.
/// </summary>
internal sealed class AccessKeeper : IAsyncDisposable
{
    private static readonly TimeSpan SaveEvery = TimeSpan.FromMinutes(30);

    private readonly string _path;
    private readonly TimeProvider _clock;
    private readonly ILogger<AccessKeeper> _log;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    /// <summary>Opens what was kept; what is damaged is moved aside, named in the log, and begun anew.</summary>
    public AccessKeeper(string folder, TimeProvider clock, ILogger<AccessKeeper> log)
    {
        (_path, _clock, _log) = (Path.Combine(folder, "access-log"), clock, log);
        Log = SealedFile.Read(_path, stream => AccessLog.Load(stream), (path, reason) =>
            log.LogWarning("{Path} is damaged ({Reason}); it is kept as {Path}.damaged, and begun anew", path, reason, path)) ?? new();
        _loop = RunAsync(_stop.Token);
    }

    public AccessLog Log { get; }

    /// <summary>Why the log could not be saved, for the health page; null where it could.</summary>
    public string? Problem { get; private set; }

    public void Count(AccessCount count) => Log.Record(count.Series, count.Step, new(count.Shape), count.Hour * Instant.Hour, count.Count);

    private async Task RunAsync(CancellationToken stop)
    {
        try
        {
            while (true)
            {
                await Task.Delay(SaveEvery, _clock, stop).ConfigureAwait(false);
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
            Problem = null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Problem = $"{_path} cannot be written: {e.Message}";
            _log.LogWarning("{Problem}; going on with what is in memory", Problem);
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

using System.Threading.Channels;
using Foretier.Agent.Hot;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Node.Hosting;
using Foretier.Predict;
using Foretier.Predict.Access;
using Foretier.Predict.Models;
using Foretier.Predict.Plan;
using Foretier.Predict.Volume;
using Foretier.Protocol;

namespace Foretier.Agent.Allocate;

/// <summary>
/// Keeps the edge's partition map: counts what comes in, draws the map up at start, at every full hour and when asked, keeps it on disk,
/// tells who waits for it, and has the room of the next window reserved before it opens.
/// </summary>
/// <remarks>
/// The map is a hint: when the disk is full or a file is damaged, the agent goes on with what it has in memory, and <see cref="Problem"/> says so.
/// </remarks>
public sealed partial class MapRefresh : IAsyncDisposable
{
    /// <summary>Maps kept so that readers behind by so many changes can be told the difference only.</summary>
    private const int MapsKept = 8;

    private readonly AllocateOptions _options;
    private readonly Catalog _catalog;
    private readonly Func<Window, long, CancellationToken, Task> _reserve;
    private readonly TimeProvider _clock;
    private readonly ILogger<MapRefresh> _log;
    private readonly Func<string, AccountTerms> _termsOf;
    private readonly PartitionPlanner _planner;
    private readonly ForecastCycle _cycle;
    private readonly AccessForecaster _accessForecaster;
    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly Channel<bool> _requests = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly Queue<PartitionMap> _earlier = new();
    private readonly Signal _changed = new();
    private volatile PartitionMap _current;
    private string? _problem;
    private long _savedAt;

    /// <summary>Opens what was kept. What is damaged is moved aside, named in the log, and begun anew.</summary>
    /// <param name="reserve">Creates the file of a window that is to come, with so many bytes; called again where more turn out to be needed.</param>
    /// <param name="nameOf">The name of a series handle, for <see cref="Observe(int, long, int)"/>; null for handles it does not know.</param>
    /// <param name="startModel">Starts what runs volume-lstm for a cycle; null: seasonal baselines only.</param>
    /// <param name="startRanker">Starts what runs access-ranker for a cycle; null: EWMA-28d only.</param>
    /// <param name="termsOf">What an account is given; null: the usual to all.</param>
    /// <param name="afterwards">Told of each full cycle: whoever tries another model.</param>
    public MapRefresh(
        AllocateOptions options, Catalog catalog, Func<Window, long, CancellationToken, Task> reserve, Func<int, string?> nameOf,
        TimeProvider clock, ILogger<MapRefresh> log, Func<CancellationToken, Task<IInference>>? startModel = null,
        Func<CancellationToken, Task<IInference>>? startRanker = null, Func<string, AccountTerms>? termsOf = null, Func<ForecastHour, CancellationToken, Task>? afterwards = null)
    {
        _options = options.Validated();
        _catalog = catalog;
        _reserve = reserve;
        _nameOf = nameOf;
        _clock = clock;
        _log = log;
        _termsOf = termsOf ?? (_ => AccountTerms.Usual);
        _planner = new(options.Planner, ZoneOf, _termsOf);
        Volumes = LoadVolumes();
        Access = SealedFile.Read(PathOf(AccessFile), stream => AccessLog.Load(stream), Damaged) ?? new();
        _current = LoadMap();
        _cycle = new(Volumes, catalog, ZoneOf, startModel, afterwards);
        _accessForecaster = new(ZoneOf, startRanker);
        Expected = AccessForecast.Of(Access, Instant.Now(clock));
        LoadLearned();
    }

    /// <summary>The map as of now. Never null; swapped whole.</summary>
    public PartitionMap Current => _current;

    public VolumeHistory Volumes { get; }

    /// <summary>Every question for the edge's series, asked here or above, belongs in here.</summary>
    public AccessLog Access { get; }

    /// <summary>What is expected to be read in the next 24 hours, as of the last refresh. Swapped whole.</summary>
    public AccessForecast Expected { get; private set; }

    public void Count(AccessCount count) => Access.Record(count.Series, count.Step, new(count.Shape), count.Hour * Instant.Hour, count.Count, Instant.Now(_clock));

    /// <summary>What could not be done at the last refresh, for the health page; null where all went well.</summary>
    public string? Problem => _shortage ?? _problem;

    /// <summary>Ends when the loop has ended: faulted if it died of what it did not expect.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    /// <summary>Raised after each change, on the refreshing thread.</summary>
    public event Action<PartitionMap>? Changed;

    public void Start()
    {
        if (!Completion.IsCompleted)
        {
            throw new InvalidOperationException("already started");
        }
        Completion = RunAsync(_stop.Token);
    }

    /// <summary>Asks for a refresh soon. Many requests are one.</summary>
    public void Request() => _requests.Writer.TryWrite(true);

    /// <summary>Draws up the map now, and returns when it stands.</summary>
    public async Task<PartitionMap> RefreshAsync(CancellationToken cancel)
    {
        await _one.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            string? problem = null;
            var now = Instant.Now(_clock);
            if (Volumes.Trim(now) > 0)
            {
                ForgetHandles();
            }
            var isLarge = await ForecastAsync(now, cancel).ConfigureAwait(false);
            Tidy(isLarge);
            Expected = await _accessForecaster.MakeAsync(Access, now, cancel).ConfigureAwait(false);
            var map = _planner.Plan(_options.Node, Volumes, Expected, MeasureBytes(), _current, now, _cycle.Of);
            if (!ReferenceEquals(map, _current))
            {
                Save(MapFile, stream => PartitionMapFile.Save(stream, map), ref problem);
                Swap(map);
            }
            Tidy(isLarge);
            if (now - _savedAt >= Instant.Hour / 2)
            {
                SaveCounts(now, ref problem);
            }
            if (now - _learnedAt >= LearnedEvery || now < _learnedAt)
            {
                SaveLearned(now, ref problem);
            }
            _shortage = await ReserveAsync(map, now, cancel).ConfigureAwait(false);
            _problem = problem ?? (_cycle.Failure is { } failure ? $"forecasts come from seasonal baselines: {failure.Message}"
                : _accessForecaster.Failure is { } without ? $"reads are expected by EWMA-28d: {without.Message}" : null);
            return map;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>
    /// Forecasting thousands of series, and planning with them, each leave behind as much as all else the agent keeps, which by itself goes only after hours:
    /// twice an hour some 50 ms are spent to give it back.
    /// </summary>
    private static void Tidy(bool isLarge)
    {
        if (isLarge)
        {
            Intake.GiveBack();
        }
    }

    /// <summary>What changed after a revision; the whole map where that revision is not known here.</summary>
    public PartitionMapUpdate ChangesSince(long revision)
    {
        lock (_lock)
        {
            var current = _current;
            return revision == current.Revision ? PartitionMapUpdate.Between(current, current)
                : _earlier.FirstOrDefault(map => map.Revision == revision) is { } known ? PartitionMapUpdate.Between(known, current)
                : PartitionMapUpdate.Whole(current);
        }
    }

    /// <summary>Returns when the map's revision is another than <paramref name="revision"/>.</summary>
    public Task WaitForChangeAsync(long revision, CancellationToken cancel)
    {
        lock (_lock)
        {
            return _current.Revision != revision ? Task.CompletedTask : _changed.Next.WaitAsync(cancel);
        }
    }

    /// <summary>Ends the loop and saves what was counted.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
        {
            return;
        }
        await _stop.CancelAsync().ConfigureAwait(false);
        await Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        string? problem = null;
        SaveCounts(Instant.Now(_clock), ref problem);
        SaveLearned(Instant.Now(_clock), ref problem);
        _stop.Dispose();
        _one.Dispose();
    }

    private async Task RunAsync(CancellationToken stop)
    {
        // Forecasting thousands of series takes a while: not on the thread that starts it.
        await Task.Yield();
        try
        {
            while (true)
            {
                await RefreshAsync(stop).ConfigureAwait(false);
                var now = Instant.Now(_clock);
                var hour = TimeSpan.FromMicroseconds(Instant.Floor(now, Instant.Hour) + Instant.Hour - now);
                if (await IsAskedAsync(hour, stop).ConfigureAwait(false))
                {
                    await Task.Delay(_options.NewcomerDelay < hour ? _options.NewcomerDelay : hour, _clock, stop).ConfigureAwait(false);
                    _requests.Reader.TryRead(out _);
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Asked to stop.
        }
    }

    /// <summary>Waits for a request, at most until the hour is over; meanwhile room that was short is tried for again, so that who frees some need not wait.</summary>
    private async Task<bool> IsAskedAsync(TimeSpan left, CancellationToken stop)
    {
        while (true)
        {
            using var wait = CancellationTokenSource.CreateLinkedTokenSource(stop);
            var span = _shortage is null || left < ShortageRetry ? left : ShortageRetry;
            var asked = _requests.Reader.WaitToReadAsync(wait.Token).AsTask();
            var first = await Task.WhenAny(asked, Task.Delay(span, _clock, wait.Token)).ConfigureAwait(false);
            await wait.CancelAsync().ConfigureAwait(false);
            stop.ThrowIfCancellationRequested();
            left -= span;
            if (first == asked || left <= TimeSpan.Zero)
            {
                return first == asked;
            }
            await ReserveAgainAsync(stop).ConfigureAwait(false);
        }
    }

    private void Swap(PartitionMap map)
    {
        lock (_lock)
        {
            _earlier.Enqueue(_current);
            if (_earlier.Count > MapsKept)
            {
                _earlier.Dequeue();
            }
            _current = map;
            _changed.Set();
        }
        Changed?.Invoke(map);
        _log.LogInformation("Partition map {Revision}: {Partitions} partitions in {Groups} groups", map.Revision, map.Entries.Count, map.Groups.Count);
    }

    /// <summary>The time zone an account lives by.</summary>
    private TimeZoneInfo ZoneOf(string account) => _termsOf(account).ZoneOr(_options.Zone);

    /// <summary>Bytes a sample takes, from what the catalog says is held; a few samples in a file made for many say nothing.</summary>
    private SampleBytes MeasureBytes()
    {
        const long samplesMin = 10_000;
        var held = _catalog.View.OfEdge(_options.Node).ToLookup(h => h.Tier);
        double Of(Tier tier, double unmeasured)
        {
            long samples = held[tier].Sum(h => h.Count), bytes = held[tier].Sum(h => h.Bytes);
            return samples < samplesMin || bytes <= 0 ? unmeasured : Math.Clamp((double)bytes / samples, 0.1, 256);
        }
        var usual = SampleBytes.Unmeasured;
        return new(Of(Tier.Memory, usual.Memory), Of(Tier.Ssd, usual.Ssd), Of(Tier.Hdd, usual.Hdd), Of(Tier.Archive, usual.Archive));
    }
}

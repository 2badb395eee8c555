using System.Diagnostics;
using Foretier.Archive;
using Foretier.Archive.Stores;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Core.Tiers;
using Foretier.Gateway.Warm;
using Foretier.Node.Hosting;
using Foretier.Predict.Access;
using Foretier.Predict.Place;
using Microsoft.Data.Sqlite;

namespace Foretier.Gateway.Stage;

/// <summary>
/// Brings to this disk, ahead of who is expected to read it, what is in the archive: samples, or rollups of an hour where those do; makes the same rollups of
/// windows that are here anyway; and drops what has grown cold. Each copy is on a thread that yields, within a share of a core and of the way to the archive.
/// </summary>
/// <remarks>
/// A copy is never the only holder of anything, so that whatever goes wrong here costs time: a wrong forecast, a full disk, an archive that
/// cannot be reached.
/// </remarks>
internal sealed class Stager : IAsyncDisposable
{
    private static readonly TimeSpan Every = TimeSpan.FromMinutes(10);

    private readonly StageOptions _options;
    private readonly WarmStore _store;
    private readonly ArchiveReader? _archive;
    private readonly Catalog _catalog;
    private readonly Func<AccessForecast> _expected;
    private readonly Func<string, AccountTerms> _termsOf;
    private readonly Func<long> _room;
    private readonly SourceHealth _health;
    private readonly TimeProvider _clock;
    private readonly ILogger<Stager> _log;
    private readonly PlacePolicy _policy;
    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;
    private double _fetchLeft;

    /// <param name="archive">Null where there is none: then rollups of what is here are made ahead, and nothing is staged.</param>
    /// <param name="expected">What is expected to be read, as of now.</param>
    /// <param name="termsOf">What an account is given.</param>
    /// <param name="room">What the disk has left for copies beside samples, and those that are expected.</param>
    public Stager(StageOptions options, WarmStore store, ArchiveReader? archive, Catalog catalog, Func<AccessForecast> expected, Func<string, AccountTerms> termsOf,
        Func<long> room, SourceHealth health, TimeProvider clock, ILogger<Stager> log)
    {
        (_options, _store, _archive, _catalog, _expected, _termsOf, _room, _health, _clock, _log) = (options.Validated(), store, archive, catalog, expected, termsOf, room, health, clock, log);
        _policy = new(options.Place, Tier.Hdd, termsOf);
        _fetchLeft = options.FetchBytesPerHour;
    }

    /// <summary>What could not be done in the last cycle, for the health page; null where all went well.</summary>
    public string? Problem { get; private set; }

    /// <summary>Of the last cycle: bytes that are worth having here, and of those how many there is no room for.</summary>
    public (long Wanted, long Missing) Room { get; private set; }

    public void Start() => _loop = RunAsync();

    /// <summary>One cycle: what is not expected any more goes, then what is expected comes.</summary>
    public async Task CycleAsync(CancellationToken cancel)
    {
        await _one.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            var now = Instant.Now(_clock);
            var view = _catalog.View;
            var archived = _archive is null ? [] : await _store.ReadArchivedAsync(cancel).ConfigureAwait(false);
            var series = view.Series.GroupBy(s => s.Edge, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
            var (sources, work) = (_health.Picture, new FetchWork(1, 1000));
            var saved = (sources.Estimate(ArchiveManifest.Node, Tier.Archive, work) - sources.Estimate(_store.Node, Tier.Hdd, work)) / 1000;
            var plan = StagePlan.Make(_policy, new(Math.Clamp(_room(), 0, _options.BytesMax)) { FetchBytes = _fetchLeft, CpuSeconds = _options.CpuShare * Every.TotalSeconds },
                new StageDemand(_expected(), view, _termsOf, now), Math.Max(0.001, saved), archived, [.. _store.Held], _store.Copies,
                edge => series.GetValueOrDefault(edge), now);
            Room = (plan.WantedBytes, plan.MissingBytes);
            foreach (var copy in plan.Drops)
            {
                await _store.DropCopyAsync(copy, cancel).ConfigureAwait(false);
            }
            string? problem = null;
            var made = 0;
            foreach (var item in plan.Makes)
            {
                var failure = await TryMakeAsync(item, now, cancel).ConfigureAwait(false);
                made += failure is null ? 1 : 0;
                problem = failure ?? problem;
            }
            await _store.SaveReadsAsync(cancel).ConfigureAwait(false);
            Problem = problem;
            if (made > 0 || plan.Drops.Count > 0)
            {
                _log.LogInformation("Ahead of expected reads {Made} copies were made and {Dropped} dropped", made, plan.Drops.Count);
            }
        }
        finally
        {
            _one.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
        _one.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                await Task.Delay(Every, _clock, _stop.Token).ConfigureAwait(false);
                _fetchLeft = Math.Min(_options.FetchBytesPerHour, _fetchLeft + _options.FetchBytesPerHour * Every.TotalHours);
                try
                {
                    await CycleAsync(_stop.Token).ConfigureAwait(false);
                }
                catch (Exception e) when (e is IOException or SqliteException or UnauthorizedAccessException)
                {
                    Problem = $"nothing can be made ahead of reads: {e.Message}";
                    _log.LogWarning("{Problem}; questions are answered from where the samples are", Problem);
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Asked to stop.
        }
    }

    private async Task<string?> TryMakeAsync(StageItem item, long now, CancellationToken cancel)
    {
        var started = Stopwatch.GetTimestamp();
        try
        {
            if (item.Source == CopyOf.Archive)
            {
                _fetchLeft -= item.SourceBytes;
            }
            var copy = new WarmCopy(0, item.Edge, item.Window, new(0, item.After, item.Through, 0, Sealed: true, TimeRange.Nothing, 0), item.Source, item.Resolution, item.SourceBytes, now);
            await _store.MakeCopyAsync(copy, item.Source == CopyOf.Archive ? writer => FetchAsync(item, writer, cancel) : writer => ReadAsync(item, writer), cancel).ConfigureAwait(false);
            return null;
        }
        catch (Exception e) when (e is ArchiveException or IOException or SegmentFormatException or SqliteException)
        {
            var problem = $"{item.Edge} {item.Window} cannot be copied ahead of reads: {e.Message}";
            _log.LogWarning("{Problem}; it is answered from where it is", problem);
            return problem;
        }
        finally
        {
            // As long a pause as keeps to the share of a core.
            await Task.Delay(Stopwatch.GetElapsedTime(started) * (1 / _options.CpuShare - 1), _clock, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task FetchAsync(StageItem item, CopyWriter writer, CancellationToken cancel)
    {
        if (await _archive!.FindAsync(item.Edge, item.Window, item.After, item.Through, cancel).ConfigureAwait(false) is not { } manifest)
        {
            throw new IOException("the archive does not have it any more");
        }
        writer.Erased.AddRange((manifest.Erased ?? []).Select(erased => (erased.Series, new TimeRange(erased.From, erased.To))));
        foreach (var file in manifest.Files)
        {
            var bytes = await _archive.GetAsync(file, cancel).ConfigureAwait(false);
            await Background.RunAsync(() => ArchiveReader.Read(file, bytes,
                (series, samples) => writer.Add(new(series.Name, item.Edge, series.Unit, series.Kind), samples), cancel)).ConfigureAwait(false);
        }
    }

    private Task ReadAsync(StageItem item, CopyWriter writer) => Background.RunAsync(() =>
    {
        using var reader = _store.ReadPack(new(item.Edge, item.Window, item.After, item.Through));
        foreach (var series in reader.Series)
        {
            writer.Add(series, reader.Read(series));
        }
    });
}

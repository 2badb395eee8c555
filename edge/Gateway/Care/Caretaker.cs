using System.Globalization;
using Foretier.Archive;
using Foretier.Archive.Stores;
using Foretier.Core.Samples;
using Foretier.Gateway.Pack;
using Foretier.Gateway.Warm;

namespace Foretier.Gateway.Care;

/// <summary>
/// What the gateway does by itself, hour by hour: ends what is past retention; archives windows that have become quiet, earlier where the disk's share runs out; reads everything
/// on the disk against its digests; holds what it moved to the archive against what is there; puts layers in the archive together and clears away what
/// nothing names. What fails is said, and tried again a minute later (in the archive an hour).
/// </summary>
internal sealed class Caretaker : IAsyncDisposable
{
    private static readonly TimeSpan Every = TimeSpan.FromHours(1);

    /// <summary>Where the share is used up, or something failed, the next hour is too far.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromMinutes(1);

    private readonly WarmStore _store;
    private readonly Packer? _packer;
    private readonly ArchiveTidy? _tidy;
    private readonly ArchiveAudit? _audit;
    private readonly Expiry _expiry;
    private readonly RoomAhead _room;
    private readonly CareOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;
    private Task _scrub = Task.CompletedTask;
    private DateTimeOffset _tidyAt;
    private IReadOnlyList<ArchiveLack> _slow = [];
    private string? _failure, _untidy, _said;

    /// <param name="packer">Null where there is no archive; then windows stay.</param>
    /// <param name="tidy">As the packer.</param>
    /// <param name="audit">As the packer.</param>
    public Caretaker(WarmStore store, Packer? packer, ArchiveTidy? tidy, ArchiveAudit? audit, Expiry expiry, RoomAhead room, CareOptions options, TimeProvider clock, ILogger<Caretaker> log)
    {
        (_store, _packer, _tidy, _audit, _expiry, _room, _options, _clock, _log) = (store, packer, tidy, audit, expiry, room, options, clock, log);
        _tidyAt = clock.GetUtcNow() + TimeSpan.FromHours(options.TidyHours);
    }

    /// <summary>Why something could not be done the last time, for the health page; null while all goes well.</summary>
    public string? Problem { get; private set; }

    public void Start()
    {
        _loop = RunAsync(_stop.Token);
        _scrub = _options.ScrubDays > 0 ? ScrubAsync(_stop.Token) : Task.CompletedTask;
    }

    /// <summary>One round: what is due now is done.</summary>
    internal async Task CareAsync(CancellationToken cancel)
    {
        _failure = await TryAsync(() => RoundAsync(cancel)).ConfigureAwait(false);
        var blind = await TryAsync(() => _room.LookAsync(cancel)).ConfigureAwait(false);
        var room = IsNearlyFull ? string.Create(CultureInfo.InvariantCulture,
            $"{_store.HeldBytes} of the {_room.Disk.Most} bytes for samples (Care:BytesMax, or the disk) are used and nothing more can be archived") : _room.Problem;
        Problem = string.Join("; ", new[] { _failure ?? _untidy, Slow, room ?? blind }.OfType<string>()) is { Length: > 0 } problem ? problem : null;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _scrub.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private bool IsNearlyFull => _room.Disk is var disk && disk.Used > disk.Most / 10 * 9;

    /// <summary>What of the archive's rollups is lacking, as last seen and not mended.</summary>
    private string? Slow => _slow.Count == 0 ? null
        : $"{_slow[0].What}: what is asked by the hour is read from the samples{(_slow.Count > 1 ? string.Create(CultureInfo.InvariantCulture, $" (and so in {_slow.Count - 1} more)") : "")}";

    private async Task RoundAsync(CancellationToken cancel)
    {
        var now = _clock.GetUtcNow();
        if (_options.RetainDays > 0)
        {
            await WithoutPackingAsync(() => _expiry.EndAsync(Instant.From(now) - _options.RetainDays * Instant.Day, cancel), cancel).ConfigureAwait(false);
        }
        if (_packer is null)
        {
            return;
        }
        await AuditAsync(cancel).ConfigureAwait(false);
        await MendAsync(cancel).ConfigureAwait(false);
        var moved = _options.ArchiveAfterDays > 0
            ? await _packer.PackQuietAsync(now - TimeSpan.FromDays(_options.ArchiveAfterDays), () => false, cancel).ConfigureAwait(false) : new(0, 0);
        if (_room.IsDiskNearlyFull)
        {
            moved = await _packer.PackQuietAsync(now, () => !_room.IsDiskNearlyFull, cancel).ConfigureAwait(false);
        }
        if (moved.Windows > 0)
        {
            _log.LogInformation("Archived {Windows} windows, {Samples} samples", moved.Windows, moved.Samples);
        }
        if (_tidy is not null && _options.TidyHours > 0 && now >= _tidyAt)
        {
            await WithoutPackingAsync(() => TidyAsync(_tidy, cancel), cancel).ConfigureAwait(false);
            _tidyAt = now + (_untidy is null ? TimeSpan.FromHours(_options.TidyHours) : Every);
        }
    }

    /// <summary>Whatever fails, there is a next round: that there is none would be noticed by nobody.</summary>
    /// <returns>Why it failed; null where it did not.</returns>
    private async Task<string?> TryAsync(Func<Task> action)
    {
        try
        {
            await action().ConfigureAwait(false);
            return null;
        }
        catch (Exception e) when (e is not OperationCanceledException || !_stop.IsCancellationRequested)
        {
            if (_said != e.Message)
            {
                _log.LogWarning("Care of what is held is put off: {Reason}", e.Message);
            }
            return _said = e.Message;
        }
    }

    private async Task RunAsync(CancellationToken stop)
    {
        // What is lost is said from the first minute on, not from the second hour.
        _failure = await TryAsync(() => AuditAsync(stop)).ConfigureAwait(false);
        Problem = _failure ?? Slow;
        while (true)
        {
            await Task.Delay(_failure is not null || _room.IsDiskNearlyFull ? Soon : Every, _clock, stop).ConfigureAwait(false);
            await CareAsync(stop).ConfigureAwait(false);
        }
    }

    private Task WithoutPackingAsync(Func<Task> action, CancellationToken cancel) => _packer is null ? action() : _packer.WithoutPackingAsync(action, cancel);

    private Task AuditAsync(CancellationToken cancel) => _audit is null ? Task.CompletedTask : WithoutPackingAsync(async () =>
    {
        var findings = await _audit.LookAsync(await _store.ReadArchivedAsync(cancel).ConfigureAwait(false), cancel).ConfigureAwait(false);
        _slow = findings.Slow;
        await _store.NoteLacksAsync(findings.Lost, cancel).ConfigureAwait(false);
    }, cancel);

    /// <summary>Makes rollups in the archive anew that are gone, of the samples there; one at a time, so that moves to it come in between.</summary>
    private async Task MendAsync(CancellationToken cancel)
    {
        if (_tidy is null)
        {
            return;
        }
        foreach (var lack in _slow)
        {
            var failure = await TryAsync(() => WithoutPackingAsync(() => _tidy.MendAsync(lack.Holding, cancel), cancel)).ConfigureAwait(false);
            if (failure is not null)
            {
                return;
            }
            _log.LogWarning("{What}: made anew of the samples", lack.What);
            _slow = [.. _slow.Where(other => other != lack)];
        }
    }

    /// <summary>What cannot be put together does not keep the rest from it.</summary>
    private async Task TidyAsync(ArchiveTidy tidy, CancellationToken cancel)
    {
        _untidy = null;
        foreach (var layers in await _store.ReadLayeredAsync(cancel).ConfigureAwait(false))
        {
            _untidy = await TryAsync(async () =>
            {
                var merged = await tidy.MergeAsync(layers, cancel).ConfigureAwait(false);
                await _store.CompleteMergeAsync(merged.Holding, layers, new(merged.Superseded, merged.Deleted, 0), cancel).ConfigureAwait(false);
                _log.LogInformation("{Layers} layers of {Edge} {Window} are one in the archive now", layers.Count, merged.Holding.Edge, merged.Holding.Window);
            }).ConfigureAwait(false) ?? _untidy;
        }
        _untidy = await TryAsync(async () =>
        {
            var (objects, bytes) = await tidy.SweepAsync(await _store.ReadArchivedAsync(cancel).ConfigureAwait(false), _store.Knows, cancel).ConfigureAwait(false);
            if (objects > 0)
            {
                _log.LogInformation("Removed {Objects} objects that nothing names from the archive, {Bytes} bytes", objects, bytes);
            }
        }).ConfigureAwait(false) ?? _untidy;
    }

    private async Task ScrubAsync(CancellationToken stop)
    {
        while (true)
        {
            await Task.Delay(TimeSpan.FromDays(_options.ScrubDays), _clock, stop).ConfigureAwait(false);
            await TryAsync(async () =>
            {
                var (batches, damaged) = await _store.ScrubAsync((bytes, cancel) =>
                    Task.Delay(TimeSpan.FromSeconds(bytes / (double)_options.ScrubBytesPerSecond), _clock, cancel), stop).ConfigureAwait(false);
                _log.LogInformation("Read {Batches} batches against their digests: {Damaged} damaged", batches, damaged);
            }).ConfigureAwait(false);
        }
    }
}

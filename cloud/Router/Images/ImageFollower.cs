using System.Collections.Concurrent;
using System.Globalization;
using System.IO.Compression;
using Foretier.Archive.Stores;
using Foretier.Core.Samples;
using Foretier.Node.Link;
using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;
using Foretier.Router.Releases;

namespace Foretier.Router.Images;

/// <summary>Tells every box whether it is its turn to take an image, keeps how it stands, and ends the rollout where a box does not do well.</summary>
internal sealed class ImageFollower
{
    private readonly ImageRegistry _registry;
    private readonly TimeProvider _clock;
    private readonly ILogger<ImageFollower> _log;
    private readonly BoxFollower<ImageOrders, ImageReport> _boxes;
    private readonly ConcurrentDictionary<string, (object State, long Since)> _states = new();
    private int _halting;

    public ImageFollower(CatalogFollower nodes, ImageRegistry registry, TimeProvider clock, ILogger<ImageFollower> log)
    {
        (_registry, _clock, _log) = (registry, clock, log);
        _boxes = new(nodes, new()
        {
            Path = "images",
            Orders = (node, before) => new(before is null ? null : OrderFor(node)),
            Need = report => report.Need is not { } need ? null
                : new(string.Create(CultureInfo.InvariantCulture, $"{need.Version}/{need.File}?offset={need.Offset}"), cancel => CompressedAsync(need, cancel), "application/gzip"),
            IsBusy = report => report.Image.Phase != ImagePhase.Idle,
            Changed = () => registry.Changed,
            Heard = Heard,
        }, clock, log);
    }

    /// <summary>How every box stands that was heard of since the start.</summary>
    public IReadOnlyList<BoxUpdate> Boxes
    {
        get
        {
            var plan = Plan();
            return [.. _boxes.Boxes.Select(box => (box, plan?.Boxes.GetValueOrDefault(box.Node) ?? new(UpdateStanding.NotMeant)) switch
            {
                var (one, standing) => new BoxUpdate(one.Node, one.Connected, new(one.At), one.Report.Labels, standing.Standing, standing.Detail, one.Report.Image),
            })];
        }
    }

    /// <summary>Adds to what is said of boxes how they stand with the image that is rolled out.</summary>
    public IEnumerable<FleetEntry> Describe(IEnumerable<FleetEntry> boxes)
    {
        var (rollout, plan) = (_registry.Rollout, Plan());
        return boxes.Select(box => plan?.Boxes.GetValueOrDefault(box.Node) is { Standing: not UpdateStanding.NotMeant } standing
            ? box with { Wanted = rollout!.Version, Update = standing.Standing, UpdateDetail = standing.Detail } : box);
    }

    private ImagePlan? Plan() => _registry.Current is { } current ? ImagePlan.Make(current.Rollout, current.Release.Digest,
        [.. _boxes.Boxes.Select(box => new PlannedBox(box.Node, box.Connected, box.Report.Labels, box.Report.Image, _states.TryGetValue(box.Node, out var state) ? state.Since : box.At, box.At))],
        Instant.Now(_clock)) : null;

    private ImageOrder? OrderFor(string node)
    {
        if (_registry.Current is not { } current || Plan() is not { } plan)
        {
            return null;
        }
        var (rollout, release) = current;
        return plan.StageFor(rollout, node) is { } stage ? new(rollout.Revision, rollout.Started, stage, release) : null;
    }

    /// <summary>Layers come out of scripts/release as they are, and take a third on the way.</summary>
    private async Task<byte[]> CompressedAsync(ImageNeed need, CancellationToken cancel)
    {
        var part = await _registry.ReadAsync(need, cancel).ConfigureAwait(false);
        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Optimal, leaveOpen: true))
        {
            gzip.Write(part);
        }
        return compressed.ToArray();
    }

    private void Heard(string node, ImageReport report)
    {
        object state = (report.Image.Running, report.Image.Phase, report.Image.Version, report.Image.Last?.At, report.Image.Last?.Outcome);
        if (!_states.TryGetValue(node, out var before) || !state.Equals(before.State))
        {
            _states[node] = (state, Instant.Now(_clock));
            // It may be the turn of others.
            _registry.Wake();
        }
        if (_registry.Current is { Rollout: { Stage: RolloutStage.Trial } rollout } && Plan()?.Failure is { } failure)
        {
            _ = HaltAsync(rollout, failure.Node, failure.Reason);
        }
    }

    private async Task HaltAsync(ImageRollout rollout, string node, string reason)
    {
        if (Interlocked.Exchange(ref _halting, 1) == 1)
        {
            return;
        }
        try
        {
            if (await _registry.HaltAsync(rollout, new(node, reason, new(Instant.Now(_clock))), CancellationToken.None).ConfigureAwait(false))
            {
                _log.LogWarning("The rollout of {Version} is stopped: {Node}: {Reason}", rollout.Version, node, reason);
            }
        }
        catch (ArchiveException error)
        {
            // No box begins meanwhile; the next report tries again.
            _log.LogWarning("The rollout of {Version} is to be stopped ({Node}: {Reason}), which cannot be written down: {Problem}", rollout.Version, node, reason, error.Message);
        }
        finally
        {
            Volatile.Write(ref _halting, 0);
        }
    }
}

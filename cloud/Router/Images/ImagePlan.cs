using System.Globalization;
using Foretier.Core.Samples;
using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;
using Foretier.Router.Releases;

namespace Foretier.Router.Images;

/// <summary>A box, as far as the roll-out of an image goes.</summary>
/// <param name="Since">When it was first heard to be as it is, by the router's clock, µs.</param>
/// <param name="Heard">When it was last heard, by that clock: while nobody hears it, nobody knows how well it is.</param>
internal sealed record PlannedBox(string Node, bool Connected, IReadOnlyList<string> Labels, BoxImage Image, long Since, long Heard);

/// <summary>How a box stands, and why, in words.</summary>
internal sealed record BoxStanding(UpdateStanding Standing, string? Detail = null);

/// <summary>Which boxes get an image now: a pure function of what is wanted and how all boxes stand.</summary>
/// <remarks>
/// 1. One box first. 2. Then as many at once as have it, did well for the time that they are watched, and are there: 1, 2, 4, 8 … 3. None while a box that has it complains of
/// more than it did before. 4. A box that refuses it, goes back, does not come back or does not do well ends it for all that have not begun.
/// </remarks>
internal sealed record ImagePlan(IReadOnlyDictionary<string, BoxStanding> Boxes, IReadOnlySet<string> Turn, (string Node, string Reason)? Failure)
{
    /// <summary>A box installs in one to three minutes; the emulated one in ten.</summary>
    private const long InstallWithin = 30 * Instant.Minute;

    /// <summary>After its watch, a box that is not well then is found out at one of its next reports.</summary>
    private const long JudgedWithin = Instant.Minute;

    /// <param name="digest">Of the release that is rolled out.</param>
    /// <param name="now">By the clock that <see cref="PlannedBox.Since"/> goes by.</param>
    public static ImagePlan Make(ImageRollout rollout, string digest, IReadOnlyList<PlannedBox> boxes, long now)
    {
        var release = $"{ImageRelease.Agent}/{rollout.Version}";
        var standings = boxes.ToDictionary(box => box.Node, box => StandingOf(rollout, release, digest, box, now), StringComparer.Ordinal);
        var inOrder = boxes.OrderBy(box => RolloutScope.PlaceOf(release, box.Node)).ThenBy(box => box.Node, StringComparer.Ordinal).ToList();
        IEnumerable<PlannedBox> That(params UpdateStanding[] any) => inOrder.Where(box => any.Contains(standings[box.Node].Standing));

        var failed = That(UpdateStanding.Failed).FirstOrDefault();
        var unwell = That(UpdateStanding.Done).FirstOrDefault(IsUnwell);
        var begun = That(UpdateStanding.Fetching, UpdateStanding.Installing, UpdateStanding.Watched, UpdateStanding.Done).Select(box => box.Node).ToHashSet(StringComparer.Ordinal);
        if (rollout.Stage == RolloutStage.Trial && failed is null)
        {
            var done = That(UpdateStanding.Done).Count(box => box.Connected);
            // What is away while it fetches holds nobody up; what is away while it installs does.
            var busy = That(UpdateStanding.Installing, UpdateStanding.Watched).Count() + That(UpdateStanding.Fetching).Count(box => box.Connected);
            var next = unwell is null ? That(UpdateStanding.Waiting).Where(box => box.Connected).Take(Math.Max(1, done) - busy) : [];
            begun.UnionWith(next.Select(box => box.Node));
            if (unwell is not null)
            {
                foreach (var box in That(UpdateStanding.Waiting))
                {
                    standings[box.Node] = new(UpdateStanding.Waiting, $"{unwell.Node} has it, and is not well: {unwell.Image.Problems[0]}");
                }
            }
        }
        return new(standings, begun, failed is null ? null : (failed.Node, standings[failed.Node].Detail ?? "it says no reason"));
    }

    /// <summary>What is wanted of a box; null: nothing now.</summary>
    public RolloutStage? StageFor(ImageRollout rollout, string node) => rollout.Stage switch
    {
        RolloutStage.Trial => Turn.Contains(node) ? RolloutStage.Trial : null,
        // What was under way when it was ended, and does no better, does not stay either.
        RolloutStage.Stopped when rollout.Halt is { } halt && (halt.Node == node || Boxes.GetValueOrDefault(node)?.Standing == UpdateStanding.Failed) => RolloutStage.RolledBack,
        // What ends a rollout is for all that may have begun it.
        var stage => stage,
    };

    /// <summary>Complains of more than before it was installed.</summary>
    private static bool IsUnwell(PlannedBox box) => box.Image.ProblemsBefore is { } before && box.Image.Problems.Count > before;

    private static BoxStanding StandingOf(ImageRollout rollout, string release, string digest, PlannedBox box, long now)
    {
        var (image, version, age) = (box.Image, rollout.Version, now - box.Since);
        var last = image.Last is { } result && result.Digest == digest && result.Revision >= rollout.Started ? result : null;
        var isAbout = image.Version == version;
        if (isAbout && image.Phase == ImagePhase.Installing)
        {
            return age <= InstallWithin ? new(UpdateStanding.Installing, image.Trouble ?? (box.Connected ? null : "away, since it restarts"))
                : new(UpdateStanding.Failed, string.Create(CultureInfo.InvariantCulture, $"it began to install {version} {age / Instant.Minute} min ago and {(image.Trouble ?? (box.Connected ? "has not finished" : "has not come back"))}"));
        }
        if (isAbout && image.Phase == ImagePhase.GoingBack)
        {
            return new(UpdateStanding.Failed, "it goes back to the version before");
        }
        if (last is { Outcome: not ImageOutcome.Installed })
        {
            return rollout.Halt is { } halt && halt.Node == box.Node ? new(UpdateStanding.Failed, halt.Reason)
                : new(last.Outcome == ImageOutcome.WentBack ? UpdateStanding.WentBack : UpdateStanding.Failed, last.Reason);
        }
        if (image.Running == version)
        {
            var (watch, watched) = (rollout.WatchSeconds * Instant.Second, box.Heard - box.Since);
            return image.ProblemsBefore is null ? new(UpdateStanding.Done)
                : watched < watch
                    ? new(UpdateStanding.Watched, !box.Connected ? "away" : string.Create(CultureInfo.InvariantCulture, $"for {rollout.WatchSeconds - watched / Instant.Second} s more{(IsUnwell(box) ? $"; it says: {image.Problems[0]}" : "")}"))
                // Much later it may have other reasons: it holds up others, and keeps what it has.
                : IsUnwell(box) && watched < watch + Math.Max(watch, JudgedWithin) ? new(UpdateStanding.Failed, $"it is not well with {version}: {image.Problems[0]}")
                : new(UpdateStanding.Done, IsUnwell(box) ? image.Problems[0] : null);
        }
        return isAbout && image.Phase == ImagePhase.Fetching
                ? new(UpdateStanding.Fetching, string.Create(CultureInfo.InvariantCulture, $"{100.0 * image.Bytes / Math.Max(1, image.BytesAll):0} %{(image.BytesKept > 0 ? $", {image.BytesKept / 1e6:0.0} of {image.BytesAll / 1e6:0.0} MB were there" : "")}{(image.Trouble is { } trouble ? $": {trouble}" : "")}"))
            : ImageRelease.IsNewer(image.Running ?? "", version) ? new(UpdateStanding.Newer)
            : !RolloutScope.Means(release, rollout.Percent, rollout.Labels, box.Node, box.Labels) ? new(UpdateStanding.NotMeant)
            : image.Unable is { } unable ? new(UpdateStanding.Unable, unable)
            : new(UpdateStanding.Waiting, box.Connected ? null : "away");
    }
}

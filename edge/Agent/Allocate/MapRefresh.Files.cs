using Foretier.Durable;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Predict;
using Foretier.Predict.Plan;
using Foretier.Predict.Score;
using Foretier.Predict.Volume;

namespace Foretier.Agent.Allocate;

public sealed partial class MapRefresh
{
    private const string MapFile = "partition-map";
    private const string VolumeFile = "volume-history";
    private const string AccessFile = "access-log";
    private const string LearnedFile = "volume-learned";
    private const string ScoreFile = "scorecard";
    private const string KindFile = "kind-mix";

    private string PathOf(string name) => Path.Combine(_options.Directory, name);

    private VolumeHistory LoadVolumes()
    {
        var savedAt = 0L;
        var history = SealedFile.Read(PathOf(VolumeFile), stream => VolumeHistory.Load(stream, out savedAt), Damaged);
        if (history is null)
        {
            return new();
        }
        var now = Instant.Now(_clock);
        // What came since the last save was not counted, whether the agent ran or not.
        history.MarkGap(new(savedAt, Math.Max(savedAt, now)));
        _savedAt = now;
        return history;
    }

    private PartitionMap LoadMap()
    {
        var map = SealedFile.Read(PathOf(MapFile), PartitionMapFile.Load, Damaged);
        if (map is not null && map.Entries.All(e => e.Edge == _options.Node))
        {
            return map;
        }
        // Begun anew, its revisions must lie above all that this edge ever published, and it changes less often than once a second.
        return new(Instant.Now(_clock) / Instant.Second, [], []);
    }

    private void SaveCounts(long now, ref string? problem)
    {
        Save(VolumeFile, stream => Volumes.Save(stream, now), ref problem);
        Save(AccessFile, Access.Save, ref problem);
        _savedAt = now;
    }

    private void LoadLearned()
    {
        _learnedAt = Instant.Now(_clock);
        _cycle.Resume(
            SealedFile.Read(PathOf(LearnedFile), VolumeForecaster.Load, Damaged),
            SealedFile.Read(PathOf(ScoreFile), Scorecard.Load, Damaged),
            SealedFile.Read(PathOf(KindFile), KindMix.Load, Damaged));
    }

    /// <summary>What was learned, and the scores of the hours it was learned from: together, so that no hour counts twice.</summary>
    private void SaveLearned(long now, ref string? problem)
    {
        Save(LearnedFile, _cycle.Forecaster.Save, ref problem);
        Save(ScoreFile, _cycle.Scorecard.Save, ref problem);
        Save(KindFile, _cycle.KindMix.Save, ref problem);
        _learnedAt = now;
    }

    private void Save(string name, Action<Stream> write, ref string? problem)
    {
        try
        {
            Disk.Replace(PathOf(name), write);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problem = $"{PathOf(name)} cannot be written: {e.Message}";
            _log.LogWarning("{Problem}; going on with what is in memory", problem);
        }
    }

    private void Damaged(string path, string reason) =>
        _log.LogWarning("{Path} is damaged ({Reason}); it is kept as {Path}.damaged, and begun anew", path, reason, path);
}

using System.Globalization;
using Foretier.Agent.Allocate;
using Foretier.Core.Samples;
using Foretier.Durable;
using Foretier.Predict.Models;
using Foretier.Predict.Score;
using Foretier.Predict.Volume;
using Foretier.Protocol.Api;

namespace Foretier.Agent.Updates;

public sealed partial class ModelUpdates
{
    /// <summary>A child process may be ended by what has nothing to do with its model: memory that others took.</summary>
    private const int FailuresMax = 3;

    /// <summary>Worse than the best baseline by this, and nobody waits for the end of probation.</summary>
    private const double MuchWorse = 2;

    /// <summary>Five in a hundred may be lost by chance.</summary>
    private const double Slack = 1.05;

    /// <summary>So little of what comes (two samples in a hundred) is no loss: where a baseline is hardly ever wrong, others need not be better.</summary>
    private const double NoLoss = 0.02;

    private const int DriftDays = 7;
    private const long SaveScoresEvery = 6 * Instant.Hour;

    private readonly VolumeForecaster _inputs = new();
    private readonly int[] _counts = new int[SeriesVolume.HoursRead];
    private ModelTrial _trial;
    private int _failedServing, _failedCandidate;
    private long _scoresSavedAt;

    /// <summary>What holds the candidate up; null where nothing does.</summary>
    private string? _trouble;

    /// <summary>After each full cycle of the one that serves: compares, and decides.</summary>
    public async Task AfterCycleAsync(ForecastHour hour, CancellationToken cancel)
    {
        var state = _state;
        var trial = _trial;
        Watch(state.Serving, hour.Failure);
        var series = hour.Answers.Keys.Select(hour.Volumes.Find).OfType<SeriesVolume>().ToList();
        lock (_lock)
        {
            trial.Keep(hour.Answers.ContainsKey);
            foreach (var one in series)
            {
                trial.Learn(one.Series, hour.KindOf(one.Series), hour.Volumes.Read(one, hour.Now, _counts));
            }
        }
        var due = series.Where(one => trial.IsDue(one.Series, Instant.Floor(hour.Now, Instant.Hour))).ToList();
        if (state.Candidate is { Phase: TrialPhase.Shadow } candidate)
        {
            await ShadowAsync(candidate, trial, due, hour, cancel).ConfigureAwait(false);
        }
        else if (state.Serving is { } serving && hour.Model?.Version == serving.Version)
        {
            foreach (var one in due.Where(one => hour.Answers[one.Series].Length > 0))
            {
                trial.Put(one.Series, Zone(hour, one.Series), hour.Volumes.Read(one, hour.Now, _counts), hour.Answers[one.Series], hour.Answers[one.Series]);
            }
        }
        lock (_lock)
        {
            if (ReferenceEquals(trial, _trial) && !_state.IsPaused)
            {
                Decide(hour.Now);
            }
        }
        if (hour.Now - _scoresSavedAt >= SaveScoresEvery || hour.Now < _scoresSavedAt)
        {
            SaveScores();
            _scoresSavedAt = hour.Now;
        }
    }

    /// <summary>Tests what was fetched, in a process of its own; the result is a decision like any other.</summary>
    private void Test(CandidateModel candidate) => _test = Task.Run(async () =>
    {
        var (release, path) = (candidate.Release.AsModel(), PathOf(FolderName(candidate.Release)));
        try
        {
            var folder = ModelFolder.Open(path);
            var manifest = folder.Manifest;
            if (manifest.Id != release.Id || manifest.Version != release.Version)
            {
                throw new InferenceException(InferenceFailure.Refused, $"it is signed as {release.Id} {release.Version} and calls itself {manifest.Id} {manifest.Version}");
            }
            await using var model = await _start(path, Child, _stop.Token).ConfigureAwait(false);
            await LoadTest.RunAsync(folder, model, _stop.Token).ConfigureAwait(false);
            Settle(candidate, () => Change(_state with { Candidate = candidate with { Phase = TrialPhase.Shadow, Since = Instant.Now(_clock) } }));
        }
        catch (InferenceException e)
        {
            Settle(candidate, () => Refuse(candidate, $"it did not pass its test: {e.Message}", long.MaxValue));
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Tested after the next start.
        }
    });

    private ChildOptions Child => _serving with { AnswerWithin = _options.AnswerWithin, MemoryBytesMax = _options.MemoryBytesMax };

    private void Settle(CandidateModel candidate, Action decide)
    {
        lock (_lock)
        {
            if (_state.Candidate == candidate)
            {
                decide();
            }
        }
    }

    private async Task ShadowAsync(CandidateModel candidate, ModelTrial trial, List<SeriesVolume> due, ForecastHour hour, CancellationToken cancel)
    {
        if (due.Count == 0)
        {
            return;
        }
        try
        {
            await using var model = await _start(PathOf(FolderName(candidate.Release)), Child, cancel).ConfigureAwait(false);
            for (var from = 0; from < due.Count; from += VolumeForecaster.BatchMax)
            {
                var batch = due.GetRange(from, Math.Min(VolumeForecaster.BatchMax, due.Count - from));
                var inputs = _inputs.Inputs(batch.ConvertAll(one => new ForecastItem(one.Series, Zone(hour, one.Series))), (i, into) => hour.Volumes.Read(batch[i], hour.Now, into));
                var answer = await model.RunAsync(inputs, cancel).ConfigureAwait(false);
                for (var i = 0; i < batch.Count; i++)
                {
                    trial.Put(batch[i].Series, Zone(hour, batch[i].Series), hour.Volumes.Read(batch[i], hour.Now, _counts),
                        answer.Values.AsSpan(i * ModelTrial.AnswerLength, ModelTrial.AnswerLength), hour.Answers[batch[i].Series]);
                }
            }
            _failedCandidate = 0;
        }
        catch (InferenceException e)
        {
            _failedCandidate++;
            _log.LogWarning("{Model} on trial gave no answer, {Times} times now: {Reason}", Contract.Id, _failedCandidate, e.Message);
            if (_failedCandidate >= FailuresMax)
            {
                Settle(candidate, () => Refuse(candidate, $"it failed {FailuresMax} times in a row while it was compared: {e.Message}", long.MaxValue));
            }
        }
    }

    /// <summary>A model that serves and fails, or makes its process fail, over and over goes back.</summary>
    private void Watch(KeptModel? serving, InferenceException? failure)
    {
        _failedServing = failure is null || serving is null ? 0 : _failedServing + 1;
        if (_failedServing >= FailuresMax)
        {
            lock (_lock)
            {
                GoBack(serving!, $"it failed {FailuresMax} hours in a row: {failure!.Message}");
            }
        }
    }

    private void Decide(long now)
    {
        var hour = now / Instant.Hour;
        if (_state.Candidate is { Phase: TrialPhase.Shadow } candidate)
        {
            var days = _options.ShadowHours / 24 + 2;
            var sums = _trial.Sum(hour, days);
            // Where too little came in to tell, it goes on.
            if (now >= candidate.Since + _options.ShadowHours * Instant.Hour && ModelTrial.IsEnough(sums))
            {
                if (_trial.WhyNotBetter(hour, days) is { } why)
                {
                    Refuse(candidate, why, long.MaxValue);
                }
                else
                {
                    Promote(candidate, sums.Wql(Forecaster.Ours) / Math.Max(NoLoss, Baseline(sums)));
                }
            }
        }
        else if (_state.Serving is { } serving)
        {
            Judge(serving, now);
        }
    }

    /// <summary>
    /// Whether a model that serves is worth it: not worse than the best baseline, or than the one before it was. At once where it is much worse, at the end of its
    /// probation, and for the last days ever after.
    /// </summary>
    private void Judge(KeptModel serving, long now)
    {
        var sums = _trial.Sum(now / Instant.Hour, DriftDays);
        if (!ModelTrial.IsEnough(sums))
        {
            return;
        }
        var (wql, baseline) = (sums.Wql(Forecaster.Model), Baseline(sums));
        var limit = Math.Max(NoLoss, baseline) * Math.Max(1, serving.LossBefore ?? 1) * Slack;
        var isOnProbation = serving.ProbationUntil > now;
        if (wql > limit * (isOnProbation ? MuchWorse : 1))
        {
            GoBack(serving, string.Create(CultureInfo.InvariantCulture,
                $"its forecasts {(serving.ProbationUntil > 0 ? "were bad on probation" : "have drifted")}: wQL {wql:0.000} over {sums.Hours} hours, {baseline:0.000} of the best baseline"));
        }
        else if (!isOnProbation && serving.ProbationUntil > 0)
        {
            _log.LogInformation("{Model} {Version} has passed its probation", Contract.Id, serving.Version);
            Change(_state with { Serving = serving with { ProbationUntil = 0 } });
        }
    }

    private static double Baseline(ScoreSums sums) => ScoreSums.Baselines.Min(sums.Wql);

    private TrialScores Scores()
    {
        var sums = _trial.Sum(Instant.Now(_clock) / Instant.Hour, Math.Max(DriftDays, _options.ShadowHours / 24 + 2));
        static double? Told(double figure) => double.IsFinite(figure) ? Math.Round(figure, 4) : null;
        return new(sums.Hours, Told(sums.Wql(Forecaster.Model)), Told(sums.Wql(Forecaster.Ours)), Told(Baseline(sums)),
            Told(sums.Coverage(Forecaster.Model)), Told(sums.Coverage(Forecaster.Ours)));
    }

    private void SaveScores()
    {
        try
        {
            lock (_lock)
            {
                if (Compared(_state) != default)
                {
                    Disk.Replace(PathOf(ScoresFile), _trial.Save);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _log.LogWarning("{Path} cannot be written ({Reason}); comparing goes on in memory", PathOf(ScoresFile), e.Message);
        }
    }

    private static TimeZoneInfo Zone(ForecastHour hour, string series) => hour.ZoneOf(series[..series.IndexOf('/', StringComparison.Ordinal)]);
}

using Foretier.Core.Samples;
using Foretier.Durable;
using Foretier.Predict;
using Foretier.Predict.Models;
using Foretier.Predict.Score;
using Foretier.Protocol.Releases;
using Foretier.Protocol.Api;

namespace Foretier.Agent.Updates;

/// <summary>
/// The model of volumes that serves on this box, and the one that wants to: takes orders and files from above, believes only what is signed, tests it,
/// compares it with the one that serves, and lets it serve or not. Whatever it is like, the forecast cycle has a model it trusts, or baselines. Thread-safe.
/// </summary>
/// <remarks>1. Fetch. 2. Test in a child process. 3. Shadow: forecast beside the one that serves. 4. Serve, on probation. Back at once where it turns out worse.</remarks>
public sealed partial class ModelUpdates : IAsyncDisposable
{
    private const string StateFile = "state.json";
    private const string ScoresFile = "trial";

    private static readonly ModelContract Contract = ModelContract.VolumeLstm;

    private readonly UpdateOptions _options;
    private readonly string _directory;
    private readonly string? _shipped;
    private readonly ChildOptions _serving;
    private readonly ReleaseKeys? _keys;
    private readonly TimeProvider _clock;
    private readonly ILogger<ModelUpdates> _log;
    private readonly Func<string, ChildOptions, CancellationToken, Task<IInference>> _start;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly int? _shippedVersion;
    private volatile UpdateState _state;
    private (string Digest, ReleaseDownload Files)? _download;
    private Task _test = Task.CompletedTask;

    /// <param name="directory">Where models from afar are kept.</param>
    /// <param name="models">Where the one lies that came with the program, and how long any may take to start.</param>
    /// <param name="start">Starts what runs the model in a folder; null: a child process.</param>
    /// <exception cref="ReleaseRefusedException">The certificate cannot be read.</exception>
    public ModelUpdates(UpdateOptions options, string directory, ModelOptions models, TimeProvider clock, ILogger<ModelUpdates> log,
        Func<string, ChildOptions, CancellationToken, Task<IInference>>? start = null)
    {
        (_options, _directory, _shipped, _serving, _clock, _log) = (options.Validated(), directory, models.Of(Contract), models.Child, clock, log);
        _keys = options.Certificate is { Length: > 0 } certificate ? ReleaseKeys.Open(certificate) : null;
        _start = start ?? (async (folder, child, cancel) => await ChildInference.StartAsync(folder, child, TimeProvider.System, cancel).ConfigureAwait(false));
        _state = UpdateState.Load(PathOf(StateFile), out var problem);
        if (problem is not null)
        {
            log.LogWarning("{Problem}", problem);
        }
        _shippedVersion = VersionOf(_shipped);
        if (_state.Serving is { } serving && (_shippedVersion > serving.Version || _shipped is null))
        {
            log.LogInformation("The program came with version {Version} of {Model}, later than the {Kept} that was kept", _shippedVersion, Contract.Id, serving.Version);
            Change(_state with { Serving = null, Before = null });
        }
        _trial = SealedFile.Read(PathOf(ScoresFile), ModelTrial.Load, (path, reason) => log.LogWarning("{Path} is damaged ({Reason}); comparing begins anew", path, reason)) ?? new();
        if (_state.Candidate?.Phase == TrialPhase.Testing)
        {
            Test(_state.Candidate);
        }
    }

    /// <summary>Why what was decided could not be written down; null where it could.</summary>
    public string? Problem { get; private set; }

    /// <summary>Whether there is a model at all; without one nothing is taken from afar.</summary>
    public bool IsWanted => _shipped is not null;

    /// <summary>Ends when what was fetched has been tested.</summary>
    internal Task Tested => _test;

    /// <summary>Starts the model that serves, for a cycle. Where its files are damaged the one before serves from then on.</summary>
    /// <exception cref="InferenceException">There is none to be had now.</exception>
    public async Task<IInference> StartServingAsync(CancellationToken cancel)
    {
        while (true)
        {
            var serving = _state.Serving;
            try
            {
                return await _start(FolderOf(serving), _serving, cancel).ConfigureAwait(false);
            }
            catch (InferenceException e) when (serving is not null && VersionOf(FolderOf(serving)) is null)
            {
                lock (_lock)
                {
                    GoBack(serving, e.Message);
                }
            }
        }
    }

    /// <summary>Follows what a router wants.</summary>
    public ModelReport Follow(ModelOrders orders)
    {
        lock (_lock)
        {
            foreach (var order in orders.Orders.Where(order => order.Revision >= _state.Revision))
            {
                Follow(order);
            }
            return Report();
        }
    }

    /// <summary>Takes in a part of a file that was asked for; an empty one where the file has ended.</summary>
    public ModelReport Take(string id, int version, string file, long offset, ReadOnlySpan<byte> part)
    {
        lock (_lock)
        {
            if (_state.Candidate is { Phase: TrialPhase.Fetching } candidate && candidate.Release.AsModel() is { } release && release.Id == id && release.Version == version)
            {
                var download = DownloadOf(candidate);
                try
                {
                    download.Take(file, offset, part);
                    _trouble = null;
                    if (download.Need is null)
                    {
                        Change(_state with { Candidate = candidate with { Phase = TrialPhase.Testing, Since = Instant.Now(_clock) } });
                        Test(_state.Candidate);
                    }
                }
                catch (ReleaseRefusedException e)
                {
                    // The next change of the rollout may find the archive put right.
                    Refuse(candidate, e.Message, _state.Revision);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    _trouble = $"it cannot be stored: {e.Message}";
                }
            }
            return Report();
        }
    }

    /// <summary>How it stands.</summary>
    public ModelReport Report()
    {
        lock (_lock)
        {
            var state = _state;
            var release = state.Candidate?.Release.AsModel();
            var download = state.Candidate is { Phase: TrialPhase.Fetching } fetching ? DownloadOf(fetching) : null;
            ServingModel? Shipped() => _shippedVersion is { } version ? new(version, "shipped", null) : null;
            ServingModel Release(KeptModel kept, TrialScores? scores) =>
                new(kept.Version, "release", new(kept.Since), kept.ProbationUntil > 0 ? new(kept.ProbationUntil) : null, scores);
            var model = new BoxModel(Contract.Id,
                state.Serving is { } serving ? Release(serving, state.Candidate?.Phase == TrialPhase.Shadow ? null : Scores()) : Shipped(),
                state.Serving is null ? null : state.Before is { } before ? Release(before, null) : Shipped(),
                state.Candidate is not { } candidate ? null : new(release!.Version, candidate.Phase, download?.Bytes ?? release.Bytes, release.Bytes, new(candidate.Since),
                    candidate.Phase == TrialPhase.Shadow ? new(candidate.Since + _options.ShadowHours * Instant.Hour) : null, candidate.Phase == TrialPhase.Shadow ? Scores() : null, _trouble),
                [.. state.Refusals.Select(refusal => new RefusedModel(refusal.Version, refusal.Digest, refusal.Reason, new(refusal.At)))]);
            return new(_options.Labels, [model], state.IsPaused || download?.Need is not { } need ? null : new(release!.Id, release.Version, need.File, need.Offset, need.Bytes));
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
        {
            return;
        }
        await _stop.CancelAsync().ConfigureAwait(false);
        await _test.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        SaveScores();
        _stop.Dispose();
    }

    private void Follow(ModelOrder order)
    {
        var digest = order.Release.Digest;
        var isCandidate = _state.Candidate?.Release.Digest == digest;
        var isPaused = order.Stage == RolloutStage.Paused;
        if (_state.Revision != order.Revision || _state.IsPaused != isPaused)
        {
            Change(_state with { Revision = order.Revision, IsPaused = isPaused });
        }
        switch (order.Stage)
        {
            case RolloutStage.Stopped when isCandidate:
                Change(_state with { Candidate = null });
                break;
            case RolloutStage.RolledBack when isCandidate:
                Refuse(_state.Candidate!, "rolled back from above", long.MaxValue);
                break;
            case RolloutStage.RolledBack when _state.Serving is { } serving && serving.Digest == digest:
                GoBack(serving, "rolled back from above");
                break;
            case RolloutStage.Trial when isCandidate && order.Now && _state.Candidate!.Phase == TrialPhase.Shadow:
                Promote(_state.Candidate, null);
                break;
            case RolloutStage.Trial when !isCandidate && _state.Serving?.Digest != digest && !_state.Refusals.Any(known => known.Digest == digest && known.BlockedThrough >= order.Revision):
                Begin(order.Release);
                break;
        }
    }

    private void Begin(SignedRelease signed)
    {
        try
        {
            _ = Accept(signed);
            _trouble = null;
            Change(_state with { Candidate = new(signed, TrialPhase.Fetching, Instant.Now(_clock)), Refusals = [.. _state.Refusals.Where(known => known.Digest != signed.Digest)] });
        }
        catch (ReleaseRefusedException e)
        {
            // Asked again it is looked at again: a certificate may be there by then, or the clock be right.
            if (!_state.Refusals.Any(known => known.Digest == signed.Digest && known.Reason == e.Message))
            {
                _log.LogWarning("A model from above is refused: {Reason}", e.Message);
                Change(_state.With(new(VersionIn(signed), signed.Digest, e.Message, Instant.Now(_clock), 0)));
            }
        }
    }

    /// <summary>What can be told before anything is fetched.</summary>
    private ModelRelease Accept(SignedRelease signed)
    {
        if (_keys is null || !IsWanted)
        {
            throw new ReleaseRefusedException(IsWanted ? "this box trusts no key for models: set FORETIER__UPDATES__CERTIFICATE" : "this box is to forecast without models (FORETIER__MODELS__DIRECTORY=none)");
        }
        _keys.Verify(signed);
        var release = signed.AsModel();
        var what = $"{release.Id} {release.Version}";
        var highest = Math.Max(_state.Highest, _shippedVersion ?? 0);
        if (_state.Serving is { ProbationUntil: > 0 } serving)
        {
            throw new ReleaseRefusedException($"{what} waits until version {serving.Version} has passed its probation");
        }
        return release.Id != Contract.Id ? throw new ReleaseRefusedException($"{what}: this box takes {Contract.Id} from afar, nothing else")
            : release.Contract != Contract.Version ? throw new ReleaseRefusedException($"{what} keeps version {release.Contract} of its contract, this program version {Contract.Version}")
            : !Version.TryParse(release.OnnxRuntimeMin, out var runtime) || runtime > OnnxInference.RuntimeVersion
                ? throw new ReleaseRefusedException($"{what} asks for ONNX Runtime {release.OnnxRuntimeMin} or newer; this program has {OnnxInference.RuntimeVersion}")
            : release.Expires <= _clock.GetUtcNow() ? throw new ReleaseRefusedException(FormattableString.Invariant($"{what} has expired on {release.Expires:yyyy-MM-dd}: sign it anew"))
            : release.Version <= highest && !release.StepsBack ? throw new ReleaseRefusedException($"{what} is not newer than {highest}, which this box has had; 'foretier models rollback' goes back to the one before, 'sign --step-back' further")
            : release;
    }

    private static int VersionIn(SignedRelease signed)
    {
        try
        {
            return signed.AsModel().Version;
        }
        catch (ReleaseRefusedException)
        {
            return 0;
        }
    }

    private void Refuse(CandidateModel candidate, string reason, long blockedThrough)
    {
        _log.LogWarning("{Model} {Version} is refused: {Reason}", Contract.Id, VersionIn(candidate.Release), reason);
        Change(_state.With(new(VersionIn(candidate.Release), candidate.Release.Digest, reason, Instant.Now(_clock), blockedThrough)) with { Candidate = null });
    }

    private void Promote(CandidateModel candidate, double? lossBefore)
    {
        var (release, now) = (candidate.Release.AsModel(), Instant.Now(_clock));
        _log.LogInformation("{Model} {Version} serves from now on, on probation for {Hours} hours", Contract.Id, release.Version, _options.ProbationHours);
        Change(_state with
        {
            Serving = new(release.Version, candidate.Release.Digest, FolderName(candidate.Release), now, now + _options.ProbationHours * Instant.Hour, lossBefore),
            Before = _state.Serving,
            Candidate = null,
            Highest = Math.Max(_state.Highest, release.Version),
        });
    }

    private void GoBack(KeptModel serving, string reason)
    {
        if (_state.Serving != serving)
        {
            return;
        }
        _log.LogWarning("{Model} {Version} goes back to the one before: {Reason}", Contract.Id, serving.Version, reason);
        Change(_state.With(new(serving.Version, serving.Digest, reason, Instant.Now(_clock), long.MaxValue)) with { Serving = _state.Before, Before = null });
    }

    /// <summary>In memory first: a full disk does not keep a bad model serving. What could not be written is decided again after a restart.</summary>
    private void Change(UpdateState state)
    {
        var isNewComparison = Compared(state) != Compared(_state);
        if (isNewComparison)
        {
            _trial = new();
            (_failedServing, _failedCandidate) = (0, 0);
        }
        _state = state;
        try
        {
            state.Save(PathOf(StateFile));
            if (isNewComparison)
            {
                File.Delete(PathOf(ScoresFile));
            }
            var kept = new[] { state.Serving?.Folder, state.Before?.Folder, state.Candidate is { } candidate ? FolderName(candidate.Release) : null };
            foreach (var folder in Directory.EnumerateDirectories(_directory).Where(folder => !kept.Contains(Path.GetFileName(folder))))
            {
                Directory.Delete(folder, recursive: true);
            }
            Problem = null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Problem = $"what was decided about models cannot be written to {_directory}: {e.Message}";
            _log.LogWarning("{Problem}", Problem);
        }
    }

    /// <summary>Whom the scores are of.</summary>
    private static (string?, string?) Compared(UpdateState state) =>
        (state.Serving?.Digest, state.Candidate is { Phase: TrialPhase.Shadow } shadow ? shadow.Release.Digest : null);

    private ReleaseDownload DownloadOf(CandidateModel candidate)
    {
        var digest = candidate.Release.Digest;
        if (_download is not { } known || known.Digest != digest)
        {
            _download = known = (digest, new(PathOf(FolderName(candidate.Release)), candidate.Release.AsModel().Files));
        }
        return known.Files;
    }

    private string PathOf(string name) => Path.Combine(_directory, name);

    private static string FolderName(SignedRelease release) => release.Digest[..16];

    private string FolderOf(KeptModel? kept) => kept is null ? _shipped! : PathOf(kept.Folder);

    private static int? VersionOf(string? folder)
    {
        try
        {
            return folder is null ? null : ModelFolder.Open(folder).Manifest.Version;
        }
        catch (InferenceException)
        {
            // The forecast cycle says so each hour.
            return null;
        }
    }
}

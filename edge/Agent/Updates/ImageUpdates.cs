using Foretier.Core.Samples;
using Foretier.Durable;
using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;

namespace Foretier.Agent.Updates;

/// <summary>
/// Brings this box another image of itself: takes orders and files from above, believes only what is signed, and asks the box's installer, which believes
/// only what is signed either, to install it. The agent itself may install nothing. Thread-safe.
/// </summary>
/// <remarks>1. Fetch. 2. Ask the installer, which starts it. 3. The new one confirms that its router reaches it; else the installer goes back. 4. Back where ordered from above.</remarks>
public sealed class ImageUpdates
{
    private const string StateFile = "state.json", KeptFolder = "kept";

    /// <summary>The release as it came, the installer's copy of it, and the image as unpacked.</summary>
    private const int RoomFactor = 4;

    private const long TakenWithin = 2 * Instant.Minute;

    private readonly UpdateOptions _options;
    private readonly string _directory;
    private readonly string? _running;
    private readonly ReleaseKeys? _keys;
    private readonly InstallerDrop _drop;
    private readonly KeptBlobs _kept;
    private readonly TimeProvider _clock;
    private readonly ILogger<ImageUpdates> _log;
    private readonly Lock _lock = new();
    private ImageState _state;
    private (string Digest, ReleaseDownload Files)? _download;
    private string? _trouble;
    private bool _keepsNothing;

    /// <param name="directory">Where releases are gathered, and the installer is asked.</param>
    /// <param name="running">The release that this program is; null: of none.</param>
    /// <exception cref="ReleaseRefusedException">The certificate cannot be read.</exception>
    public ImageUpdates(UpdateOptions options, string directory, string? running, TimeProvider clock, ILogger<ImageUpdates> log)
    {
        (_options, _directory, _running, _clock, _log) = (options, directory, running is { Length: > 0 } ? running : null, clock, log);
        _keys = options.ImageCertificate is { Length: > 0 } certificate ? ReleaseKeys.Open(certificate) : null;
        _drop = new(directory);
        _kept = new(PathOf(KeptFolder), options.KeepBytesMax);
        _state = ImageState.Load(PathOf(StateFile), out var problem);
        if (problem is not null)
        {
            log.LogWarning("{Problem}", problem);
        }
    }

    /// <summary>Why what was decided could not be written down; null where it could.</summary>
    public string? Problem { get; private set; }

    /// <summary>What the health page says: whether an image does well is told by that.</summary>
    public Func<IEnumerable<string>> Problems { get; set; } = () => [];

    private string? Unable => _keys is null ? "it trusts no key for images: set FORETIER__UPDATES__IMAGECERTIFICATE"
        : _running is null ? "it runs from no image of a release" : null;

    /// <summary>Follows what a router wants; null: nothing now.</summary>
    public ImageReport Follow(ImageOrder? order)
    {
        lock (_lock)
        {
            Look();
            if (order is not null && order.Revision >= _state.Revision)
            {
                Obey(order);
                Advance();
            }
            return Report();
        }
    }

    /// <summary>Takes in a part of a file that was asked for; an empty one where the file has ended.</summary>
    public ImageReport Take(string version, string file, long offset, ReadOnlySpan<byte> part)
    {
        lock (_lock)
        {
            if (_state.Candidate is { Phase: ImagePhase.Fetching } candidate && candidate.Release.AsImage().Version == version)
            {
                try
                {
                    DownloadOf(candidate).Take(file, offset, part);
                    _trouble = null;
                    Advance();
                }
                catch (ReleaseRefusedException e)
                {
                    Settle(candidate, ImageOutcome.Refused, e.Message);
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
    public ImageReport Report()
    {
        lock (_lock)
        {
            Look();
            var candidate = _state.Candidate;
            var release = candidate?.Release.AsImage();
            var download = candidate is { Phase: ImagePhase.Fetching } ? DownloadOf(candidate) : null;
            var noRoom = download is null ? null : WhyNoRoom(release!, download);
            var need = _state.IsPaused || noRoom is not null ? null : download?.Need;
            var image = new BoxImage(_running, Unable, candidate?.Phase ?? ImagePhase.Idle, release?.Version, download?.Bytes ?? release?.Bytes ?? 0, release?.Bytes ?? 0,
                noRoom ?? _trouble, _state.Last, [.. Problems()], _state.ProblemsBefore)
            {
                BytesKept = candidate?.BytesKept ?? 0,
            };
            return new(_options.Labels, image, need is null ? null : new(release!.Version, need.File, need.Offset, need.Bytes));
        }
    }

    private void Obey(ImageOrder order)
    {
        var digest = order.Release.Digest;
        var candidate = _state.Candidate;
        var isFetching = candidate is { Phase: ImagePhase.Fetching } && candidate.Release.Digest == digest;
        var isPaused = order.Stage == RolloutStage.Paused;
        if (_state.Revision != order.Revision || _state.IsPaused != isPaused)
        {
            Change(_state with { Revision = order.Revision, IsPaused = isPaused });
        }
        switch (order.Stage)
        {
            case RolloutStage.Trial when candidate?.Phase == ImagePhase.Installing && candidate.Release.Digest == digest && VersionIn(order.Release) == _running:
                Confirm();
                break;
            case RolloutStage.Trial when candidate is null or { Phase: ImagePhase.Fetching } && !isFetching && VersionIn(order.Release) != _running && !WasTried(order, order.Started):
                Begin(order);
                break;
            case RolloutStage.Stopped or RolloutStage.RolledBack when isFetching:
                Change(_state with { Candidate = null });
                break;
            case RolloutStage.RolledBack when candidate is null && VersionIn(order.Release) == _running && !WasTried(order, order.Revision):
                HandOver(new(order.Release, ImagePhase.GoingBack, Instant.Now(_clock), order.Revision), InstallerDrop.GoBack);
                break;
        }
    }

    /// <summary>Whether something other than that it was installed has come of it since a revision.</summary>
    private bool WasTried(ImageOrder order, long since) =>
        _state.Last is { Outcome: not ImageOutcome.Installed } last && last.Digest == order.Release.Digest && last.Revision >= since;

    private void Begin(ImageOrder order)
    {
        var candidate = new ImageCandidate(order.Release, ImagePhase.Fetching, Instant.Now(_clock), order.Revision);
        try
        {
            Accept(order.Release);
            Sweep(others: true);
            (_trouble, _download) = (null, null);
            Change(_state with { Candidate = candidate });
        }
        catch (ReleaseRefusedException e)
        {
            Settle(candidate, ImageOutcome.Refused, e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _trouble = $"what was fetched before cannot be removed: {e.Message}";
        }
    }

    /// <summary>What can be told before anything is fetched; the installer looks again.</summary>
    private void Accept(SignedRelease signed)
    {
        if (Unable is { } unable)
        {
            throw new ReleaseRefusedException(unable);
        }
        _keys!.Verify(signed);
        var release = signed.AsImage();
        var highest = ImageRelease.IsNewer(_state.Highest ?? "", _running) ? _state.Highest : _running;
        if (release.Expires <= _clock.GetUtcNow())
        {
            throw new ReleaseRefusedException(FormattableString.Invariant($"{release.Version} has expired on {release.Expires:yyyy-MM-dd}: sign it anew"));
        }
        if (!ImageRelease.IsNewer(release.Version, highest))
        {
            throw new ReleaseRefusedException($"{release.Version} is not newer than {highest}, which this box has had; 'foretier fleet update rollback' goes back to the one before");
        }
    }

    /// <summary>Looks for what is here before it is asked for, and asks the installer once all is there.</summary>
    private void Advance()
    {
        if (_state is not { IsPaused: false, Candidate: { Phase: ImagePhase.Fetching } candidate })
        {
            return;
        }
        candidate = TakeKept(candidate);
        if (DownloadOf(candidate).Need is null)
        {
            HandOver(candidate with { Phase = ImagePhase.Installing, Since = Instant.Now(_clock) }, InstallerDrop.Install);
        }
    }

    private ImageCandidate TakeKept(ImageCandidate candidate)
    {
        if (_keepsNothing)
        {
            return candidate;
        }
        try
        {
            if (_kept.IsEmpty)
            {
                return candidate;
            }
            var release = candidate.Release.AsImage();
            if (DownloadOf(candidate).Take(_kept) is > 0 and var saved)
            {
                candidate = candidate with { BytesKept = candidate.BytesKept + saved };
                Change(_state with { Candidate = candidate });
                _log.LogInformation("{Version}: {Saved} of its {Bytes} bytes need not be fetched: they are here since an image before", release.Version, candidate.BytesKept, release.Bytes);
            }
            if (WhyNoRoom(release, DownloadOf(candidate)) is not null)
            {
                // What is of no use to this one makes room for it.
                _kept.Clear();
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            KeepNothing(e);
        }
        return candidate;
    }

    /// <summary>Removes what was gathered, but for layers that the next image may have too.</summary>
    /// <exception cref="IOException">It cannot be removed.</exception>
    private void Sweep(bool others)
    {
        try
        {
            if (!_keepsNothing)
            {
                _kept.Keep(_drop.ImageFolder, others);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            KeepNothing(e);
        }
        _drop.Sweep();
    }

    /// <summary>Without what would spare the link it goes on.</summary>
    private void KeepNothing(Exception why)
    {
        _keepsNothing = true;
        _log.LogWarning("Layers of images before cannot be kept in {Folder}, images are fetched whole until the next start: {Reason}", PathOf(KeptFolder), why.Message);
    }

    private void HandOver(ImageCandidate candidate, string what)
    {
        var (version, before) = (VersionIn(candidate.Release)!, _state);
        try
        {
            if (what == InstallerDrop.Install)
            {
                _drop.Complete(candidate.Release);
            }
            _drop.Clear();
            if (Change(_state with { Candidate = candidate, ProblemsBefore = what == InstallerDrop.Install ? Problems().Count() : _state.ProblemsBefore }))
            {
                _drop.Request(what, version);
                _log.LogInformation("The installer of this box is asked: {What} {Version}", what, version);
            }
            else
            {
                // Else a restart in between would not know what it waits for.
                _state = before;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _trouble = $"the installer cannot be asked: {e.Message}";
        }
    }

    private void Confirm()
    {
        try
        {
            _drop.Confirm(_running!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _trouble = $"the installer cannot be told that it serves: {e.Message}";
        }
    }

    /// <summary>Looks whether the installer has said something.</summary>
    private void Look()
    {
        if (_state.Candidate is not { Phase: ImagePhase.Installing or ImagePhase.GoingBack } candidate)
        {
            return;
        }
        try
        {
            var version = VersionIn(candidate.Release)!;
            // Before its outcome is looked for: the installer removes the request after it has written that.
            var isRequested = _drop.IsRequested;
            if (_drop.OutcomeOf(version) is { } said)
            {
                Settle(candidate, said.Word switch
                {
                    "installed" => ImageOutcome.Installed,
                    "refused" => ImageOutcome.Refused,
                    "went-back" => ImageOutcome.WentBack,
                    _ => ImageOutcome.Failed,
                }, said.Reason);
            }
            else if (!isRequested)
            {
                // A power cut came before it was asked.
                _drop.Request(candidate.Phase == ImagePhase.Installing ? InstallerDrop.Install : InstallerDrop.GoBack, version);
            }
            else
            {
                _trouble = !_drop.IsTaken && Instant.Now(_clock) - candidate.Since > TakenWithin ? "its installer does not answer: is foretier-install.path running?" : null;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _trouble = $"what its installer says cannot be read: {e.Message}";
        }
    }

    private void Settle(ImageCandidate candidate, ImageOutcome outcome, string? reason)
    {
        var version = VersionIn(candidate.Release) ?? "";
        if (outcome == ImageOutcome.Installed)
        {
            _log.LogInformation("{Version} is installed", version);
        }
        else
        {
            _log.LogWarning("{Version} is not installed: {Outcome}: {Reason}", version, outcome, reason);
        }
        _trouble = null;
        Change(_state with
        {
            Candidate = null,
            Last = new(version, candidate.Release.Digest, outcome, reason, new(Instant.Now(_clock)), candidate.Revision) { BytesKept = candidate.BytesKept },
            Highest = outcome == ImageOutcome.Installed ? version : _state.Highest,
        });
        try
        {
            Sweep(others: outcome != ImageOutcome.Installed);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _log.LogWarning("{Folder} cannot be removed: {Reason}", _drop.ReleaseFolder, e.Message);
        }
    }

    /// <summary>In memory first; what could not be written is asked for again after a restart.</summary>
    private bool Change(ImageState state)
    {
        _state = state;
        try
        {
            state.Save(PathOf(StateFile));
            Problem = null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Problem = $"what was decided about images cannot be written to {_directory}: {e.Message}";
            _log.LogWarning("{Problem}", Problem);
        }
        return Problem is null;
    }

    private ReleaseDownload DownloadOf(ImageCandidate candidate)
    {
        var digest = candidate.Release.Digest;
        if (_download is not { } known || known.Digest != digest)
        {
            _download = known = (digest, new(_drop.ImageFolder, candidate.Release.AsImage().Files));
        }
        return known.Files;
    }

    private string? WhyNoRoom(ImageRelease release, ReleaseDownload download)
    {
        var (need, free) = (RoomFactor * release.Bytes - download.Bytes, new DriveInfo(Path.GetDirectoryName(Path.GetFullPath(_directory))!).AvailableFreeSpace);
        return need > free ? $"there is no room: it takes {need} bytes of disk, and {free} are free" : null;
    }

    private string PathOf(string name) => Path.Combine(_directory, name);

    private static string? VersionIn(SignedRelease signed)
    {
        try
        {
            return signed.AsImage().Version;
        }
        catch (ReleaseRefusedException)
        {
            return null;
        }
    }
}

namespace Foretier.Node.Link;

/// <summary>
/// Waits for something that comes over a link: for as long as the link says anything (<see cref="LinkPulse"/>), and what is waited for moves on. So neither a
/// half-open link is waited for in vain, nor an answer cut off that is large for its link.
/// </summary>
internal sealed class LinkPatience : IDisposable
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(200);

    /// <summary>Where this machine itself stood still, what came meanwhile is read after the first look.</summary>
    private const int LooksMin = 2;

    private readonly LinkedNode _link;
    private readonly TimeSpan? _within, _atMost;
    private readonly long _began;
    private readonly CancellationTokenSource _stop;
    private readonly ITimer _timer;
    private long _movedAt;
    private int _silentLooks;
    private string? _reason;

    /// <param name="cancel">Ends the waiting as well, and so does the link's end.</param>
    /// <param name="within">How long nothing of what is waited for may come, over a link that does say something; null: for ever.</param>
    /// <param name="atMost">How long it may take in all, however it moves; null: for ever.</param>
    public LinkPatience(LinkedNode link, CancellationToken cancel, TimeSpan? within = null, TimeSpan? atMost = null)
    {
        (_link, _within, _atMost, _began) = (link, within, atMost, link.Clock.GetTimestamp());
        _movedAt = _began;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancel, link.Ended);
        _timer = link.Clock.CreateTimer(static patience => ((LinkPatience)patience!).Look(), this, LookEvery, LookEvery);
    }

    /// <summary>Cancelled when the waiting is over.</summary>
    public CancellationToken Token => _stop.Token;

    /// <summary>Why it was given up, in words; null: it was not, or not here.</summary>
    public string? Reason => _reason ?? (_link.Ended.IsCancellationRequested ? $"the link of {_link.Name} has ended" : null);

    /// <summary>Some of it has come.</summary>
    public void Moved() => Volatile.Write(ref _movedAt, _link.Clock.GetTimestamp());

    public void Dispose()
    {
        _timer.Dispose();
        _stop.Dispose();
    }

    private bool IsOver(TimeSpan? time, long since) => _link.Clock.GetElapsedTime(since) > time;

    private void Look()
    {
        _silentLooks = _link.Pulse.IsSilent ? _silentLooks + 1 : 0;
        var reason = _silentLooks >= LooksMin ? $"the link of {_link.Name} says nothing any more"
            : IsOver(_within, Volatile.Read(ref _movedAt)) ? "no answer in time"
            : IsOver(_atMost, _began) ? "no whole answer in time" : null;
        if (reason is null)
        {
            return;
        }
        _reason ??= reason;
        try
        {
            _stop.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It came after all.
        }
    }
}

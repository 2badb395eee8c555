namespace Foretier.Core.Tiers;

/// <summary>Something that happens again and again: take <see cref="Next"/> first, then look, then wait for it, and nothing is missed. Thread-safe.</summary>
public sealed class Signal
{
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes at the next <see cref="Set"/>.</summary>
    public Task Next => Volatile.Read(ref _next).Task;

    /// <summary>It has happened: whoever waits goes on, on another thread.</summary>
    public void Set() => Interlocked.Exchange(ref _next, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
}

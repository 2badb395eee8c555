using Foretier.Node.Hosting;
using Microsoft.Extensions.Hosting;

namespace Foretier.Agent;

/// <summary>
/// Gives back what an agent leaves behind that nobody publishes to. The collector waits for megabytes of garbage before it runs, so that a busy agent
/// is not held up; an idle one would gather them for hours, a tenth of what it may take of the box.
/// </summary>
internal sealed class IdleMemory(TimeProvider clock, Func<long> allocated, Action collect) : BackgroundService
{
    /// <summary>Bytes: who allocates fewer in a minute is idle.</summary>
    private const long Little = 4 << 20;

    /// <summary>Bytes since the last collection that are worth another (some 10 ms).</summary>
    private const long Worth = 1 << 20;

    private static readonly TimeSpan Every = TimeSpan.FromMinutes(1);

    private long _before;
    private long _collectedAt;

    public IdleMemory()
        : this(TimeProvider.System, () => GC.GetTotalAllocatedBytes(), Intake.GiveBack)
    {
    }

    /// <summary>To be called once a minute.</summary>
    internal void Look()
    {
        var now = allocated();
        var isIdle = now - _before < Little;
        _before = now;
        if (isIdle && now - _collectedAt >= Worth)
        {
            collect();
            _before = _collectedAt = allocated();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
            {
                Look();
            }
        }
        catch (OperationCanceledException)
        {
            // The agent stops.
        }
    }
}

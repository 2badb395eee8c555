using System.Runtime.InteropServices;
using Microsoft.Extensions.Hosting;

namespace Foretier.Node.Hosting;

/// <summary>Stops the node when the process that started it is gone, so that no orphan keeps ports and files.</summary>
internal sealed partial class ParentWatch(int parent, IHostApplicationLifetime lifetime) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Real time on purpose: processes do not live on the simulated clock.
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(500));
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
        {
            if (getppid() != parent)
            {
                lifetime.StopApplication();
                return;
            }
        }
    }

    [LibraryImport("libc")]
    private static partial int getppid();
}

using System.Diagnostics;
using System.Text;

namespace Foretier.Cli.Up;

/// <summary>
/// Nodes of an earlier start that was killed: they stop by themselves within a second or two, and until then hold ports and files.
/// </summary>
internal static class Leftovers
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public static async Task ClearAsync(DataFolder data, TimeProvider clock, Action<string> say, CancellationToken cancel)
    {
        if (data.ReadRun() is not { } run)
        {
            return;
        }
        foreach (var (role, pid) in new[] { ("agent", run.Pids.Agent), ("gateway", run.Pids.Gateway), ("router", run.Pids.Router) })
        {
            try
            {
                using var process = Process.GetProcessById(pid);
                // Process ids are used again: it is ours only if it was told to keep its data in our folder.
                if (!IsOurs(pid, data.In(role)))
                {
                    continue;
                }
                say($"waiting for {role} (pid {pid}) of an earlier start to stop");
                using var patience = new CancellationTokenSource(Patience, clock);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancel);
                try
                {
                    await process.WaitForExitAsync(either.Token).ConfigureAwait(false);
                }
                catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
                {
                    process.Kill();
                    await process.WaitForExitAsync(cancel).ConfigureAwait(false);
                }
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException)
            {
                // It is gone.
            }
        }
        File.Delete(data.RunFile);
    }

    private static bool IsOurs(int pid, string folder)
    {
        try
        {
            return Encoding.UTF8.GetString(File.ReadAllBytes($"/proc/{pid}/environ")).Split('\0').Contains($"FORETIER__DATA={folder}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}

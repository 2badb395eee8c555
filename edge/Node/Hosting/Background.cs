using System.Runtime.InteropServices;

namespace Foretier.Node.Hosting;

/// <summary>Work that takes a core for long and is not waited for: on a thread of its own that yields to those that take messages in and answer questions.</summary>
public static partial class Background
{
    /// <summary>A tenth of the share of a core that others get while they want it (nice 10).</summary>
    private const int Niceness = 10;

    public static Task RunAsync(Action work)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            if (OperatingSystem.IsLinux())
            {
                // Of this thread alone, as Linux has it. Where it is refused, the work runs like any other.
                _ = Native.setpriority(0, 0, Niceness);
            }
            try
            {
                work();
                done.SetResult();
            }
            catch (Exception failure)
            {
                done.SetException(failure);
            }
        })
        { IsBackground = true, Name = "background" }.Start();
        return done.Task;
    }

    private static partial class Native
    {
        [LibraryImport("libc")]
        internal static partial int setpriority(int which, int who, int priority);
    }
}

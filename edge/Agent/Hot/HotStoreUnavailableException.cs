using Foretier.Durable;

namespace Foretier.Agent.Hot;

/// <summary>
/// The hot store cannot accept or confirm samples now. Whoever sent them keeps them and tries again; nothing acknowledged is lost.
/// </summary>
/// <param name="reason">A code: <c>disk_full</c>, <c>read_only</c>, <c>io_error</c>, <c>overloaded</c>, <c>folder_in_use</c>, <c>folder_not_writable</c>, <c>closed</c>.</param>
/// <param name="message">What happened and what to do.</param>
public sealed class HotStoreUnavailableException(string reason, string message, Exception? inner = null) : Exception(message, inner)
{
    public string Reason { get; } = reason;

    /// <summary>The code of an error of the hot store's device, and what to do about it.</summary>
    internal static (string Reason, string Hint) Explain(Exception e)
    {
        const int readOnlyFileSystem = 30;
        return Disk.IsFull(e) ? ("disk_full", "free some space on the hot store's device; it goes on by itself")
            : (e.HResult & 0xFFFF) == readOnlyFileSystem
            ? ("read_only", "the hot store's file system is mounted read-only: check the device and mount it for writing; it goes on by itself")
            : ("io_error", "check the hot store's device; it goes on by itself when writing works again");
    }
}

namespace Foretier.Agent.Hot;

/// <summary>
/// The hot store cannot accept or confirm samples now. Whoever sent them keeps them and tries again; nothing acknowledged is lost.
/// </summary>
/// <param name="reason">A code: <c>disk_full</c>, <c>io_error</c>, <c>overloaded</c>, <c>folder_in_use</c>, <c>folder_not_writable</c>, <c>closed</c>.</param>
/// <param name="message">What happened and what to do.</param>
public sealed class HotStoreUnavailableException(string reason, string message, Exception? inner = null) : Exception(message, inner)
{
    public string Reason { get; } = reason;
}

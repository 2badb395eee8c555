using System.Net;

namespace Foretier.Agent.Ingest.Identity;

/// <summary>Checks secrets for every way in, a few at a time: a chosen one costs CPU, and who guesses is slowed down. Thread-safe.</summary>
internal sealed class LogIns(DeviceRegistry devices, FailureThrottle failures) : IDisposable
{
    private readonly SemaphoreSlim _checks = new(Math.Max(1, Environment.ProcessorCount / 2));

    /// <summary>
    /// Who comes in, or null; then whether that is for too many failures. Whoever acts on it later asks
    /// <see cref="DeviceRegistry.IsCurrent"/> again.
    /// </summary>
    public async ValueTask<(Admission? Admitted, bool IsThrottled)> TryAsync(
        IPAddress from, string? user, ReadOnlyMemory<byte> secret, CancellationToken cancel)
    {
        var known = DeviceName.TryParse(user, out var claimed) ? devices.Find(claimed!)?.Secret : null;
        var isThrottled = !failures.Allows(from, user);
        // A generated secret cannot be guessed and costs nothing to check: a device that has one is not locked out by a neighbour behind
        // the same address that keeps trying with a wrong one.
        Admission? admitted = null;
        if (!isThrottled || known is { Algorithm: SecretHash.Generated })
        {
            await _checks.WaitAsync(cancel);
            try
            {
                // A chosen secret takes a hash made to be slow: not on the thread that polls the sockets.
                admitted = known is null or { Algorithm: SecretHash.Generated } ? devices.Admit(user, secret.Span)
                    : await Task.Run(() => devices.Admit(user, secret.Span), cancel);
            }
            finally
            {
                _checks.Release();
            }
        }
        if (admitted is null && !isThrottled)
        {
            failures.Failed(from, user);
        }
        return (admitted, admitted is null && isThrottled);
    }

    public void Dispose() => _checks.Dispose();
}

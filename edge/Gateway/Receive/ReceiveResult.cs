using Foretier.Protocol.Shipping;

namespace Foretier.Gateway.Receive;

/// <summary>What became of a batch.</summary>
public enum ReceiveOutcome
{
    /// <summary>Durable here.</summary>
    Stored,

    /// <summary>It was already durable here; nothing changed.</summary>
    AlreadyHeld,

    /// <summary>Batches between what is held and this one are missing: send from <see cref="ReceiveResult.Through"/> on.</summary>
    Gap,

    /// <summary>The bytes are not what they should be; nothing was written.</summary>
    Refused,
}

/// <param name="Through">The last flush of the window that the gateway holds.</param>
/// <param name="Receipt">For what is durable here.</param>
/// <param name="Refusal">Why not.</param>
public sealed record ReceiveResult(ReceiveOutcome Outcome, long Through, ShipReceipt? Receipt = null, BatchRefusal? Refusal = null);

/// <param name="Reason">A code: digest_mismatch, bad_batch, wrong_batch, batch_conflict.</param>
/// <param name="Samples">How many samples it stood for: one where they cannot be counted.</param>
public sealed record BatchRefusal(string Reason, string Detail, long Samples);

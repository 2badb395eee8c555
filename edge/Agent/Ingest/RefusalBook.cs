using System.Collections.Concurrent;
using Foretier.Agent.Hot;
using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest;

/// <summary>
/// Where every refused message goes: counted in the ledger, kept in the quarantine, and logged, at most one line of a kind in ten seconds.
/// </summary>
/// <param name="wire">Real time, for the rate of the log.</param>
internal sealed class RefusalBook(HotStore store, Quarantine quarantine, TimeProvider clock, TimeProvider wire, ILogger log)
{
    private static readonly TimeSpan LogEvery = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, Recent> _recent = new();

    /// <returns>The commit ticket of the count: an acknowledgement of the refusal has to wait for it as for any other.</returns>
    /// <exception cref="HotStoreUnavailableException">The journal cannot take it.</exception>
    public long Enter(string user, ReadOnlySpan<byte> topic, ReadOnlySpan<byte> payload, in Refusal refusal, in Delivery delivery = default)
    {
        var ticket = store.Reject(refusal.Code, refusal.Samples, delivery.EndsWithRefusal ? default : delivery);
        if (refusal.Code != RefusalCode.FlashBudget)
        {
            quarantine.Keep(Instant.Now(clock), user, topic, payload, refusal);
        }
        if (_recent.GetOrAdd(refusal.Code, static _ => new()).ShouldLog(wire, out var more))
        {
            log.LogWarning("Refused a message of {User} to {Topic} as {Code}: {Detail} ({More} more since the last such line)",
                user, Excerpt.Of(topic, 200), refusal.Code, refusal.Text, more);
        }
        return ticket;
    }

    private sealed class Recent
    {
        private readonly Lock _lock = new();
        private long? _loggedAt;
        private long _silent;

        public bool ShouldLog(TimeProvider wire, out long more)
        {
            lock (_lock)
            {
                more = _silent;
                if (_loggedAt is { } at && wire.GetElapsedTime(at) < LogEvery)
                {
                    _silent++;
                    return false;
                }
                _loggedAt = wire.GetTimestamp();
                _silent = 0;
                return true;
            }
        }
    }
}

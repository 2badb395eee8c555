using Foretier.Core.Samples;

namespace Foretier.Agent.Hot;

/// <summary>What the devices of this edge did to its files since the start, as health and metrics tell it.</summary>
/// <param name="Corrected">Flipped bits that were found and put right: nothing was lost.</param>
/// <param name="Damaged">Files found damaged beyond that.</param>
/// <param name="LostSamples">Acknowledged samples that nothing here or below has any more; in the ledger since the store was made.</param>
/// <param name="Last">The last finding, naming file, series and time; null while there is none.</param>
/// <param name="ScrubbedAt">When the last scrub of all files ended; null before the first.</param>
/// <param name="ScrubbedBytes">Read by scrubs.</param>
/// <param name="Problem">The worst of it, as long as an operator should know; null while all is well.</param>
public sealed record IntegrityStatus(
    long Corrected, long Damaged, long LostSamples, string? Last, DateTimeOffset? ScrubbedAt, long ScrubbedBytes, string? Problem);

/// <summary>Takes down what is found. Thread-safe.</summary>
internal sealed class DamageBook(TimeProvider clock, ILogger log)
{
    private readonly Lock _gate = new();
    private long _corrected, _damaged, _lost, _scrubbedBytes;
    private string? _last, _problem;
    private DateTimeOffset? _scrubbedAt;

    public IntegrityStatus Status
    {
        get
        {
            lock (_gate)
            {
                return new(_corrected, _damaged, _lost, _last, _scrubbedAt, _scrubbedBytes, _problem);
            }
        }
    }

    public void Corrected(string file, string what)
    {
        lock (_gate)
        {
            _corrected++;
            _last = $"{file}: {what} had flipped and was put right; nothing is lost";
        }
        log.LogError("{File}: {What} had flipped on the device and was put right; nothing is lost", file, what);
    }

    /// <param name="what">What was damaged and what came of it, with series and times where known.</param>
    /// <param name="samples">How many samples are gone for good.</param>
    public void Damaged(string file, string what, long samples)
    {
        lock (_gate)
        {
            _damaged++;
            _lost += samples;
            _last = $"{file}: {what}";
            _problem = samples > 0 || _problem is null ? _last : _problem;
        }
        log.LogCritical("{File} was damaged on the device: {What}", file, what);
    }

    public void Read(long bytes)
    {
        lock (_gate)
        {
            _scrubbedBytes += bytes;
        }
    }

    public void Scrubbed()
    {
        lock (_gate)
        {
            _scrubbedAt = Instant.ToDateTimeOffset(Instant.Now(clock));
        }
    }
}

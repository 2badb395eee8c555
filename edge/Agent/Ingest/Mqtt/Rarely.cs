namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>Lets something be said at most once in a while, for what thousands of connections may meet at once. Thread-safe.</summary>
internal sealed class Rarely(TimeSpan pause, TimeProvider wire)
{
    private long _said;

    /// <summary>True where it is time to say it.</summary>
    public bool IsDue()
    {
        var last = Interlocked.Read(ref _said);
        return (last == 0 || wire.GetElapsedTime(last) > pause)
            && Interlocked.CompareExchange(ref _said, Math.Max(1, wire.GetTimestamp()), last) == last;
    }
}

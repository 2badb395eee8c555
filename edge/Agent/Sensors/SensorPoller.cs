using Foretier.Core.Samples;

namespace Foretier.Agent.Sensors;

/// <summary>
/// Reads one device again and again. One that fails is let go of and looked for again, less and less often; that others are read meanwhile
/// is what each having its own poller is for.
/// </summary>
/// <param name="publish">Takes what was read, with the time it was read (µs).</param>
/// <param name="kind">What it is.</param>
internal sealed class SensorPoller(
    string name, SensorOptions options, Board board, TimeProvider clock, ILogger log, Action<long, IReadOnlyList<SensorReading>> publish, SensorKind kind)
{
    /// <summary>From so many failures in a row on it is said to be in trouble: one may be a glitch on the wire.</summary>
    private const int FailuresTold = 3;

    private static readonly TimeSpan RetryMax = TimeSpan.FromMinutes(5);

    private ISensor? _sensor;
    private string _lastError = "";
    private long _reads;
    private long _failed;
    private int _failures;

    public string Name => name;

    public long Reads => Interlocked.Read(ref _reads);

    public long Failed => Interlocked.Read(ref _failed);

    /// <summary>Null while it can be read.</summary>
    public string? Problem => Volatile.Read(ref _failures) >= FailuresTold
        ? $"sensor {name} ({options.Kind} at {kind.PlaceOf(options)}) cannot be read: {Volatile.Read(ref _lastError)}" : null;

    /// <summary>Until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            var due = clock.GetTimestamp();
            while (true)
            {
                // A bus may block: not on a thread that others need.
                var wait = await Task.Run(Poll, stop).ConfigureAwait(false) ? options.Every : Pause;
                // By the time it was due, not by when it was done, so that an hour has as many readings as it should.
                var late = clock.GetElapsedTime(due);
                due = late < wait ? due + (long)(wait.TotalSeconds * clock.TimestampFrequency) : clock.GetTimestamp();
                await Task.Delay(late < wait ? wait - late : TimeSpan.Zero, clock, stop).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
        }
        finally
        {
            _sensor?.Dispose();
        }
    }

    /// <summary>Reads once. False where it failed.</summary>
    internal bool Poll()
    {
        try
        {
            _sensor ??= kind.Open!(options, board);
            var readings = _sensor.Read();
            if (readings.FirstOrDefault(reading => !double.IsFinite(reading.Value)) is { Measurement: not null } wrong)
            {
                throw new IOException($"it gave {wrong.Value} as {wrong.Measurement}");
            }
            if (_failures >= FailuresTold)
            {
                log.LogInformation("Sensor {Name} can be read again", name);
            }
            Volatile.Write(ref _failures, 0);
            Interlocked.Increment(ref _reads);
            publish(Instant.Now(clock), readings);
            return true;
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            // Drivers throw whatever they like; none of it is a reason to stop reading the others.
            Failure(failure);
            return false;
        }
    }

    private TimeSpan Pause
    {
        get
        {
            var pause = options.Every * Math.Pow(2, Math.Min(_failures - 1, 30));
            return pause < RetryMax ? pause : options.Every > RetryMax ? options.Every : RetryMax;
        }
    }

    private void Failure(Exception failure)
    {
        Volatile.Write(ref _lastError, failure.Message);
        Interlocked.Increment(ref _failed);
        if (Interlocked.Increment(ref _failures) == FailuresTold)
        {
            log.LogWarning("{Problem}. Look at its wires, bus and address; it is tried again, at the latest every {Pause}", Problem, RetryMax);
        }
        try
        {
            _sensor?.Dispose();
        }
        catch (Exception gone) when (gone is IOException or InvalidOperationException)
        {
            // It is let go of in any case.
        }
        _sensor = null;
    }
}

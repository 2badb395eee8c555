using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Foretier.Client.Mqtt;
using Foretier.Tests.Benchmarks.Ingest;

namespace Foretier.Tests.Benchmarks.Links;

/// <summary>One reading. Its value is its number, so that each tells which it is.</summary>
internal readonly record struct Reading(string Measurement, long Time, int Value);

/// <summary>
/// A device that publishes at QoS 1 all the time, and remembers what it sent and what was acknowledged: three readings of now, then one of earlier days
/// (a device that brings its history), so that windows fill, move away and get late samples meanwhile.
/// </summary>
internal sealed class SteadyDevice(int number, int historyDays) : IAsyncDisposable
{
    public const int PerSecond = 20;
    public const string Live = "m*", History = "h";
    private static readonly string[] LiveMeasurements = ["m0", "m1", "m2"];
    private readonly List<Reading> _sent = [];
    private readonly Dictionary<(string, long), int> _byTime = [];
    private readonly CancellationTokenSource _done = new();
    private readonly long _historyBegin = DateTimeOffset.UtcNow.UtcDateTime.Date.AddDays(-historyDays - 2).Subtract(DateTime.UnixEpoch).Ticks / TimeSpan.TicksPerMillisecond;
    private MqttPublisher? _publisher;
    private Task _publishing = Task.CompletedTask;
    private readonly List<long> _acknowledgedAt = [];
    private string? _refused;

    public int Number => number;
    public string Name { get; } = $"acme/d{number}";
    public long Begin { get; } = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
    public (long From, long To) HistoryRange => (_historyBegin, _historyBegin + historyDays * 86_400_000L);

    /// <summary>As many of the first readings. They are acknowledged in the order they were sent in.</summary>
    public int Acknowledged => AcknowledgedBefore(double.MaxValue);

    /// <param name="time">Epoch ms. Of the acknowledgement's arrival here, a little after it was given.</param>
    public int AcknowledgedBefore(double time)
    {
        lock (_acknowledgedAt)
        {
            var before = _acknowledgedAt.Count;
            while (before > 0 && _acknowledgedAt[before - 1] >= time)
            {
                before--;
            }
            return before;
        }
    }

    public string? Refused => Volatile.Read(ref _refused);

    public int Sent
    {
        get
        {
            lock (_sent)
            {
                return _sent.Count;
            }
        }
    }

    public async Task StartAsync(string host, string secret, int port = Host.MqttPort)
    {
        _publisher = await MqttPublisher.ConnectAsync(
            new() { Host = host, Port = port, User = "acme/*", Secret = secret, ClientId = $"d{number}", StartPatience = TimeSpan.FromMinutes(1) },
            ack =>
            {
                lock (_acknowledgedAt)
                {
                    _acknowledgedAt.Add(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());
                }
                if (ack.IsRefused)
                {
                    Volatile.Write(ref _refused, $"reading {ack.Tag} of {Name} was refused: {ack.Text}");
                }
            },
            TimeProvider.System, CancellationToken.None);
        _publishing = PublishAsync();
    }

    /// <summary>Ends; all that was sent is acknowledged then.</summary>
    public async Task FinishAsync()
    {
        await _done.CancelAsync();
        await _publishing;
        await _publisher!.DrainAsync(CancellationToken.None).WaitAsync(TimeSpan.FromMinutes(2));
    }

    /// <summary>Readings with their numbers, of those that the glob names, in a range of time.</summary>
    public IReadOnlyList<Reading> Of(string glob, long from, long to, int first)
    {
        lock (_sent)
        {
            return [.. _sent.Take(first).Where(reading => (glob == Live) == (reading.Measurement != History) && reading.Time >= from && reading.Time < to)];
        }
    }

    /// <returns>The number of what was sent for this time, or null.</returns>
    public int? Find(string measurement, long time)
    {
        lock (_sent)
        {
            return _byTime.TryGetValue((measurement, time), out var found) ? found : null;
        }
    }

    /// <summary>Over all readings of a measurement in order of time, as text.</summary>
    public static string Digest(IEnumerable<(long Time, double Value)> points)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (time, value) in points)
        {
            hash.AppendData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{time} {value:R}\n")));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    public async ValueTask DisposeAsync()
    {
        await _done.CancelAsync();
        await _publishing;
        if (_publisher is not null)
        {
            await _publisher.DisposeAsync();
        }
        _done.Dispose();
    }

    private async Task PublishAsync()
    {
        try
        {
            for (var tag = 0; !_done.IsCancellationRequested; tag++)
            {
                var reading = Make(tag);
                lock (_sent)
                {
                    _sent.Add(reading);
                    _byTime[(reading.Measurement, reading.Time)] = tag;
                }
                await _publisher!.PublishAsync(Encoding.ASCII.GetBytes($"v1/{Name}/{reading.Measurement}"), Encoding.ASCII.GetBytes($$"""{"v":{{tag}},"t":{{reading.Time}}}"""),
                    tag, CancellationToken.None);
                await Task.Delay(1000 / PerSecond, _done.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // Finished.
        }
    }

    private Reading Make(int tag)
    {
        var (round, which) = Math.DivRem(tag, 4);
        // Unique: one reading in 150 ms of each measurement; of earlier days one a second, from day to day in turn.
        return which < 3 ? new(LiveMeasurements[which], DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(), tag)
            : new(History, _historyBegin + round % historyDays * 86_400_000L + round * 1000L, tag);
    }
}

using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Foretier.Core.Samples;
using Foretier.Durable;

namespace Foretier.Agent.Ingest;

/// <summary>Samples without a time of their own that were stamped while the clock was not trusted.</summary>
/// <param name="From">First stamp, µs.</param>
/// <param name="To">Last stamp, µs; as far as it was written down where the box went off meanwhile.</param>
/// <param name="Samples">How many.</param>
/// <param name="Behind">By how much the stamps are too early, µs; null where nobody ever set the clock meanwhile.</param>
public sealed record Stamped(long From, long To, long Samples, long? Behind);

/// <summary>
/// Marks such samples: which times they got, and how far off those are, so that somebody who cares can delete them or put them right. Kept on disk, and begun there
/// before the first of them is acknowledged. Thread-safe.
/// </summary>
public sealed partial class StampBook : IDisposable
{
    /// <summary>Starts without a clock that are remembered; the oldest is forgotten.</summary>
    private const int KeptMax = 32;

    private readonly string _path;
    private readonly SiteClock _clock;
    private readonly ILogger _log;
    private readonly Lock _gate = new();
    private readonly List<Stamped> _closed;
    private Stamped? _open;

    private StampBook(string path, SiteClock clock, ILogger log, List<Stamped> closed) => (_path, _clock, _log, _closed) = (path, clock, log, closed);

    /// <summary>Reads what earlier starts have left.</summary>
    public static StampBook Open(string path, SiteClock clock, ILogger log)
    {
        try
        {
            var text = TwoCopies.Read(path, out var problem);
            if (problem is not null)
            {
                log.LogWarning("{Problem}", problem);
            }
            return new(path, clock, log, text is null ? [] : [.. JsonSerializer.Deserialize(text, StampJson.Default.StampedArray) ?? []]);
        }
        catch (Exception broken) when (broken is JsonException or IOException or InvalidDataException or UnauthorizedAccessException)
        {
            // It says what to look at in samples that are all there: no reason not to start.
            log.LogWarning("Which samples were stamped by a clock that was not trusted cannot be read from {Path}, and is forgotten: {Problem}", path, broken.Message);
            return new(path, clock, log, []);
        }
    }

    /// <summary>Newest last.</summary>
    public IReadOnlyList<Stamped> All
    {
        get
        {
            lock (_gate)
            {
                Close();
                return _open is null ? [.. _closed] : [.. _closed, _open];
            }
        }
    }

    /// <summary>What an operator should know of them; null where there are none.</summary>
    public string? Told => All is [.., var last] ? string.Create(CultureInfo.InvariantCulture,
        $"{last.Samples} samples without a time of their own are stamped {Instant.Format(last.From)} to {Instant.Format(last.To)} by a clock that was not trusted, "
        + $"{(last.Behind is { } behind ? $"{TimeSpan.FromMicroseconds(behind):d\\.hh\\:mm\\:ss} too early" : "nobody knows how far off")}") : null;

    /// <summary>Samples were stamped at <paramref name="now"/>, and are not acknowledged yet.</summary>
    public void Note(int samples, long now)
    {
        lock (_gate)
        {
            if (_open is null)
            {
                _open = new(now, now, samples, null);
                Write();
                return;
            }
            _open = _open with { To = Math.Max(now, _open.To), Samples = _open.Samples + samples };
        }
    }

    /// <summary>Writes down how far it came.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            Close();
            if (_open is not null)
            {
                Write();
            }
        }
    }

    private void Close()
    {
        if (_open is null || !_clock.IsTrusted)
        {
            return;
        }
        _closed.Add(_open with { Behind = _clock.WasBehind });
        _closed.RemoveRange(0, Math.Max(0, _closed.Count - KeptMax));
        _open = null;
        Write();
        if (_log.IsEnabled(LogLevel.Warning))
        {
            var last = _closed[^1];
            _log.LogWarning("The clock is trusted again; {Samples} samples without a time of their own were stamped {From} to {To}, {Seconds:0} s too early",
                last.Samples, Instant.Format(last.From), Instant.Format(last.To), last.Behind / 1e6);
        }
    }

    private void Write()
    {
        try
        {
            TwoCopies.Write(_path, JsonSerializer.SerializeToUtf8Bytes([.. _closed, .. _open is null ? (Stamped[])[] : [_open]], StampJson.Default.StampedArray));
        }
        catch (IOException full)
        {
            // The samples matter more than their mark, which stands here until the process ends.
            _log.LogWarning("Which samples a clock stamps that is not trusted cannot be written down: {Problem}", full.Message);
        }
    }

    [JsonSerializable(typeof(Stamped[]))]
    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
    private sealed partial class StampJson : JsonSerializerContext;
}

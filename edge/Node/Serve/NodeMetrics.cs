using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Net;
using System.Text;
using Foretier.Core.Tiers;
using Foretier.Node.Keys;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Foretier.Node.Serve;

/// <summary>
/// /metrics: the instruments of every meter named <see cref="Name"/>, in Prometheus' text form. To add one anywhere in a node:
/// <c>private static readonly Counter&lt;long&gt; Refused = new Meter("Foretier").CreateCounter&lt;long&gt;("foretier.refused", "{message}", "…");</c>
/// Dots become underscores, counters end in _total, histograms give _sum and _count. Keep tags few: each combination is a line for ever.
/// </summary>
public sealed class NodeMetrics : IDisposable
{
    public const string Name = "Foretier";

    private const int SeriesMax = 5_000;

    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<(string Name, string Tags), Measured> _measured = new();
    private readonly Meter _meter = new(Name);
    private readonly ConcurrentDictionary<(string Path, int Status), long> _queries = new();
    private readonly Lock _scrape = new();

    public NodeMetrics(string node, TimeProvider clock)
    {
        var started = clock.GetTimestamp();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == Name)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.Start();
        _meter.CreateObservableCounter("foretier.queries", () => _queries.Select(q => new Measurement<long>(q.Value, new("path", q.Key.Path), new("status", q.Key.Status))),
            "{request}", "Questions answered, by address and status.");
        var version = typeof(NodeMetrics).Assembly.GetName().Version?.ToString(3) ?? "";
        _meter.CreateObservableGauge("foretier.info", () => new Measurement<long>(1, new("node", node), new("version", version)), null, "Always 1.");
        _meter.CreateObservableGauge("foretier.uptime.seconds", () => clock.GetElapsedTime(started).TotalSeconds, null, "Time since the start.");
        _meter.CreateObservableGauge("foretier.memory.resident.bytes", () => Environment.WorkingSet, null, "Resident memory of this process.");
        _meter.CreateObservableGauge("foretier.memory.heap.bytes", () => GC.GetTotalMemory(false), null, "Managed memory of this process.");
        _meter.CreateObservableGauge("foretier.memory.heap.committed.bytes", () => GC.GetGCMemoryInfo().TotalCommittedBytes, null, "What the managed heap holds of the machine's memory since the last collection.");
        _meter.CreateObservableCounter("foretier.gc.pause.seconds", () => GC.GetTotalPauseDuration().TotalSeconds, null, "Time that collections have stopped this process.");
        _meter.CreateObservableCounter("foretier.gc.collections", () => Enumerable.Range(0, GC.MaxGeneration + 1).Select(generation =>
            new Measurement<long>(GC.CollectionCount(generation), new KeyValuePair<string, object?>("generation", generation))), "{collection}", "Collections of a generation and those below it.");
        _meter.CreateObservableCounter("foretier.cpu.seconds", () => Environment.CpuUsage.TotalTime.TotalSeconds, null, "CPU time of this process.");
    }

    /// <summary>For instruments of this node that read what it has.</summary>
    public Meter Meter => _meter;

    /// <summary>Received, accepted and rejected samples of an account.</summary>
    public void Observe(Func<Ledger> ledger)
    {
        _meter.CreateObservableCounter("foretier.samples.received", () => ledger().Received, "{sample}", "Samples offered.");
        _meter.CreateObservableCounter("foretier.samples.accepted", () => ledger().Accepted, "{sample}", "Samples accepted.");
        _meter.CreateObservableCounter("foretier.samples.superseded", () => ledger().Superseded, "{sample}", "Replaced by a later one of the same time.");
        _meter.CreateObservableCounter("foretier.samples.shed", () => ledger().Shed, "{sample}", "Given up at a limit.");
        _meter.CreateObservableCounter("foretier.samples.rejected",
            () => ledger().RejectedBy.Select(r => new Measurement<long>(r.Value, new KeyValuePair<string, object?>("reason", r.Key))), "{sample}", "Samples refused, by reason.");
        _meter.CreateObservableGauge("foretier.samples.held", () => ledger().Held, "{sample}", "Samples that are durable nowhere further down.");
        _meter.CreateObservableGauge("foretier.ledger.balanced", () => ledger().Balanced ? 1 : 0, null, "1 where the account adds up.");
    }

    /// <summary>Serves /metrics: to anyone who asks over loopback, else to keys. Counts questions as they pass.</summary>
    public void Map(WebApplication app)
    {
        app.Use(async (http, next) =>
        {
            await next(http).ConfigureAwait(false);
            if (http.Request.Path.Value switch { "/api/v1/query" => "query", "/api/v1/explain" => "explain", _ => null } is { } path)
            {
                _queries.AddOrUpdate((path, http.Response.StatusCode), 1, static (_, count) => count + 1);
            }
        });
        app.MapGet("/metrics", (HttpContext http) =>
            http.Connection.LocalIpAddress is { } local && IPAddress.IsLoopback(local) || Gate.CallerOf(http) is not null
                ? Results.Text(Write(), "text/plain; version=0.0.4; charset=utf-8")
                : Problem.Of(StatusCodes.Status401Unauthorized, "unauthorized", "beyond loopback metrics need an API key: 'Authorization: Bearer KEY'"))
            .WithSummary("Metrics in Prometheus' text form.");
    }

    /// <summary>All instruments as they are now.</summary>
    public string Write()
    {
        lock (_scrape)
        {
            foreach (var (key, _) in _measured.Where(m => m.Value.Instrument.IsObservable))
            {
                // What an observer tells no more is not there any more.
                _measured.TryRemove(key, out _);
            }
            _listener.RecordObservableInstruments();
            var text = new StringBuilder();
            foreach (var family in _measured.GroupBy(m => m.Key.Name).OrderBy(f => f.Key, StringComparer.Ordinal))
            {
                var instrument = family.First().Value.Instrument;
                var (type, name) = TypeOf(instrument);
                if (instrument.Description is { Length: > 0 } help)
                {
                    text.Append("# HELP ").Append(name).Append(' ').Append(help.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)).Append('\n');
                }
                text.Append("# TYPE ").Append(name).Append(' ').Append(type).Append('\n');
                foreach (var ((_, tags), measured) in family.OrderBy(m => m.Key.Tags, StringComparer.Ordinal))
                {
                    var (sum, count) = measured.Read();
                    Line(text, type == "summary" ? name + "_sum" : name, tags, sum);
                    if (type == "summary")
                    {
                        Line(text, name + "_count", tags, count);
                    }
                }
            }
            return text.ToString();
        }
    }

    public void Dispose()
    {
        _listener.Dispose();
        _meter.Dispose();
    }

    private static void Line(StringBuilder text, string name, string tags, double value) =>
        text.Append(name).Append(tags).Append(' ').Append(value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');

    private void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var key = (instrument.Name, TagText(tags));
        if (!_measured.TryGetValue(key, out var measured))
        {
            if (_measured.Count >= SeriesMax)
            {
                return;
            }
            measured = _measured.GetOrAdd(key, _ => new(instrument));
        }
        measured.Add(value);
    }

    private static (string Type, string Name) TypeOf(Instrument instrument)
    {
        var name = instrument.Name.Replace('.', '_').Replace('-', '_');
        var kind = instrument.GetType().Name;
        return kind.StartsWith("Histogram", StringComparison.Ordinal) ? ("summary", name)
            : kind.StartsWith("Counter", StringComparison.Ordinal) || kind.StartsWith("ObservableCounter", StringComparison.Ordinal) ? ("counter", name + "_total")
            : ("gauge", name);
    }

    private static string TagText(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (tags.IsEmpty)
        {
            return "";
        }
        var text = new StringBuilder("{");
        foreach (var (key, value) in tags)
        {
            text.Append(text.Length > 1 ? "," : "").Append(key.Replace('.', '_')).Append("=\"")
                .Append(Convert.ToString(value, CultureInfo.InvariantCulture)?.Replace("\\", "\\\\", StringComparison.Ordinal)
                    .Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)).Append('"');
        }
        return text.Append('}').ToString();
    }

    /// <summary>The sum of what a counter, up-down counter or histogram was given; the last of a gauge or an observer.</summary>
    private sealed class Measured(Instrument instrument)
    {
        private readonly Lock _lock = new();
        private readonly bool _isSum = !instrument.IsObservable && !instrument.GetType().Name.StartsWith("Gauge", StringComparison.Ordinal);
        private double _value;
        private long _count;

        public Instrument Instrument => instrument;

        public void Add(double value)
        {
            lock (_lock)
            {
                _value = _isSum ? _value + value : value;
                _count++;
            }
        }

        public (double Value, long Count) Read()
        {
            lock (_lock)
            {
                return (_value, _count);
            }
        }
    }
}

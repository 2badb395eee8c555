using System.Diagnostics.Metrics;
using Foretier.Agent.Allocate;
using Foretier.Agent.Hot;
using Foretier.Agent.Ingest.Identity;
using Foretier.Agent.Ingest.Mqtt;
using Foretier.Core.Samples;
using Foretier.Node.Serve;

namespace Foretier.Agent;

/// <summary>What an agent tells on /metrics beside what every node does.</summary>
internal static class AgentMetrics
{
    /// <summary>Devices that have a line of their own: each is a series for the monitoring, and silent ones go first.</summary>
    private const int DevicesMax = 200;

    public static void Observe(this NodeMetrics metrics, HotStore store, MqttIngest ingest, DeviceRegistry devices, DeviceWatch watch)
    {
        metrics.Observe(() => store.Ledger);
        var meter = metrics.Meter;
        meter.CreateObservableGauge("foretier.mqtt.connections", () => ingest.Connections, "{connection}", "MQTT connections now.");
        meter.CreateObservableGauge("foretier.files.open", () => FileLimit.Open() ?? 0, "{file}", "Files and sockets open now.");
        meter.CreateObservableGauge("foretier.files.max", () => ingest.FilesMax ?? 0, "{file}", "As many as may be open; 0: no limit is known.");
        meter.CreateObservableCounter("foretier.mqtt.connections.refused", () => (Measurement<long>[])
            [new(ingest.ThrottledConnections, new KeyValuePair<string, object?>("reason", "rate")), new(ingest.RefusedConnections, new KeyValuePair<string, object?>("reason", "room"))],
            "{connection}", "MQTT connections turned away since the start: too many from one address in a short time, or too many at once.");
        meter.CreateObservableCounter("foretier.mqtt.deliveries.dropped", () => ingest.DroppedDeliveries, "{message}", "Deliveries that subscribers were too slow for.");
        meter.CreateObservableGauge("foretier.mqtt.retained", () => ingest.RetainedCounts.Kept, "{message}", "Retained messages now.");
        meter.CreateObservableCounter("foretier.mqtt.retained.refused", () => ingest.RetainedCounts.Refused, "{message}", "Retained messages that were delivered but not kept for want of room.");
        meter.CreateObservableCounter("foretier.flash.written.bytes", () => store.DiskUse.BytesWritten, "By", "Bytes written to the device by journal and window files since the start.");
        meter.CreateObservableCounter("foretier.window.prepared", () => store.Moves.Select(line => new Measurement<long>(line.Made)), "{window}", "Window files made before their first samples.");
        meter.CreateObservableCounter("foretier.window.prepared.used", () => store.Moves.Select(line => new Measurement<long>(line.Used)), "{window}", "Of them, those that got samples.");
        meter.CreateObservableCounter("foretier.window.prepared.wasted", () => store.Moves.Select(line => new Measurement<long>(line.Wasted)), "{window}", "Of them, those that got none.");
        meter.CreateObservableCounter("foretier.flash.syncs", () => store.DiskUse.Syncs, "{sync}", "Syncs waited for since the start.");
        meter.CreateObservableGauge("foretier.devices", () => devices.Devices.Count, "{device}", "Devices known.");
        meter.CreateObservableGauge("foretier.devices.silent", () => watch.SilentCount, "{device}", "Devices that have missed what they are expected to keep to.");
        meter.CreateObservableGauge("foretier.device.silent.seconds", () => devices.Devices
            .Select(device => (device.Name, Span: watch.SilentFor(device), IsSilent: watch.IsSilent(device))).Where(d => d.Span is not null)
            .OrderByDescending(d => d.IsSilent).ThenByDescending(d => d.Span).Take(DevicesMax)
            .Select(d => new Measurement<double>(d.Span!.Value / (double)Instant.Second, new("device", d.Name.ToString()), new("silent", d.IsSilent ? "1" : "0"))),
            "s", $"Time since a device was heard; at most {DevicesMax} devices, silent ones first.");
    }

    public static void Observe(this NodeMetrics metrics, MapRefresh map)
    {
        var meter = metrics.Meter;
        meter.CreateObservableCounter("foretier.forecast.cycles", () => map.Cycles.Cycles, "{cycle}", "Hourly forecasts of all series since the start.");
        meter.CreateObservableCounter("foretier.forecast.fallbacks", () => map.Cycles.Fallbacks, "{cycle}", "Those of them that went on without their model.");
        meter.CreateObservableGauge("foretier.forecast.model", () => map.Model is null ? 0 : 1, null, "1 where the last one had its model, 0 where it was seasonal baselines alone.");
        meter.CreateObservableGauge("foretier.forecast.series", () => map.Cycles.Series, "{series}", "Series forecast in the last one.");
        meter.CreateObservableGauge("foretier.reserve.wanted.bytes", () => map.Room.Wanted, "By", "What windows that open soon are predicted to need of the flash.");
        meter.CreateObservableGauge("foretier.reserve.ready.bytes", () => map.Room.Reserved, "By", "What is set aside for them: less means that samples may find no room.");
        meter.CreateObservableGauge("foretier.forecast.seconds", () => map.Cycles.Took.TotalSeconds, "s", "How long the last one took.");
    }
}

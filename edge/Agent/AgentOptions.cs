using Foretier.Agent.Allocate;
using Foretier.Agent.Hot;
using Foretier.Agent.Ingest.Foreign;
using Foretier.Agent.Ingest.Http;
using Foretier.Agent.Ingest.Identity;
using Foretier.Agent.Ingest.Mqtt;
using Foretier.Agent.Sensors;
using Foretier.Agent.Ship;
using Foretier.Agent.Updates;
using Foretier.Node.Hosting;
using Foretier.Predict.Models;

namespace Foretier.Agent;

/// <summary>Settings of an edge agent, beside those of every node.</summary>
public sealed class AgentOptions : NodeOptions
{
    /// <summary>How devices reach it. QuarantineFile is set from Data where it is left out.</summary>
    public MqttOptions Mqtt { get; set; } = new() { QuarantineFile = "" };

    /// <summary>Who is let in.</summary>
    public IdentityOptions Identity { get; set; } = new();

    /// <summary>Templates for topics of other conventions.</summary>
    public IngestOptions Ingest { get; set; } = new();

    /// <summary>Limits of /write and /api/v2/write.</summary>
    public InfluxOptions Influx { get; set; } = new();

    /// <summary>Journal, memory and window files. Node and Directory follow from the node's own settings.</summary>
    public HotOptions Hot { get; set; } = new() { Directory = "" };

    /// <summary>How what is here goes to the gateway. Url and Token follow from the node's own settings.</summary>
    public ShipOptions Ship { get; set; } = new() { Url = new("http://localhost"), Token = "" };

    /// <summary>Forecast and map. Node and Directory follow from the node's own settings.</summary>
    public AllocateOptions Allocate { get; set; } = new() { Directory = "" };

    /// <summary>Where the models lie that forecast.</summary>
    public ModelOptions Models { get; set; } = new();

    /// <summary>Whose models it takes from afar.</summary>
    public UpdateOptions Updates { get; set; } = new();

    /// <summary>Devices on this board's own buses.</summary>
    public SensorsOptions Sensors { get; set; } = new();

    internal ShipOptions ShipChecked(string upstream) => (Ship with { Url = new(upstream), Token = Link.Token }).Validated();

    internal AllocateOptions AllocateChecked() => (Allocate with { Node = Node, Directory = Path.Combine(Data, "map") }).Validated();

    internal MqttOptions MqttChecked() => (Mqtt with
    {
        QuarantineFile = Mqtt.QuarantineFile.Length > 0 ? Mqtt.QuarantineFile : Path.Combine(Data, "quarantine.jsonl"),
        Tls = Mqtt.Tls is { OwnCertificateFile.Length: 0 } tls ? tls with { OwnCertificateFile = Path.Combine(Data, "mqtt-tls.pem") } : Mqtt.Tls,
    }).Validated();

    /// <summary>What no single setting can tell of itself: two on one port, or more than this machine has.</summary>
    /// <exception cref="ArgumentException">The message names the settings.</exception>
    internal AgentOptions CheckedTogether()
    {
        var http = new Uri(Http);
        (string Key, string Address, int Port)[] ports =
        [
            ("Http", http.Host, http.Port),
            ("Mqtt:Port", Mqtt.Address, Mqtt.Port),
            ("Mqtt:Tls:Port", Mqtt.Tls?.Address ?? "", Mqtt.Tls?.Port ?? -1),
            ("Mqtt:WebSocketPort", Mqtt.Tls?.Address ?? Mqtt.Address, Mqtt.WebSocketPort),
        ];
        foreach (var same in ports.Where(p => p.Port > 0).GroupBy(p => p.Port).Where(g => g.Count() > 1))
        {
            throw new ArgumentException($"{string.Join(" and ", same.Select(p => p.Key))} are all {same.Key}: give each a port of its own");
        }
        if (Upstreams.Count > 1)
        {
            throw new ArgumentException($"Upstream '{Upstream}' names several nodes: an edge ships to one gateway, which links it to all routers");
        }
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (Hot.MemoryBytesMax > memory)
        {
            throw new ArgumentException($"Hot:MemoryBytesMax is {Hot.MemoryBytesMax}, but this process may have {memory} bytes of memory");
        }
        var disk = new DriveInfo(Path.GetFullPath(Data)).TotalSize;
        if (Hot.JournalFileBytes * (long)Hot.JournalFiles + Hot.ReserveBytes > disk)
        {
            throw new ArgumentException($"Hot:JournalFileBytes times Hot:JournalFiles is more than the disk of {Data} has ({disk} bytes)");
        }
        return this;
    }

    internal IdentityOptions IdentityChecked() => Identity.Validated();

    internal HotOptions HotChecked() => (Hot with { Node = Node, Directory = Path.Combine(Data, "hot") }).Validated();
}

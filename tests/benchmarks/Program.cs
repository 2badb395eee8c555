using Foretier.Tests.Benchmarks;
using Foretier.Tests.Benchmarks.Fleet;
using Foretier.Tests.Benchmarks.Forecast;
using Foretier.Tests.Benchmarks.Idle;
using Foretier.Tests.Benchmarks.Ingest;
using Foretier.Tests.Benchmarks.Links;
using Foretier.Tests.Benchmarks.Query;
using Foretier.Tests.Benchmarks.Segments;

using var descendants = Descendants.EndWithThis();
if (args is ["crash", ..])
{
    return await CrashMode.RunAsync(args[1..]);
}
if (args is ["childkill", ..])
{
    return await ChildKillMode.RunAsync(args[1..]);
}
if (args is ["links", ..])
{
    return await LinkFaultMode.RunAsync(args[1..]);
}
if (args is ["fleet-map", ..])
{
    return await FleetMapMode.RunAsync(args[1..]);
}
if (args is ["hostile-map", ..])
{
    return await HostileMapMode.RunAsync(args[1..]);
}
if (args is ["models", ..])
{
    return await ModelRolloutMode.RunAsync(args[1..]);
}
if (args is ["staging", ..])
{
    return await StagingMode.RunAsync(args[1..]);
}
if (args is ["boundary", .. var count] && count.Length <= 1 && int.TryParse(count.FirstOrDefault() ?? "500", System.Globalization.NumberStyles.None, null, out var boundaries) && boundaries > 0)
{
    return await BoundaryBench.RunAsync(boundaries) ? 0 : 1;
}
if (args is ["protocol", ..])
{
    return await ProtocolMode.RunAsync(args[1..]);
}
if (args is ["fuzz", ..])
{
    return FuzzMode.Run(args[1..]);
}
if (args is ["differential", ..])
{
    return await DifferentialMode.RunAsync(args[1..]);
}
if (args is ["forecast" or "golden", ..])
{
    return await ForecastBench.RunAsync(args);
}
if (args is ["idle", ..] && !args.Contains("--help"))
{
    return await IdleBench.RunAsync(args[1..]) ? 0 : 1;
}
// Benchmarks of the running product. Each has a name; without one those of the main job run. See --help.
if (args.Contains("--help") || args.Contains("-h"))
{
    Console.WriteLine("""
        usage: scripts/bench [first | ingest [rate] [points] [cpu] [memory] [flash] | query | router | boundary [N] | segments | forecast | golden | idle]
          first   starts 'foretier up' and measures: messages/s and points/s ingested (durable, QoS 1), bytes a sample on each tier,
                  query p50/p99 from each tier, RSS of each process. No targets.
          ingest  the edge agent alone, as published for a box: rate beside mosquitto, points/s, time to PUBACK, CPU a message, memory, flash bytes.
          query   the same questions to REST here and to VictoriaMetrics and InfluxDB (where installed): CPU a query, p99.
          boundary [N]  time to PUBACK, device bytes and syncs while N windows open (default 500), their files made ahead and not.
          router  dashboard queries through the router and to the gateway, many at once, beside the peers; cold reads of the gateway; a month
                  from an archive behind an S3 service that takes 80 ms more a request.
          segments  bytes a sample beside Parquet-zstd, VictoriaMetrics and InfluxDB (where installed); samples encoded and decoded a second.
          forecast  processor time and peak memory of the inference child for 10,000 series; golden: its answers against the trained models'.
          idle    an agent that nobody publishes to, as it is published for a box: start, memory, processor, flash bytes a day (an hour;
                  --minutes N; --program PATH of a published one).
        Without a name: first and ingest. Exit code 1 where a target is missed.
        """);
    return 0;
}
if (args is ["diskfull", var small, "reserved"])
{
    return await DiskFullReserved.RunAsync(small) ? 0 : 1;
}
if (args is ["diskfull", var folder, var rounds])
{
    return await DiskFull.RunAsync(folder, int.Parse(rounds, System.Globalization.CultureInfo.InvariantCulture)) ? 0 : 1;
}
var name = args.FirstOrDefault() ?? "all";
var parts = args.Skip(1).ToList();
if (name is not ("all" or "first" or "ingest" or "query" or "router" or "segments") || parts.Except(name == "ingest" ? IngestBench.PartNames : []).FirstOrDefault() is not null)
{
    Console.Error.WriteLine($"bench: there is no benchmark '{string.Join(' ', args)}'; see --help");
    return 2;
}
if (name == "query")
{
    return await QueryBench.RunAsync() ? 0 : 1;
}
if (name == "router")
{
    return await RouterBench.RunAsync() ? 0 : 1;
}
if (name == "segments")
{
    return SegmentsBench.Run() ? 0 : 1;
}
if (name is "all" or "first")
{
    await FirstFigures.RunAsync(CancellationToken.None);
}
return name == "first" || await IngestBench.RunAsync(parts) ? 0 : 1;

using Foretier.Tests.Benchmarks;
using Foretier.Tests.Benchmarks.Ingest;

// Benchmarks of the running product. Each has a name; without one all run. See --help.
if (args.Contains("--help") || args.Contains("-h"))
{
    Console.WriteLine("""
        usage: scripts/bench [first] [ingest]
          first   starts 'foretier up' and measures: messages/s and points/s ingested (durable, QoS 1), bytes a sample on each tier,
                  query p50/p99 from each tier, RSS of each process. No targets.
          ingest  the edge agent alone: rate beside mosquitto, points/s, time to PUBACK, CPU a message, memory, flash bytes.
        Exit code 1 where a target is missed.
        """);
    return 0;
}
var names = args.Length > 0 ? args : ["first", "ingest"];
if (names.FirstOrDefault(name => name is not ("first" or "ingest")) is { } unknown)
{
    Console.Error.WriteLine($"bench: there is no benchmark '{unknown}'; see --help");
    return 2;
}
var met = true;
foreach (var name in names)
{
    switch (name)
    {
        case "ingest":
            met &= await IngestBench.RunAsync();
            break;
        default:
            await FirstFigures.RunAsync(CancellationToken.None);
            break;
    }
}
return met ? 0 : 1;

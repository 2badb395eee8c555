using Foretier.Tests.Benchmarks;

// Benchmarks of the running product. Each has a name; without one all run. See --help.
if (args.Contains("--help") || args.Contains("-h"))
{
    Console.WriteLine("""
        usage: scripts/bench [first]
          first   starts 'foretier up' and measures: messages/s and points/s ingested (durable, QoS 1), bytes a sample on each tier,
                  query p50/p99 from each tier, RSS of each process. No targets yet; later benchmarks have some and exit 1 where one is missed.
        """);
    return 0;
}
if (args.FirstOrDefault(name => name != "first") is { } unknown)
{
    Console.Error.WriteLine($"bench: there is no benchmark '{unknown}'; see --help");
    return 2;
}
await FirstFigures.RunAsync(CancellationToken.None);
return 0;

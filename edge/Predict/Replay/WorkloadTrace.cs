using System.Globalization;
using Foretier.Core.Samples;

namespace Foretier.Predict.Replay;

/// <summary>
/// A workload as reads of resources: a series at a resolution, in the part of its past that a range reaches into. Each query reads every
/// part that it touches; parts are as large as the fleet's volumes make them, and what ages from one part into the next moves with all policies alike.
/// </summary>
public static class WorkloadTrace
{
    /// <summary>How old the oldest of each part is, hours.</summary>
    private static readonly (string Name, int Hours)[] Parts = [("1d", 24), ("7d", 168), ("31d", 744), ("100d", 2_400), ("400d", 9_600)];

    /// <summary>The names of the workloads there are.</summary>
    public static IReadOnlyList<string> Names { get; } = ["site"];

    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <exception cref="ArgumentException">There is no such workload.</exception>
    public static ReadTrace Make(string name, WorkloadOptions options)
    {
        if (!Names.Contains(name))
        {
            throw new ArgumentException($"there is no workload '{name}'; there is {string.Join(", ", Names)}");
        }
        var workload = new QueryWorkload(options);
        var series = workload.Series.ToDictionary(s => s.Name, StringComparer.Ordinal);
        return ReadTrace.Of($"{name} (seed {options.Seed})", workload.Queries().SelectMany(q => ReadsOf(q)), resource => SizeOf(resource, series)) with
        {
            ZoneOf = QueryWorkload.ZoneOf,
        };
    }

    /// <summary>Writes a workload as <c>t,op,series,resolution,from,to,bytes</c>: times in seconds since 1970, one line for each query.</summary>
    public static void WriteCsv(TextWriter to, WorkloadOptions options)
    {
        var workload = new QueryWorkload(options);
        var series = workload.Series.ToDictionary(s => s.Name, StringComparer.Ordinal);
        to.Write("t,op,series,resolution,from,to,bytes\n");
        foreach (var q in workload.Queries())
        {
            var bytes = series[q.Series].BytesOf(q.Step, (double)q.Range.Length / Instant.Hour);
            for (var again = 0; again < q.Count; again++)
            {
                to.Write(string.Create(CultureInfo.InvariantCulture,
                    $"{q.Time + again * 3_600L / q.Count},read,{q.Series},{NameOf(q.Step)},{q.Range.From / Instant.Second},{q.Range.To / Instant.Second},{bytes:0}\n"));
            }
        }
    }

    private static IEnumerable<(long Time, string Key, int Count)> ReadsOf(WorkloadQuery query)
    {
        var (oldest, newest) = (query.Time - query.Range.From / Instant.Second, query.Time - query.Range.To / Instant.Second);
        var begin = 0L;
        foreach (var (part, hours) in Parts)
        {
            var end = hours * 3_600L;
            if (oldest > begin && newest < end)
            {
                yield return (query.Time, $"{query.Series}@{NameOf(query.Step)}@{part}", query.Count);
            }
            begin = end;
        }
    }

    private static double SizeOf(string resource, Dictionary<string, FleetSeries> series)
    {
        var fields = resource.Split('@');
        var at = Array.FindIndex(Parts, p => p.Name == fields[2]);
        return Math.Max(1, series[fields[0]].BytesOf(StepOf(fields[1]), Parts[at].Hours - (at == 0 ? 0 : Parts[at - 1].Hours)));
    }

    private static string NameOf(long step) => step switch { 0 => "raw", Instant.Minute => "1m", 5 * Instant.Minute => "5m", Instant.Hour => "1h", _ => "1d" };

    private static long StepOf(string name) => name switch { "raw" => 0, "1m" => Instant.Minute, "5m" => 5 * Instant.Minute, "1h" => Instant.Hour, _ => Instant.Day };
}

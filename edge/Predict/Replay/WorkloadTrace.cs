using System.Globalization;
using Foretier.Core.Samples;
using Foretier.Predict.Replay.Events;

namespace Foretier.Predict.Replay;

/// <summary>
/// A made workload as a trace. Who asks the same again within the hour is one read of it: an answer just given is in the memory of the node that
/// gave it, whatever the policy.
/// </summary>
public static class WorkloadTrace
{
    /// <summary>The names of the workloads there are.</summary>
    public static IReadOnlyList<string> Names { get; } = ["site"];

    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <exception cref="ArgumentException">There is no such workload.</exception>
    public static EventTrace Make(string name, WorkloadOptions options)
    {
        if (!Names.Contains(name))
        {
            throw new ArgumentException($"there is no workload '{name}'; there is {string.Join(", ", Names)}");
        }
        var workload = new QueryWorkload(options);
        List<string> series = [.. workload.Series.Select(s => s.Name)];
        var index = series.Select((s, at) => (s, at)).ToDictionary(s => s.s, s => s.at, StringComparer.Ordinal);
        return new($"{name} (seed {options.Seed})", workload.Start, options.Days, series, workload.Samples(),
            [.. workload.Queries().Select(q => new TraceRead(q.Time, index[q.Series], Resolutions.IndexOf(q.Step), q.Range.From / Instant.Second, q.Range.To / Instant.Second))])
        {
            ZoneOf = QueryWorkload.ZoneOf,
        };
    }

    /// <summary>Writes a trace as CSV, one line for each read and for what each series writes in an hour.</summary>
    public static void WriteCsv(TextWriter to, EventTrace trace)
    {
        to.Write(EventCsv.Header + "\n");
        var at = 0;
        for (var hour = 0; hour < trace.Days * 24; hour++)
        {
            var begin = trace.Start + hour * 3_600L;
            for (var series = 0; series < trace.Series.Count; series++)
            {
                if (trace.SamplesIn(series, hour) is var samples and > 0)
                {
                    to.Write(string.Create(CultureInfo.InvariantCulture, $"{begin},write,{trace.Series[series]},raw,{begin},{begin + 3_600},{samples * Resolutions.SampleBytes:0}\n"));
                }
            }
            for (; at < trace.Reads.Count && trace.Reads[at].Time < begin + 3_600; at++)
            {
                var read = trace.Reads[at];
                to.Write(string.Create(CultureInfo.InvariantCulture, $"{read.Time},read,{trace.Series[read.Series]},{Resolutions.Names[read.Resolution]},{read.From},{read.To},0\n"));
            }
        }
    }
}

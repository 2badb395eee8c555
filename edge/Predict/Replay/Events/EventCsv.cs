using System.Globalization;

namespace Foretier.Predict.Replay.Events;

/// <summary>
/// Traces as CSV: <c>t,op,series,resolution,from,to,bytes</c>. Times are seconds since 1970; op is read or write; the resolution is raw, 1m, 5m, 1h
/// or 1d; from and to say which stretch, half-open. Bytes of a write are of raw samples, 3 a sample; of a read they are not looked at.
/// </summary>
public static class EventCsv
{
    public const string Header = "t,op,series,resolution,from,to,bytes";

    private const double TimeMax = 1e11;

    /// <exception cref="InvalidDataException">Not such a file; the message names line and column.</exception>
    /// <param name="text">Behind its header, which is line 1.</param>
    public static EventTrace Read(TextReader text, string name)
    {
        var known = new Dictionary<string, int>(StringComparer.Ordinal);
        List<TraceRead> reads = [];
        List<(long Time, int Series, double Bytes)> writes = [];
        for (var number = 2; text.ReadLine() is { } line; number++)
        {
            if (!string.IsNullOrWhiteSpace(line))
            {
                Take(line.TrimEnd('\r'), number, known, reads, writes);
            }
        }
        if (reads.Count == 0)
        {
            throw new InvalidDataException("there are no reads in it");
        }
        var first = Math.Min(reads.Min(r => r.Time), writes.Count > 0 ? writes.Min(w => w.Time) : long.MaxValue) / 86_400 * 86_400;
        var last = Math.Max(reads.Max(r => r.Time), writes.Count > 0 ? writes.Max(w => w.Time) : 0);
        var days = (int)((last - first) / 86_400) + 1;
        var samples = new int[known.Count][];
        for (var series = 0; series < samples.Length; series++)
        {
            samples[series] = new int[days * 24];
        }
        foreach (var (time, series, bytes) in writes)
        {
            samples[series][(time - first) / 3_600] += (int)Math.Ceiling(bytes / Resolutions.SampleBytes);
        }
        // In a stable order for equal times, so that a replay repeats.
        return new(name, first, days, [.. known.OrderBy(k => k.Value).Select(k => k.Key)], samples, [.. reads.OrderBy(r => r.Time)]);
    }

    private static void Take(string line, int number, Dictionary<string, int> known, List<TraceRead> reads, List<(long, int, double)> writes)
    {
        var fields = line.Split(',');
        InvalidDataException Bad(string what) => new($"line {number}: {what}: '{(line.Length > 120 ? line[..120] + "…" : line)}'");
        double Number(int at, string column) => double.TryParse(fields[at], NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value is >= 0 and < TimeMax
            ? value : throw Bad($"{column} is '{fields[at]}' and has to be {(column == "bytes" ? "a number of bytes" : "seconds since 1970")}");
        if (fields.Length != 7)
        {
            throw Bad($"{fields.Length} columns instead of {Header}");
        }
        var (time, isRead) = ((long)Number(0, "t"), fields[1] == "read");
        if (!isRead && fields[1] != "write")
        {
            throw Bad($"op is '{fields[1]}' and has to be read or write");
        }
        if (fields[2].Length == 0)
        {
            throw Bad("there is no series");
        }
        var resolution = Resolutions.Names.ToList().IndexOf(fields[3]);
        if (resolution < 0)
        {
            throw Bad($"resolution is '{fields[3]}' and has to be one of {string.Join(", ", Resolutions.Names)}");
        }
        var (from, to) = ((long)Number(4, "from"), (long)Number(5, "to"));
        if (from >= to)
        {
            throw Bad("from has to be before to");
        }
        var bytes = Number(6, "bytes");
        if (!known.TryGetValue(fields[2], out var series))
        {
            known[fields[2]] = series = known.Count;
        }
        if (isRead)
        {
            reads.Add(new(time, series, resolution, from, to));
        }
        else if (resolution == 0)
        {
            writes.Add((time, series, bytes));
        }
    }
}

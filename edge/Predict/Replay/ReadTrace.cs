using System.Globalization;

namespace Foretier.Predict.Replay;

/// <summary>Reads to replay, in order of time.</summary>
public sealed record ReadTrace
{
    private ReadTrace(string name, long[] times, int[] keys, int[] counts, string[] names, double[] sizes) =>
        (Name, Times, Keys, Counts, Names, Sizes) = (name, times, keys, counts, names, sizes);

    /// <summary>What it is called in the results.</summary>
    public string Name { get; }

    /// <summary>When each read came, seconds since 1970, ascending.</summary>
    public IReadOnlyList<long> Times { get; }

    /// <summary>What each read asked for, an index into <see cref="Names"/>.</summary>
    public IReadOnlyList<int> Keys { get; }

    /// <summary>How many reads one after the other each of them stands for.</summary>
    public IReadOnlyList<int> Counts { get; }

    /// <summary>The resources, in order of their first read.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>What each resource takes on the fast tier.</summary>
    public IReadOnlyList<double> Sizes { get; }

    /// <summary>How names are read when forecast: which time zone an account lives by.</summary>
    public Func<string, TimeZoneInfo>? ZoneOf { get; init; }

    /// <summary>Makes a trace of reads in any order; of equal times, the order they are given in stays.</summary>
    /// <param name="sizeOf">What a resource takes; 1 where left out.</param>
    public static ReadTrace Of(string name, IEnumerable<(long Time, string Key, int Count)> reads, Func<string, double>? sizeOf = null)
    {
        var sorted = reads.OrderBy(r => r.Time).ToList();
        var known = new Dictionary<string, int>(StringComparer.Ordinal);
        var keys = new int[sorted.Count];
        for (var i = 0; i < keys.Length; i++)
        {
            ref var index = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(known, sorted[i].Key, out var exists);
            index = exists ? index : known.Count - 1;
            keys[i] = index;
        }
        string[] names = [.. known.OrderBy(k => k.Value).Select(k => k.Key)];
        return new(name, [.. sorted.Select(r => r.Time)], keys, [.. sorted.Select(r => r.Count)], names, [.. names.Select(n => sizeOf?.Invoke(n) ?? 1)]);
    }

    /// <summary>Reads CSV with the columns <c>t</c> (seconds since 1970) and <c>k</c> (what was read, one unit large).</summary>
    /// <param name="text">Behind its header, which is line 1.</param>
    /// <exception cref="InvalidDataException">Not such a file; the message names line and column.</exception>
    public static ReadTrace ReadCsv(TextReader text, string name)
    {
        List<(long, string, int)> reads = [];
        var number = 1;
        while (text.ReadLine() is { } line)
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }
            var comma = line.IndexOf(',', StringComparison.Ordinal);
            var key = comma < 0 ? "" : line[(comma + 1)..].TrimEnd('\r');
            key = key is ['"', .., '"'] ? key[1..^1].Replace("\"\"", "\"", StringComparison.Ordinal) : key;
            if (key.Length == 0)
            {
                throw new InvalidDataException($"line {number} has no k: '{line}'");
            }
            if (!double.TryParse(line.AsSpan(0, comma), NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var time) || time is not (>= 0 and < 1e11))
            {
                throw new InvalidDataException($"line {number}: t is '{line[..comma]}' and has to be seconds since 1970");
            }
            reads.Add(((long)time, key, 1));
        }
        return reads.Count > 0 ? Of(name, reads) : throw new InvalidDataException("there are no reads in it");
    }
}

using Foretier.Archive;
using Foretier.Archive.Stores;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Tests.Unit.Archive;

/// <summary>An archive, in a directory of its own where no other store is given, and what is asked of it.</summary>
internal sealed class ArchiveBench : IDisposable
{
    public static readonly Window Day = Window.DayOf(1_489_017_600L * Instant.Second);
    public const string Edge = "edge-1";

    /// <param name="store">Owned.</param>
    public ArchiveBench(ObjectStore? store = null)
    {
        Root = Directory.CreateTempSubdirectory("foretier-archive-").FullName;
        Store = store ?? new DirectoryStore(Path.Combine(Root, "objects"));
        Catalog = new(Store);
        Own = new(Store, "home");
    }

    public string Root { get; }
    public string Objects => Path.Combine(Root, "objects");
    public ObjectStore Store { get; }
    public ArchiveCatalog Catalog { get; }

    /// <summary>That of the site, which keeps it in order.</summary>
    public ArchiveCatalog Own { get; }

    public ArchiveTidy Tidy => new(Store, Own, Writer(), TimeProvider.System);

    public ArchiveWriter Writer(int rowsPerFile = 1_000_000, ObjectStore? store = null) =>
        new(store ?? Store, new() { Site = "home", ScratchPath = Path.Combine(Root, "scratch"), RowsPerFile = rowsPerFile });

    public ArchiveSource Source(ArchiveSourceOptions? options = null, ObjectStore? store = null) =>
        new(store ?? Store, Catalog, options ?? new(), TimeProvider.System);

    public static ArchivePack Pack(
        IReadOnlyDictionary<string, SampleColumns> samples, long after = 0, long through = 4, Window? window = null, string edge = Edge) =>
        new(edge, window ?? Day, after, through,
            [.. samples.Select(s => new SeriesInfo(s.Key, edge, UnitOf(s.Key), !s.Value.States.IsEmpty ? "state" : s.Key.Contains("/counter", StringComparison.Ordinal) ? "counter" : "gauge"))],
            series => samples[series.Name]);

    public static string? UnitOf(string series) => series.EndsWith("temperature", StringComparison.Ordinal) ? "Cel" : null;

    public static FetchRequest Ask(
        IEnumerable<string> series, TimeRange? range = null, bool raw = true, long step = 0, long after = 0, long through = 4, Window? window = null) =>
        new([.. series], [new(Edge, window ?? Day, after, through, range ?? (window ?? Day).Range)], raw, step, 0);

    /// <summary>A day of numbers, states and both, with the values that are easily lost on the way.</summary>
    public static Dictionary<string, SampleColumns> SomeSamples(int perSeries = 500)
    {
        double[] odd = [0.0, -0.0, double.MaxValue, double.Epsilon, double.NegativeInfinity, double.PositiveInfinity, 1.0 / 3, 1e-300, -17.25];
        var all = new Dictionary<string, SampleColumns>();
        foreach (var (name, kind) in new[] { ("a/kitchen/temperature", 0), ("a/kitchen/door", 1), ("a/hall/mixed", 2), ("a/zoo/odd", 3), ("a/Zoo/one", 4) })
        {
            var samples = all[name] = new();
            var time = Day.Start;
            for (var i = 0; i < (kind == 4 ? 1 : perSeries); i++)
            {
                time += 1 + (i * 7919L % 100) * Instant.Second + i;
                var state = kind == 1 || (kind == 2 && i % 3 == 0) ? (i % 2 == 0 ? "öffen" : "") : null;
                samples.Add(time, state is null ? kind == 3 ? odd[i % odd.Length] : Math.Round(20 + Math.Sin(i) * 3, 2) : 0, state);
            }
        }
        return all;
    }

    public static void AssertSame(SampleColumns expected, SampleColumns actual)
    {
        Assert.Equal(expected.Times.ToArray(), actual.Times.ToArray());
        Assert.Equal(Bits(expected), Bits(actual));
        Assert.Equal(Enumerable.Range(0, expected.Count).Select(expected.StateAt), Enumerable.Range(0, actual.Count).Select(actual.StateAt));

        static long[] Bits(SampleColumns samples) => [.. samples.Values.ToArray().Select(BitConverter.DoubleToInt64Bits)];
    }

    public string[] Files(string pattern) => [.. Directory.EnumerateFiles(Objects, pattern, SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

    public void Dispose()
    {
        Catalog.Dispose();
        Own.Dispose();
        Store.Dispose();
        Directory.Delete(Root, recursive: true);
    }
}

/// <summary>A store that fails, lies or watches when told to.</summary>
internal sealed class MeddledStore(ObjectStore inner) : ObjectStore
{
    public Func<string, bool> FailPut { get; set; } = _ => false;
    public Func<string, bool> FailGet { get; set; } = _ => false;
    public Func<string, bool> CorruptPut { get; set; } = _ => false;
    public List<string> Reads { get; } = [];
    public List<string> Puts { get; } = [];

    public override Task PutAsync(string key, Stream content, CancellationToken cancel)
    {
        lock (Puts)
        {
            Puts.Add(key);
        }
        if (FailPut(key))
        {
            throw new ArchiveException(ArchiveFault.Unreachable, "put", key, "the power went out");
        }
        if (!CorruptPut(key))
        {
            return inner.PutAsync(key, content, cancel);
        }
        var bytes = new byte[content.Length];
        content.ReadExactly(bytes);
        bytes[bytes.Length / 2] ^= 1;
        return inner.PutAsync(key, bytes.AsMemory(), cancel);
    }

    public override Task<byte[]> GetAsync(string key, CancellationToken cancel)
    {
        Note(key);
        return inner.GetAsync(key, cancel);
    }

    public override Task<byte[]> GetRangeAsync(string key, long offset, int length, CancellationToken cancel)
    {
        Note(key);
        return inner.GetRangeAsync(key, offset, length, cancel);
    }

    public override Task<ObjectInfo?> StatAsync(string key, CancellationToken cancel) => inner.StatAsync(key, cancel);
    public override IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancel) => inner.ListAsync(prefix, cancel);
    public override Task DeleteAsync(string key, CancellationToken cancel) => inner.DeleteAsync(key, cancel);

    private void Note(string key)
    {
        lock (Reads)
        {
            Reads.Add(key);
        }
        if (FailGet(key))
        {
            throw new ArchiveException(ArchiveFault.Unreachable, "get", key, "the line is down");
        }
    }
}

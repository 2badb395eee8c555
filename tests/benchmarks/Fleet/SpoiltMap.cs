using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Node.Hosting;
using Foretier.Predict.Access;
using Foretier.Predict.Plan;
using Foretier.Predict.Volume;
using Foretier.Tests.Differential;

namespace Foretier.Tests.Benchmarks.Fleet;

/// <summary>An edge's partition map as it should not be, wherever it is kept: as pairs for etcd, and as the files that the edge keeps of it. Not thread-safe.</summary>
/// <param name="edge">Whose map.</param>
/// <param name="folder">Of the edge's files.</param>
/// <param name="kept">A folder for files as they once were.</param>
internal sealed class SpoiltMap(string edge, string folder, string kept, HostileMap lies, IReadOnlyList<string> series, Random random)
{
    /// <summary>A third of what there is, bits of it changed.</summary>
    /// <param name="withHeads">Those that say that a map is whole, too.</param>
    public IEnumerable<EtcdPair> Damaged(IEnumerable<EtcdPair> pairs, bool withHeads)
    {
        var damaged = pairs.Where(pair => (withHeads || !pair.Key.EndsWith("/head", StringComparison.Ordinal)) && random.Next(3) == 0).Select(pair => pair with { Value = Damaged(pair.Value) });
        return [.. damaged, .. withHeads ? [] : new[] { Head() }];
    }

    /// <summary>Rare is frequent, near is far, much is less than nothing.</summary>
    public IEnumerable<EtcdPair> UpsideDown(IEnumerable<EtcdPair> pairs) => [.. pairs.Where(pair => pair.Key.Contains("/e/", StringComparison.Ordinal)).Select(Inverted), Head()];

    /// <summary>A map that nobody forecast.</summary>
    public IEnumerable<EtcdPair> MadeUp()
    {
        var map = MadeUpMap();
        return
        [
            .. map.Groups.Select(group => new EtcdPair(FormattableString.Invariant($"{EtcdFigures.MapPrefix}{edge}/g/{group.Account}/{group.Group}@{group.Version}"), Packed(JsonSerializer.Serialize(group, NodeJson.Options)))),
            .. map.Entries.Select(entry => new EtcdPair($"{EtcdFigures.MapPrefix}{edge}/e/{entry.Id}", JsonSerializer.SerializeToUtf8Bytes(entry, NodeJson.Options))),
            Head(),
        ];
    }

    /// <summary>Of any revision: whatever else was put is taken for whole with it.</summary>
    public EtcdPair Head(bool isBeingWritten = false) =>
        new($"{EtcdFigures.MapPrefix}{edge}/head", Encoding.UTF8.GetBytes($$"""{"revision":{{random.NextInt64(long.MaxValue)}},"isBeingWritten":{{(isBeingWritten ? "true" : "false")}}}"""));

    /// <summary>Remembers the edge's files as they are.</summary>
    public void KeepFiles()
    {
        Directory.CreateDirectory(kept);
        ForFiles(file => File.Copy(file, Path.Combine(kept, Path.GetFileName(file))));
    }

    public void PutFilesBack()
    {
        DeleteFiles();
        Directory.EnumerateFiles(kept).ToList().ForEach(file => File.Copy(file, Path.Combine(folder, Path.GetFileName(file))));
    }

    public void DamageFiles() => ForFiles(file => File.WriteAllBytes(file, Damaged(File.ReadAllBytes(file))));

    public void DeleteFiles() => ForFiles(File.Delete);

    /// <summary>Files as the agent writes them, of a world in which other series send a million readings an hour, the true ones none, and everybody reads what nobody does.</summary>
    public void MakeFilesUp()
    {
        var now = Instant.From(DateTime.UtcNow);
        var (volumes, reads) = (new VolumeHistory(), new AccessLog());
        for (var i = 0; i < 50; i++)
        {
            var name = random.Next(2) == 0 ? $"acme/none-{i}/m" : series[random.Next(series.Count)];
            for (var hour = now - 30 * Instant.Day; hour < now + Instant.Day; hour += Instant.Hour)
            {
                volumes.Observe(name, hour, random.Next(1_000_000));
            }
            reads.Record(name, random.Next(3) == 0 ? 0 : Instant.Hour, ReadShape.Of(new(now - random.NextInt64(400 * Instant.Day), now), now), now - random.NextInt64(Instant.Day), random.Next(1, 10_000));
        }
        Write("volume-history", stream => volumes.Save(stream, now - random.NextInt64(-Instant.Day, Instant.Day)));
        Write("access-log", reads.Save);
        Write("partition-map", stream => PartitionMapFile.Save(stream, MadeUpMap()));
        void Write(string name, Action<Stream> write)
        {
            using var file = File.Create(Path.Combine(folder, name));
            write(file);
        }
    }

    private PartitionMap MadeUpMap()
    {
        var map = lies.Current;
        return new(map.Revision, [.. map.Groups.Select(group => group with { Edge = edge })], [.. map.Entries.Select(entry => entry with { Edge = edge })]);
    }

    private void ForFiles(Action<string> act) => Directory.EnumerateFiles(folder).ToList().ForEach(act);

    /// <summary>Bits flipped, the end cut off, something else altogether, or a null where a name should be.</summary>
    private byte[] Damaged(byte[] good)
    {
        var bytes = (byte[])good.Clone();
        switch (random.Next(5))
        {
            case 0:
                return [];
            case 1:
                return bytes[..(bytes.Length / 2)];
            case 2:
                return Packed($$"""{"edge":"{{edge}}","account":"acme","group":"g0","version":1,"series":[null,"acme/d1/m0"],"revision":1}""");
            case 3:
                random.NextBytes(bytes);
                return bytes;
            default:
                for (var i = 0; i < bytes.Length; i += 40)
                {
                    bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                }
                return bytes;
        }
    }

    private EtcdPair Inverted(EtcdPair pair)
    {
        var entry = JsonSerializer.Deserialize<PartitionEntry>(pair.Value, NodeJson.Options)!;
        return pair with
        {
            Value = JsonSerializer.SerializeToUtf8Bytes(entry with
            {
                Access = AccessPattern.Frequent - (int)entry.Access,
                Prefer = Tier.Archive - (int)entry.Prefer,
                SamplesP50 = -entry.SamplesP90,
                SamplesP90 = -entry.SamplesP50,
                Reserved = new(long.MaxValue - entry.Reserved.Memory, -entry.Reserved.Ssd, long.MaxValue, long.MinValue),
                Rollups = [],
                Revision = random.NextInt64(),
            }, NodeJson.Options),
        };
    }

    private static byte[] Packed(string text)
    {
        using var to = new MemoryStream();
        using (var brotli = new BrotliStream(to, CompressionLevel.Fastest, leaveOpen: true))
        {
            brotli.Write(Encoding.UTF8.GetBytes(text));
        }
        return to.ToArray();
    }
}

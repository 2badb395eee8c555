using System.Text.Json;
using System.Text.Json.Serialization;
using Foretier.Archive.Stores;
using Foretier.Core.Partitions;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Archive;

/// <summary>
/// Publishes the layers (After, Through] of one window of one edge: written last, so that what it names is there and verified.
/// The archive is the sum of its manifests; a file that none names does not exist for a query.
/// </summary>
/// <param name="Format">1; 2 where something is erased. It goes up where a program that does not know of something would answer wrongly; what costs such a program only time, as rollups do, it passes over.</param>
/// <param name="Window">As <see cref="Core.Partitions.Window"/> writes itself.</param>
/// <param name="Files">None where these layers have no samples.</param>
public sealed record ArchiveManifest(
    int Format, string Site, string Edge, string Window, long After, long Through, IReadOnlyList<ArchivedFile> Files)
{
    public const int CurrentFormat = 2;

    /// <summary>Where what older layers of this edge and window have was deleted; null where nothing was.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<ArchivedErasure>? Erased { get; init; }

    /// <summary>The name of the node in holdings and plans.</summary>
    public const string Node = "archive";

    public Holding ToHolding()
    {
        _ = Core.Partitions.Window.TryParse(Window, out var window);
        var extent = Files.Aggregate(TimeRange.Nothing, (all, file) => all.Hull(new(file.MinTime, file.MaxTime + 1)));
        extent = (Erased ?? []).Aggregate(extent, (all, erased) => all.Hull(new(erased.From, erased.To)));
        return new(Edge, window, Node, Tier.Archive, After, Through, extent, Files.Sum(f => f.Rows), Files.Sum(f => f.Bytes + (f.Rollups?.Bytes ?? 0)));
    }

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, ArchiveJson.Default.ArchiveManifest);

    /// <exception cref="ArchiveException">Damaged: the bytes are no manifest, or not the one of this key, or of a newer format.</exception>
    public static ArchiveManifest Parse(ManifestKey key, ReadOnlySpan<byte> bytes)
    {
        ArchiveManifest? manifest;
        try
        {
            manifest = JsonSerializer.Deserialize(bytes, ArchiveJson.Default.ArchiveManifest);
        }
        catch (JsonException e)
        {
            throw new ArchiveException(ArchiveFault.Damaged, "read", key.ToString(), "not a manifest; publish this window again", e);
        }
        if (manifest is { Format: > CurrentFormat })
        {
            throw new ArchiveException(ArchiveFault.Damaged, "read", key.ToString(),
                $"format {manifest.Format} is newer than this program knows ({CurrentFormat}); update it");
        }
        return manifest is not null && manifest.Site == key.Site && manifest.Edge == key.Edge && manifest.Window == key.Window.ToString()
            && manifest.After == key.After && manifest.Through == key.Through
            && manifest.Files.All(IsSound)
            ? manifest
            : throw new ArchiveException(ArchiveFault.Damaged, "read", key.ToString(), "the manifest is not the one of its key; publish this window again");
    }

    private static bool IsSound(ArchivedFile file) => file.Rows == file.Series.Sum(s => s.Count) && file.Rows > 0
        && (file.Rollups is not { } rollups || (rollups.Step > 0 && rollups.Rows.Count == file.Series.Count && rollups.Parts.Count == file.Series.Count && rollups.Rows.All(rows => rows >= 0)));
}

/// <param name="Sha256">Of the whole object, lower-case hex.</param>
/// <param name="MinTime">Of the first sample, µs.</param>
/// <param name="MaxTime">Of the last sample, µs.</param>
/// <param name="Series">In the order in which the file has them: their counts tell where each begins.</param>
public sealed record ArchivedFile(
    string Key, long Bytes, string Sha256, long Rows, long MinTime, long MaxTime, IReadOnlyList<ArchivedSeries> Series)
{
    /// <summary>The file of its rollups; null where there is none: then its samples answer everything, as they can anyway.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ArchivedRollups? Rollups { get; init; }
}

/// <summary>Rollups of exactly the samples of a file.</summary>
/// <param name="Sha256">Of the whole object, lower-case hex.</param>
/// <param name="Step">Length of a step, µs.</param>
/// <param name="Rows">Of each series of the file, in its order, how many rows it has here: their counts tell where each begins. 0: none.</param>
/// <param name="Parts">Of each series of the file, what its rows have besides what all have; as a number 1 spread, 2 increase, 4 durations, 8 sketch, added up.</param>
public sealed record ArchivedRollups(string Key, long Bytes, string Sha256, long Step, IReadOnlyList<int> Rows, IReadOnlyList<RollupParts> Parts);

/// <param name="States">How many of the samples are states.</param>
/// <param name="MinTime">Of the first sample, µs.</param>
/// <param name="MaxTime">Of the last sample, µs.</param>
public sealed record ArchivedSeries(string Name, string? Unit, string Kind, long Count, long States, long MinTime, long MaxTime);

/// <param name="From">µs.</param>
/// <param name="To">µs, just after it.</param>
public sealed record ArchivedErasure(string Series, long From, long To);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectRequiredConstructorParameters = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(ArchiveManifest))]
[JsonSerializable(typeof(IReadOnlyList<ArchivedSeries>))]
internal sealed partial class ArchiveJson : JsonSerializerContext;

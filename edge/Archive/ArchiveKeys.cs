using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Archive.Stores;

namespace Foretier.Archive;

/// <summary>
/// The key of what publishes the layers (After, Through] of one window of one edge:
/// <c>v1/catalog/site={site}/{edge}/{window}/{after}-{through}.json</c>. Names are percent-encoded where they need it.
/// </summary>
public sealed record ManifestKey(string Site, string Edge, Window Window, long After, long Through)
{
    public const string Root = "v1/catalog/";

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{PrefixOf(Site, Edge, Window)}{After}-{Through}.json");

    /// <summary>Of all that a site publishes.</summary>
    public static string PrefixOf(string site) => $"{Root}site={ArchiveKeys.Part(site)}/";

    public static string PrefixOf(string site, string edge, Window window) => $"{PrefixOf(site)}{ArchiveKeys.Part(edge)}/{window}/";

    public static bool TryParse(string text, out ManifestKey? key)
    {
        key = null;
        var parts = text.Split('/');
        if (parts.Length != 6 || !text.StartsWith(Root, StringComparison.Ordinal) || !parts[2].StartsWith("site=", StringComparison.Ordinal)
            || !parts[5].EndsWith(".json", StringComparison.Ordinal) || !Window.TryParse(parts[4], out var window))
        {
            return false;
        }
        var name = parts[5].AsSpan()[..^5];
        var dash = name.IndexOf('-');
        if (dash < 0 || !long.TryParse(name[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out var after)
            || !long.TryParse(name[(dash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var through) || through <= after)
        {
            return false;
        }
        key = new(Uri.UnescapeDataString(parts[2]["site=".Length..]), Uri.UnescapeDataString(parts[3]), window, after, through);
        return true;
    }
}

/// <summary>The keys of data files; engines that know Hive partitions read site and date from them.</summary>
internal static class ArchiveKeys
{
    /// <summary><c>v1/raw/site={s}/date=YYYY-MM-DD/b={edge hash}/{first µs}-{last µs}-{sha256:16}.parquet</c>: the content names the file.</summary>
    public static string Raw(string site, string edge, Window window, long minTime, long maxTime, string sha256) => $"{RawOf(site)}{Name(edge, window, minTime, maxTime, sha256)}";

    /// <summary><c>v1/rollup=1h/…</c>, then as of samples: nobody who reads all of those reads this among them.</summary>
    public static string Rollup(string site, string edge, Window window, long minTime, long maxTime, string sha256) => $"{RollupOf(site)}{Name(edge, window, minTime, maxTime, sha256)}";

    private static string RawOf(string site) => $"v1/raw/site={Part(site)}/";

    private static string RollupOf(string site) => $"v1/rollup=1h/site={Part(site)}/";

    /// <summary>Where all files of a site are that manifests name.</summary>
    public static IReadOnlyList<string> FilesOf(string site) => [RawOf(site), RollupOf(site)];

    private static string Name(string edge, Window window, long minTime, long maxTime, string sha256) => string.Create(CultureInfo.InvariantCulture,
        $"date={Instant.ToDateTimeOffset(window.Start):yyyy-MM-dd}/b={Bucket(edge)}/{minTime}-{maxTime}-{sha256[..16]}.parquet");

    /// <summary>A name as one part of a key.</summary>
    /// <exception cref="ArchiveException">The name is empty or too long.</exception>
    public static string Part(string name) =>
        name is not "." and not ".." && SeriesKey.Encode(name) is { } part
            ? part
            : throw new ArchiveException(ArchiveFault.Invalid, "put", name, "a site or edge needs a name of 1-128 letters, digits or _ . : @ -");

    public static string Bucket(string edge) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(edge)))[..8];
}

using System.Globalization;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;

namespace Foretier.Gateway.Warm;

/// <summary>
/// <c>20170309T000000Z-24h.12.warm</c>: the file, in its edge's folder, that holds the batches of one window after flush 12.
/// </summary>
internal readonly record struct WarmFileName(Window Window, long After)
{
    public const string Extension = ".warm";

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Window}.{After}{Extension}");

    public static bool TryParse(string name, out WarmFileName parsed)
    {
        parsed = default;
        var parts = name.Split('.');
        if (parts.Length != 3 || "." + parts[2] != Extension || !Window.TryParse(parts[0], out var window)
            || !long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var after))
        {
            return false;
        }
        parsed = new(window, after);
        return true;
    }

    /// <summary>An edge's name is also its folder's: a name of a series' part, and nothing that walks elsewhere.</summary>
    public static bool IsValidEdge(string edge) => SeriesKey.IsValidPart(edge) && !edge.StartsWith('.');
}

using System.Globalization;
using Foretier.Core.Partitions;

namespace Foretier.Agent.Hot;

/// <summary>
/// <c>ssd/20170309T000000Z-24h.g1.db</c>: the file of a window. Once its samples have moved down and it is deleted, what comes late goes
/// to the next generation.
/// </summary>
internal readonly record struct WindowFileName(Window Window, int Generation)
{
    public const string Folder = "ssd";

    public string Data => string.Create(CultureInfo.InvariantCulture, $"{Folder}/{Window}.g{Generation}.db");
    public string Log => string.Create(CultureInfo.InvariantCulture, $"{Folder}/{Window}.g{Generation}.log");

    /// <summary>The data file until its first transaction is complete.</summary>
    public string Unfinished => Data + ".new";

    public static bool TryParse(string path, out WindowFileName name)
    {
        name = default;
        var parts = Path.GetFileName(path).Split('.');
        if (parts.Length != 3 || parts[2] != "db" || parts[1].Length < 2 || parts[1][0] != 'g' || !Window.TryParse(parts[0], out var window)
            || !int.TryParse(parts[1].AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var generation))
        {
            return false;
        }
        name = new(window, generation);
        return true;
    }
}

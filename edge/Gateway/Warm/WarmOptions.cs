namespace Foretier.Gateway.Warm;

/// <summary>Where the gateway keeps what edges shipped to it.</summary>
/// <param name="Node">The gateway's name in the catalog.</param>
/// <param name="Directory">A folder on the hard disk; made when missing. No two processes may use it.</param>
public sealed record WarmOptions(string Node, string Directory)
{
    /// <summary>What answers may keep in memory of the data files they read; 0: nothing. Default 64 MB.</summary>
    public long CacheBytes { get; init; } = 64L * 1024 * 1024;

    /// <summary>What data files may take; beyond it batches are refused. 0, the default: no limit.</summary>
    public long BytesMax { get; init; }

    public string IndexPath => Path.Combine(Directory, "catalog.db");

    public string PathOf(string edge) => Path.Combine(Directory, "edges", edge);

    /// <summary>Where copies lie that were made ahead of reads.</summary>
    public string CopiesPath => Path.Combine(Directory, "copies");

    internal string PathOf(WarmCopy copy) => Path.Combine(CopiesPath, System.FormattableString.Invariant($"{copy.Id}.copy"));

    internal string PathOf(string edge, WarmFileName file) => Path.Combine(PathOf(edge), file.ToString());
}

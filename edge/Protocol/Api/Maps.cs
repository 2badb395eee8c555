namespace Foretier.Protocol.Api;

/// <summary><c>GET /api/v1/map</c>: what is expected of each partition, and what is reserved for it.</summary>
/// <param name="Revision">Goes up with every change.</param>
/// <param name="Entries">By window, then by name.</param>
/// <param name="Groups">The members of the groups that entries name.</param>
public sealed record MapReply(long Revision, IReadOnlyList<MapEntry> Entries, IReadOnlyList<MapGroup> Groups) : ApiDocument;

/// <param name="Id">account/group@version/window, such as <c>acme/g0@1/20170309T000000Z-24h</c>.</param>
/// <param name="Series">How many share it.</param>
/// <param name="Reserved">Bytes for P90.</param>
/// <param name="Access">rare, occasional or frequent.</param>
/// <param name="Prefer">memory, ssd, hdd or archive.</param>
/// <param name="Rollups">Steps to have ready.</param>
public sealed record MapEntry(
    string Id, string Edge, int Series, long SamplesP50, long SamplesP90, MapBytes Reserved, string Access, string Prefer, IReadOnlyList<string> Rollups, long Revision) : ApiDocument;

/// <summary>Bytes on each tier.</summary>
public sealed record MapBytes(long Memory, long Ssd, long Hdd, long Archive) : ApiDocument;

/// <param name="Series">Full names.</param>
public sealed record MapGroup(string Edge, string Account, string Group, int Version, IReadOnlyList<string> Series, long Revision) : ApiDocument;

/// <summary><c>DELETE /api/v1/map/EDGE</c>: it is forgotten.</summary>
public sealed record EdgeReply(string Edge) : ApiDocument;

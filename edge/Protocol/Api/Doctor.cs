namespace Foretier.Protocol.Api;

/// <summary><c>GET /api/v1/doctor</c>: what every node finds when it looks at itself.</summary>
public sealed record DoctorReply(IReadOnlyList<NodeReport> Nodes) : ApiDocument;

public sealed record NodeReport(string Node, string Version, IReadOnlyList<Check> Checks) : ApiDocument;

/// <param name="Name">What was looked at.</param>
/// <param name="Found">What is so.</param>
/// <param name="Advice">What to do; null where all is well.</param>
public sealed record Check(string Name, CheckStatus Status, string Found, string? Advice = null) : ApiDocument;

public enum CheckStatus
{
    Ok,
    Warn,
    Fail,
}

using Foretier.Protocol.Api;

namespace Foretier.Client;

/// <summary>The server understood and said no: bad parameters, no such series, wrong key. Asking again in the same way will not help.</summary>
public sealed class ServerRefusedException(Problem problem)
    : Exception(problem.Detail is null ? problem.Title : $"{problem.Title}: {problem.Detail}")
{
    public Problem Problem { get; } = problem;
}

/// <summary>There was no answer: nothing listens there, or the connection broke. Asking again later may help.</summary>
public sealed class ServerUnreachableException(Uri server, string reason, Exception? inner = null)
    : Exception($"cannot reach {server.GetLeftPart(UriPartial.Authority)}: {reason}", inner)
{
    public Uri Server { get; } = server;
}

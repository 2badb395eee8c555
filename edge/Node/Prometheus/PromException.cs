namespace Foretier.Node.Prometheus;

/// <summary>Why a Prometheus question has no answer; the type is one of those its HTTP interface names.</summary>
public sealed class PromException : Exception
{
    private PromException(int status, string type, string message)
        : base(message) => (Status, Type) = (status, type);

    public int Status { get; }
    public string Type { get; }

    /// <summary>It was asked wrongly.</summary>
    public static PromException BadData(string message) => new(400, "bad_data", message);

    /// <summary>It was asked well and cannot be answered: too much, or not possible here.</summary>
    public static PromException Execution(string message) => new(422, "execution", message);

    /// <summary>Part of the data cannot be reached now.</summary>
    public static PromException Unavailable(string message) => new(503, "unavailable", message);
}

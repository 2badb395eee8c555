namespace Foretier.Predict.Models;

/// <summary>How a child process that runs a model is started and watched.</summary>
public sealed record ChildOptions
{
    /// <summary>The program and its first arguments; by default this one, started again.</summary>
    public IReadOnlyList<string>? Program { get; init; }

    /// <summary>From start to the model being loaded; default 30 s (1 s on a PC, several on a small board that is busy).</summary>
    public TimeSpan StartWithin { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>For the answer to one batch of at most 100 rows; default 20 s (5 ms on a PC).</summary>
    public TimeSpan AnswerWithin { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Resident memory beyond which it is ended; default 192 MB (it takes 85).</summary>
    public long MemoryBytesMax { get; init; } = 192 << 20;
}

/// <summary>What a child has used since its start.</summary>
/// <param name="PeakBytes">Largest resident memory.</param>
/// <param name="Processor">Processor time, of the start too.</param>
public readonly record struct ChildUsage(long PeakBytes, TimeSpan Processor);

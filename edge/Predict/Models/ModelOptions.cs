namespace Foretier.Predict.Models;

/// <summary>Where the models lie that forecast.</summary>
public sealed record ModelOptions
{
    /// <summary>What <see cref="Directory"/> says where no model is wanted.</summary>
    public const string None = "none";

    /// <summary>A folder with one for each model (volume-lstm, …); null: those that came with the program; <c>none</c>: seasonal baselines only.</summary>
    public string? Directory { get; init; }

    /// <summary>
    /// What the child process of a model, trials included, may take from its start to the model being loaded. 1 s to 10 min, default 30 s (1 s on a PC,
    /// several on a small board that is busy, a minute on an emulated one).
    /// </summary>
    public TimeSpan StartWithin { get; init; } = new ChildOptions().StartWithin;

    /// <exception cref="ArgumentException">A value is impossible; the message names it.</exception>
    public ModelOptions Validated() => StartWithin >= TimeSpan.FromSeconds(1) && StartWithin <= TimeSpan.FromMinutes(10) ? this
        : throw new ArgumentException($"Models:{nameof(StartWithin)} must lie within 1 s and 10 min");

    /// <summary>The folder of a model, null where none is wanted.</summary>
    public string? Of(ModelContract contract) => Directory == None ? null : Path.Combine(Directory is { Length: > 0 } own ? own : ModelFolder.Shipped, contract.Id);

    /// <summary>How a child process of a model that serves is watched.</summary>
    public ChildOptions Child => new() { StartWithin = StartWithin };

    /// <summary>
    /// What starts a child process with a model, for a cycle; null where no model is wanted. Its deadlines are of this machine, whatever a test's clock says.
    /// </summary>
    public Func<CancellationToken, Task<IInference>>? Starter(ModelContract contract) => Of(contract) is not { } folder ? null
        : async cancel => await ChildInference.StartAsync(folder, Child, TimeProvider.System, cancel).ConfigureAwait(false);
}

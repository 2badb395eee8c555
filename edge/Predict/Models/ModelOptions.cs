namespace Foretier.Predict.Models;

/// <summary>Where the models lie that forecast.</summary>
public sealed record ModelOptions
{
    /// <summary>What <see cref="Directory"/> says where no model is wanted.</summary>
    public const string None = "none";

    /// <summary>A folder with one for each model (volume-lstm, …); null: those that came with the program; <c>none</c>: seasonal baselines only.</summary>
    public string? Directory { get; init; }

    /// <summary>The folder of a model, null where none is wanted.</summary>
    public string? Of(ModelContract contract) => Directory == None ? null : Path.Combine(Directory is { Length: > 0 } own ? own : ModelFolder.Shipped, contract.Id);

    /// <summary>
    /// What starts a child process with a model, for a cycle; null where no model is wanted. Its deadlines are of this machine, whatever a test's clock says.
    /// </summary>
    public Func<CancellationToken, Task<IInference>>? Starter(ModelContract contract) => Of(contract) is not { } folder ? null
        : async cancel => await ChildInference.StartAsync(folder, new(), TimeProvider.System, cancel).ConfigureAwait(false);
}

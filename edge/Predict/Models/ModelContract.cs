namespace Foretier.Predict.Models;

/// <summary>A tensor that a model takes or gives: its name and the dimensions after the batch.</summary>
public sealed record TensorShape(string Name, IReadOnlyList<int> Row)
{
    /// <summary>Whether a tensor has these dimensions, and as many numbers as they say.</summary>
    internal bool Fits(Tensor tensor) => tensor.Shape.Length == Row.Count + 1 && tensor.Shape.Skip(1).SequenceEqual(Row)
        && tensor.Shape[0] >= 0 && tensor.Values.LongLength == (long)tensor.Shape[0] * Row.Aggregate(1L, static (product, n) => product * n);

    public override string ToString() => $"{Name}[batch,{string.Join(',', Row)}]";
}

/// <summary>
/// What this program and a model have agreed on: the meaning and the dimensions of inputs and output. A model of another version of its contract
/// is refused, however well it would run.
/// </summary>
public sealed record ModelContract(string Id, int Version, IReadOnlyList<TensorShape> Inputs, TensorShape Output)
{
    /// <summary>
    /// Samples an hour of a series for the next 24 hours. history: counts of the last 672 local hours, oldest first, −1 = unknown; calendar: sine and
    /// cosine of the hour of the day and of the week, for the last 168 hours and the next 24; quantiles: P10, P50, P90 an hour, non-crossing, ≥ 0.
    /// </summary>
    public static ModelContract VolumeLstm { get; } = new("volume-lstm", 1, [new("history", [672]), new("calendar", [192, 4])], new("quantiles", [24, 3]));

    /// <summary>Reads of a series at a resolution in the next 24 hours, from 17 features of how it was read (models/access-ranker).</summary>
    public static ModelContract AccessRanker { get; } = new("access-ranker", 1, [new("features", [17])], new("reads", [1]));

    /// <summary>The contracts that this program keeps, one a model.</summary>
    public static IReadOnlyList<ModelContract> All { get; } = [VolumeLstm, AccessRanker];

    /// <summary>An answer to so many rows, to be filled.</summary>
    internal Tensor Answer(int batch) => new(new float[batch * Output.Row.Aggregate(1, static (product, n) => product * n)], [batch, .. Output.Row]);

    /// <exception cref="ArgumentException">Not what the contract says: the caller's mistake.</exception>
    internal void Check(IReadOnlyList<Tensor> inputs)
    {
        if (inputs.Count != Inputs.Count)
        {
            throw new ArgumentException($"{Id} takes {Inputs.Count} tensors and was given {inputs.Count}", nameof(inputs));
        }
        for (var i = 0; i < inputs.Count; i++)
        {
            if (!Inputs[i].Fits(inputs[i]) || inputs[i].Batch != inputs[0].Batch)
            {
                throw new ArgumentException($"{Id} takes {Inputs[i]} and was given [{string.Join(',', inputs[i].Shape)}] with {inputs[i].Values.Length} numbers", nameof(inputs));
            }
        }
    }

    /// <exception cref="InferenceException">Not an answer to so many rows.</exception>
    internal void CheckAnswer(Tensor answer, int batch)
    {
        if (!Output.Fits(answer) || answer.Batch != batch)
        {
            throw new InferenceException(InferenceFailure.Garbage, $"{Id} answered {batch} rows with [{string.Join(',', answer.Shape)}] instead of {Output}");
        }
        if (answer.Values.Any(static value => !float.IsFinite(value)))
        {
            throw new InferenceException(InferenceFailure.Garbage, $"{Id} answered with numbers that are not finite");
        }
    }
}

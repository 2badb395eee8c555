namespace Foretier.Predict.Models;

/// <summary>Numbers in a box of dimensions, the last one running fastest.</summary>
/// <param name="Values">As many as the product of <paramref name="Shape"/>.</param>
/// <param name="Shape">The first dimension is the batch.</param>
public sealed record Tensor(float[] Values, int[] Shape)
{
    /// <summary>How many rows the batch has.</summary>
    public int Batch => Shape[0];

    /// <summary>Numbers in one row of the batch.</summary>
    internal int RowLength => Shape.Skip(1).Aggregate(1, static (product, n) => checked(product * n));

    internal Tensor Rows(int from, int count) => new(Values[(from * RowLength)..((from + count) * RowLength)], [count, .. Shape.Skip(1)]);
}

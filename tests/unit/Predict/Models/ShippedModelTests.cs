using Foretier.Predict.Models;

namespace Foretier.Tests.Unit.Predict.Models;

/// <summary>Every model of this repository, through ONNX Runtime.</summary>
public class ShippedModelTests
{
    private static readonly string[] Names = [.. Directory.EnumerateFiles(ModelFolder.Shipped, "model.json", SearchOption.AllDirectories)
        .Select(file => Path.GetRelativePath(ModelFolder.Shipped, Path.GetDirectoryName(file)!)).Order(StringComparer.Ordinal)];

    public static TheoryData<string> Folders => [.. Names];

    [Fact]
    public void The_model_of_volumes_is_shipped() => Assert.Contains("volume-lstm", Names);

    [Theory]
    [MemberData(nameof(Folders))]
    public async Task Answers_what_the_trained_model_answered(string folder)
    {
        var model = ModelFolder.Open(Path.Combine(ModelFolder.Shipped, folder));
        await using var inference = OnnxInference.Load(model);
        var golden = model.ReadGolden();
        Assert.NotEmpty(golden);
        foreach (var vector in golden)
        {
            Near(vector.Output, await inference.RunAsync(vector.Inputs, CancellationToken.None));
        }
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public async Task A_row_has_the_same_answer_in_any_batch(string folder)
    {
        var model = ModelFolder.Open(Path.Combine(ModelFolder.Shipped, folder));
        await using var inference = OnnxInference.Load(model);
        var vector = model.ReadGolden()[0];
        // Past the largest batch, so that it is split.
        const int copies = OnnxInference.BatchMax + 7;
        Tensor[] many = [.. vector.Inputs.Select(input => new Tensor([.. Enumerable.Repeat(input.Rows(0, 1).Values, copies).SelectMany(row => row)], [copies, .. input.Shape.Skip(1)]))];
        var answer = await inference.RunAsync(many, CancellationToken.None);
        for (var i = 0; i < copies; i++)
        {
            Near(vector.Output.Rows(0, 1), answer.Rows(i, 1));
        }
    }

    [Fact]
    public async Task Volumes_never_cross_and_never_are_negative()
    {
        var model = ModelFolder.Open(Path.Combine(ModelFolder.Shipped, "volume-lstm"));
        await using var inference = OnnxInference.Load(model);
        var random = new Random(4);
        Tensor[] inputs =
        [
            new([.. Enumerable.Range(0, 200 * 672).Select(i => random.Next(4) == 0 ? -1f : random.Next(1 << (i / 672 % 20)))], [200, 672]),
            new([.. Enumerable.Range(0, 200 * 192 * 4).Select(_ => random.NextSingle() * 2 - 1)], [200, 192, 4]),
        ];
        var quantiles = (await inference.RunAsync(inputs, CancellationToken.None)).Values;
        for (var i = 0; i < quantiles.Length; i += 3)
        {
            Assert.True(0 <= quantiles[i] && quantiles[i] <= quantiles[i + 1] && quantiles[i + 1] <= quantiles[i + 2], $"{quantiles[i]} {quantiles[i + 1]} {quantiles[i + 2]}");
        }
    }

    [Fact]
    public async Task What_is_not_of_the_contract_is_the_callers_mistake()
    {
        await using var inference = OnnxInference.Load(ModelFolder.Open(Path.Combine(ModelFolder.Shipped, "volume-lstm")));
        var e = await Assert.ThrowsAsync<ArgumentException>(() => inference.RunAsync([new(new float[671], [1, 671]), new(new float[768], [1, 192, 4])], CancellationToken.None));
        Assert.Contains("history[batch,672]", e.Message, StringComparison.Ordinal);
    }

    /// <summary>Within 1e-4, relative above 1.</summary>
    internal static void Near(Tensor expected, Tensor actual)
    {
        Assert.Equal(expected.Shape, actual.Shape);
        for (var i = 0; i < expected.Values.Length; i++)
        {
            var allowed = 1e-4f * Math.Max(1, Math.Abs(expected.Values[i]));
            Assert.True(Math.Abs(expected.Values[i] - actual.Values[i]) <= allowed, $"number {i}: {actual.Values[i]} instead of {expected.Values[i]}");
        }
    }
}

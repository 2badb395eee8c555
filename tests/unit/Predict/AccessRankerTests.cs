using System.Text.Json;
using CsCheck;
using Foretier.Predict.Access;
using Foretier.Predict.Models;

namespace Foretier.Tests.Unit.Predict;

/// <summary>The shipped ranker, and the features it is given, against what training wrote.</summary>
public class AccessRankerTests
{
    private const long Monday = 483_768;

    private static readonly string _folder = Path.Combine(ModelFolder.Shipped, "access-ranker");

    [Fact]
    public void Features_of_raw_reads_are_those_that_the_model_was_trained_with()
    {
        foreach (var vector in Vectors())
        {
            var features = new ReadFeatures();
            foreach (var read in vector.Reads)
            {
                features.Add(read[0].GetString()!, read[1].GetInt64(), read[2].GetInt32());
            }
            var actual = new float[ReadFeatures.Count];
            features.Write(vector.Key, vector.Now, actual);
            Assert.All(actual.Zip(vector.Features).Index(), f =>
                Assert.True(Math.Abs(f.Item.First - f.Item.Second) <= 1e-5 * Math.Max(1, Math.Abs(f.Item.Second)), $"{vector.Name}: feature {f.Index} is {f.Item.First} instead of {f.Item.Second}"));
        }
    }

    [Fact]
    public async Task The_model_answers_as_it_did_when_it_was_trained()
    {
        var folder = ModelFolder.Open(_folder);
        await using var model = OnnxInference.Load(folder);
        var golden = folder.ReadGolden();
        Assert.Equal(Vectors().Select(v => v.Name), golden.Select(g => g.Name));
        foreach (var (vector, case_) in golden.Zip(Vectors()))
        {
            Assert.Equal(case_.Features, vector.Inputs[0].Values, (one, other) => Math.Abs(one - other) <= 1e-6 * Math.Max(1, Math.Abs(other)));
            var answer = (await model.RunAsync(vector.Inputs, CancellationToken.None)).Values[0];
            Assert.InRange(answer, vector.Output.Values[0] - 1e-4f * Math.Max(1, vector.Output.Values[0]), vector.Output.Values[0] + 1e-4f * Math.Max(1, vector.Output.Values[0]));
        }
    }

    [Fact]
    public async Task Whatever_comes_the_answer_is_a_number_of_reads()
    {
        await using var model = OnnxInference.Load(ModelFolder.Open(_folder));
        var rows = Gen.Float[-1e6f, 1e6f].Array[ReadFeatures.Count * 200].Single();
        var answer = await model.RunAsync([new(rows, [200, ReadFeatures.Count])], CancellationToken.None);
        Assert.All(answer.Values, reads => Assert.InRange(reads, 0, 200_000));
    }

    [Fact]
    public void Reads_told_in_another_order_of_keys_give_the_same_features() =>
        Gen.Select(Gen.Int[0, 4], Gen.Long[1, 3_000], Gen.Int[1, 9]).List[1, 60].Sample(reads =>
        {
            var ordered = reads.Select(r => (Name: $"acme/d{r.Item1 / 2}/m{r.Item1}", Hour: Monday - r.Item2, Count: r.Item3)).OrderBy(r => r.Hour).ToList();
            var (one, other) = (new ReadFeatures(), new ReadFeatures());
            ordered.ForEach(r => one.Add(r.Name, r.Hour, r.Count));
            ordered.OrderBy(r => r.Name, StringComparer.Ordinal).ToList().ForEach(r => other.Add(r.Name, r.Hour, r.Count));
            var (first, second) = (new float[ReadFeatures.Count], new float[ReadFeatures.Count]);
            foreach (var name in one.Names)
            {
                one.Write(name, Monday, first);
                other.Write(name, Monday, second);
                Assert.All(first.Zip(second), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
            }
        });

    [Fact]
    public async Task Without_a_ranker_a_steady_reader_is_expected_to_go_on()
    {
        var features = new ReadFeatures();
        for (var day = 120; day > 0; day--)
        {
            features.Add("acme/d/steady", Monday - 24 * day, 6);
        }
        features.Add("acme/d/once", Monday - 24 * 20, 6);
        var scores = await AccessScorer.ScoreAsync(features, ["acme/d/steady", "acme/d/once"], Monday, ranker: null, CancellationToken.None);
        Assert.InRange(scores[0], 5.5, 6.5);
        Assert.InRange(scores[1], 0.05, 0.3);
    }

    private static List<FeatureVector> Vectors() => JsonSerializer.Deserialize<List<FeatureVector>>(
        File.ReadAllBytes(Path.Combine(Root(), "models", "access-ranker", "features.json")), JsonSerializerOptions.Web)!;

    private static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Edge.sln")))
        {
            folder = Path.GetDirectoryName(folder)!;
        }
        return folder;
    }

    /// <param name="Reads">Name, hour, count.</param>
    private sealed record FeatureVector(string Name, string Key, long Now, List<List<JsonElement>> Reads, float[] Features);
}

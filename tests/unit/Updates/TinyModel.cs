using System.Security.Cryptography;
using System.Text.Json;
using Foretier.Predict.Models;

namespace Foretier.Tests.Unit.Updates;

/// <summary>What a model made for a test is like.</summary>
internal enum Nature
{
    /// <summary>The same hour of the day before, give or take three in ten.</summary>
    LikeYesterday,

    /// <summary>Says ten an hour, whatever comes.</summary>
    AlwaysTen,

    /// <summary>Forty times what it should say.</summary>
    Exaggerates,

    /// <summary>P90 below P50.</summary>
    Crosses,

    /// <summary>Answers with numbers that are none.</summary>
    NotANumber,

    /// <summary>Two quantiles instead of three.</summary>
    OtherShape,

    /// <summary>Takes minutes.</summary>
    Slow,

    /// <summary>Takes hundreds of megabytes.</summary>
    Hungry,

    /// <summary>Divides the least integer by -1, which ends its process (on x86).</summary>
    Crashes,
}

/// <summary>A folder with a model of volumes that a test wants.</summary>
internal static class TinyModel
{
    private const int History = 672, Day = 24;

    /// <param name="change">Of the manifest, before it is written.</param>
    public static string Write(string folder, int version, Nature nature, Func<Dictionary<string, object>, Dictionary<string, object>>? change = null)
    {
        Directory.CreateDirectory(folder);
        var model = Model(nature);
        var golden = JsonSerializer.SerializeToUtf8Bytes(new[] { Golden(nature) }, JsonSerializerOptions.Web);
        var manifest = new Dictionary<string, object>
        {
            ["id"] = "volume-lstm",
            ["version"] = version,
            ["contract"] = 1,
            ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(model)),
            ["trainedUntil"] = "2016-01-01",
            ["onnxRuntimeMin"] = "1.14",
            ["golden"] = new GoldenFile("golden.json", Convert.ToHexStringLower(SHA256.HashData(golden))),
            ["data"] = Array.Empty<object>(),
            ["licence"] = "Apache-2.0",
        };
        File.WriteAllBytes(Path.Combine(folder, "model.onnx"), model);
        File.WriteAllBytes(Path.Combine(folder, "golden.json"), golden);
        File.WriteAllBytes(Path.Combine(folder, "model.json"), JsonSerializer.SerializeToUtf8Bytes(change?.Invoke(manifest) ?? manifest, JsonSerializerOptions.Web));
        return folder;
    }

    private static byte[] Model(Nature nature)
    {
        var graph = new TinyOnnx();
        var yesterday = graph.Node("Slice", ["history", graph.Integers(History - Day), graph.Integers(History), graph.Integers(1)]);
        var middle = graph.Node("Mul", [graph.Node("Relu", [yesterday]), graph.Constant(nature == Nature.Exaggerates ? 40 : nature == Nature.AlwaysTen ? 0 : 1)]);
        if (nature == Nature.AlwaysTen)
        {
            middle = graph.Node("Add", [middle, graph.Constant(10)]);
        }
        middle = Spoil(graph, nature, middle);
        string Times(float factor) => graph.Node("Unsqueeze", [graph.Node("Mul", [middle, graph.Constant(factor)]), graph.Integers(2)]);
        string[] quantiles = nature switch
        {
            Nature.OtherShape => [Times(0.7f), Times(1)],
            Nature.Crosses => [Times(0.7f), Times(1), Times(0.5f)],
            _ => [Times(0.7f), Times(1), Times(1.3f)],
        };
        graph.Node("Concat", quantiles, "quantiles", ("axis", 2));
        return graph.Model([("history", [History]), ("calendar", [192, 4])], ("quantiles", [Day, quantiles.Length]));
    }

    /// <summary>What depends on the input is computed when it is asked, not when it is loaded.</summary>
    private static string Spoil(TinyOnnx graph, Nature nature, string middle)
    {
        string Nothing() => graph.Node("Mul", [graph.Node("ReduceMax", ["history"], ("keepdims", 0)), graph.Constant(0)]);
        string Square(int side) => graph.Node("Expand", [Nothing(), graph.Integers(side, side)]);
        switch (nature)
        {
            case Nature.NotANumber:
                return graph.Node("Log", [graph.Node("Sub", [graph.Node("Mul", [middle, graph.Constant(0)]), graph.Constant(1)])]);
            case Nature.Slow:
                var product = Square(1500);
                for (var i = 0; i < 300; i++)
                {
                    product = graph.Node("MatMul", [product, product]);
                }
                return graph.Node("Add", [middle, graph.Node("ReduceMax", [product], ("keepdims", 0))]);
            case Nature.Hungry:
                return graph.Node("Add", [middle, graph.Node("ReduceMax", [graph.Node("Relu", [Square(7000)])], ("keepdims", 0))]);
            case Nature.Crashes:
                var least = graph.Node("Add", [graph.Integers(long.MinValue), graph.Node("Cast", [Nothing()], ("to", 7))]);
                var quotient = graph.Node("Div", [least, graph.Integers(-1)]);
                return graph.Node("Add", [middle, graph.Node("Cast", [quotient], ("to", 1))]);
            default:
                return middle;
        }
    }

    /// <summary>One row, and what the model says to it; of a model that does not answer, what it should.</summary>
    private static GoldenVector Golden(Nature nature)
    {
        var history = Enumerable.Range(0, History).Select(i => (float)(i % Day)).ToArray();
        var rows = nature == Nature.OtherShape ? 2 : 3;
        var answer = Enumerable.Range(0, Day).SelectMany(hour =>
        {
            var middle = nature switch { Nature.Exaggerates => 40f * hour, Nature.AlwaysTen => 10f, _ => hour };
            return new[] { middle * 0.7f, middle, middle * (nature == Nature.Crosses ? 0.5f : 1.3f) };
        }).ToArray();
        return new("days", [new(history, [1, History]), new(new float[192 * 4], [1, 192, 4])], new(answer, [1, Day, 3]));
    }
}

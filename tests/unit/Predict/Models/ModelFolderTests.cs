using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Foretier.Predict.Models;

namespace Foretier.Tests.Unit.Predict.Models;

public sealed class ModelFolderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-model-").FullName;

    [Fact]
    public void A_folder_that_keeps_what_its_manifest_says_is_opened()
    {
        Write(Manifest());
        var manifest = ModelFolder.Open(_folder).Manifest;
        Assert.Equal(("volume-lstm", 3, new DateOnly(2024, 7, 23)), (manifest.Id, manifest.Version, manifest.TrainedUntil));
        Assert.Same(ModelContract.VolumeLstm, manifest.Shapes);
    }

    [Fact]
    public void Without_a_folder_the_model_is_missing() => Fails(InferenceFailure.Missing, "no model can be read from");

    [Fact]
    public void Without_its_model_file_it_is_missing()
    {
        Write(Manifest());
        File.Delete(Path.Combine(_folder, "model.onnx"));
        Fails(InferenceFailure.Missing, "model.onnx");
    }

    [Fact]
    public void A_model_cut_off_anywhere_is_refused_by_name()
    {
        Write(Manifest());
        var content = File.ReadAllBytes(Path.Combine(_folder, "model.onnx"));
        for (var length = 0; length < content.Length; length++)
        {
            File.WriteAllBytes(Path.Combine(_folder, "model.onnx"), content[..length]);
            Fails(InferenceFailure.Refused, "model.onnx is not what its manifest describes");
        }
    }

    [Fact]
    public void Golden_vectors_of_another_model_are_refused()
    {
        Write(Manifest());
        File.WriteAllText(Path.Combine(_folder, "golden.json"), "[ ]");
        Fails(InferenceFailure.Refused, "golden.json is not what its manifest describes");
    }

    [Theory]
    [InlineData("contract", "2", "keeps version 2 of its contract, this program version 1")]
    [InlineData("id", "\"weather\"", "'weather', which this program does not know")]
    [InlineData("onnxRuntimeMin", "\"99.0\"", "asks for ONNX Runtime 99.0 or newer")]
    [InlineData("onnxRuntimeMin", "\"soon\"", "asks for ONNX Runtime soon")]
    [InlineData("version", "\"three\"", "no manifest of a model")]
    [InlineData("sha256", null, "no manifest of a model")]
    [InlineData("surprise", "1", "no manifest of a model")]
    [InlineData("golden", """{"file":"../golden.json","sha256":""}""", "not a file beside it")]
    public void A_manifest_that_cannot_be_kept_is_refused_by_name(string key, string? value, string why)
    {
        var manifest = Manifest();
        manifest.Remove(key);
        if (value is not null)
        {
            manifest[key] = JsonNode.Parse(value);
        }
        Write(manifest);
        Fails(InferenceFailure.Refused, why);
    }

    [Fact]
    public void What_is_no_model_inside_is_refused_by_the_runtime()
    {
        Write(Manifest());
        var e = Assert.Throws<InferenceException>(() => OnnxInference.Load(ModelFolder.Open(_folder)));
        Assert.Equal(InferenceFailure.Refused, e.Failure);
        Assert.Contains(_folder, e.Message, StringComparison.Ordinal);
    }

    private void Fails(InferenceFailure failure, string why)
    {
        var e = Assert.Throws<InferenceException>(() => ModelFolder.Open(_folder));
        Assert.Equal(failure, e.Failure);
        Assert.Contains(why, e.Message, StringComparison.Ordinal);
    }

    private void Write(JsonObject manifest)
    {
        File.WriteAllText(Path.Combine(_folder, "model.onnx"), "no model");
        File.WriteAllText(Path.Combine(_folder, "golden.json"), "[]");
        File.WriteAllText(Path.Combine(_folder, "model.json"), manifest.ToJsonString());
    }

    private static JsonObject Manifest() => new()
    {
        ["id"] = "volume-lstm",
        ["version"] = 3,
        ["contract"] = 1,
        ["sha256"] = Digest("no model"),
        ["trainedUntil"] = "2024-07-23",
        ["onnxRuntimeMin"] = "1.16",
        ["golden"] = new JsonObject { ["file"] = "golden.json", ["sha256"] = Digest("[]") },
        ["data"] = new JsonArray(new JsonObject { ["name"] = "generated", ["publishedAs"] = "here", ["licence"] = "Apache-2.0" }),
        ["licence"] = "Apache-2.0",
    };

    private static string Digest(string content) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(content)));

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}

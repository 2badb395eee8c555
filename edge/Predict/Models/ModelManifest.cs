using System.Text.Json;
using System.Text.Json.Serialization;

namespace Foretier.Predict.Models;

/// <summary>What <c>model.json</c> says of the model beside it.</summary>
/// <param name="Id">Which contract it keeps, e.g. <c>volume-lstm</c>.</param>
/// <param name="Version">Rises with every model of this id; a lower one than the last used is a step back.</param>
/// <param name="Contract">Version of <see cref="ModelContract"/> that it was trained for.</param>
/// <param name="Sha256">Digest of <c>model.onnx</c>, hexadecimal.</param>
/// <param name="TrainedUntil">The last day of the data it has seen: scores on days up to then are no evidence.</param>
/// <param name="OnnxRuntimeMin">The oldest ONNX Runtime that it may run on.</param>
/// <param name="Golden">Inputs with their answers, to try a runtime by.</param>
/// <param name="Data">What it was trained on.</param>
/// <param name="Licence">Of the model itself, an SPDX expression.</param>
public sealed record ModelManifest(
    string Id, int Version, int Contract, string Sha256, DateOnly TrainedUntil, string OnnxRuntimeMin, GoldenFile Golden,
    IReadOnlyList<TrainingData> Data, string Licence)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        ReadCommentHandling = JsonCommentHandling.Disallow,
    };

    /// <summary>What it takes and gives.</summary>
    [JsonIgnore]
    public ModelContract Shapes => ModelContract.All.Single(contract => contract.Id == Id);

    /// <exception cref="InferenceException">It is no manifest, or of a contract this program does not keep.</exception>
    internal static ModelManifest Parse(ReadOnlySpan<byte> json, string name)
    {
        ModelManifest manifest;
        try
        {
            manifest = JsonSerializer.Deserialize<ModelManifest>(json, Json) ?? throw new JsonException("it is null");
        }
        catch (JsonException e)
        {
            throw new InferenceException(InferenceFailure.Refused, $"{name} is no manifest of a model: {e.Message}", e);
        }
        var contract = ModelContract.All.FirstOrDefault(contract => contract.Id == manifest.Id)
            ?? throw new InferenceException(InferenceFailure.Refused,
                $"{name} is of the model '{manifest.Id}', which this program does not know; it knows {string.Join(", ", ModelContract.All.Select(c => c.Id))}");
        return contract.Version == manifest.Contract ? manifest : throw new InferenceException(InferenceFailure.Refused,
            $"{name}: {manifest.Id} {manifest.Version} keeps version {manifest.Contract} of its contract, this program version {contract.Version}");
    }
}

/// <summary>A file of inputs and answers beside the model, with its digest.</summary>
public sealed record GoldenFile(string File, string Sha256);

/// <summary>Data that a model was trained on.</summary>
/// <param name="PublishedAs">Where the original is found.</param>
/// <param name="Licence">As its publisher names it.</param>
public sealed record TrainingData(string Name, string PublishedAs, string Licence);

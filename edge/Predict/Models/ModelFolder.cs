using System.Security.Cryptography;
using System.Text.Json;

namespace Foretier.Predict.Models;

/// <summary>A model on disk: <c>model.onnx</c>, <c>model.json</c> and the golden vectors beside them, read once and checked before a byte is believed.</summary>
public sealed class ModelFolder
{
    private const string ModelFile = "model.onnx";
    private const string ManifestFile = "model.json";

    private readonly byte[] _golden;

    private ModelFolder(string path, ModelManifest manifest, byte[] model, byte[] golden)
    {
        Path = path;
        Manifest = manifest;
        Onnx = model;
        _golden = golden;
    }

    public string Path { get; }

    public ModelManifest Manifest { get; }

    /// <summary>The content of <c>model.onnx</c>, exactly what the manifest's digest is of.</summary>
    internal byte[] Onnx { get; }

    /// <summary>Where the models lie that came with the program, a folder for each.</summary>
    public static string Shipped => System.IO.Path.Combine(AppContext.BaseDirectory, "models");

    /// <summary>Reads a model and holds it against its manifest.</summary>
    /// <exception cref="InferenceException"><see cref="InferenceFailure.Missing"/> or <see cref="InferenceFailure.Refused"/>; the message names the file.</exception>
    public static ModelFolder Open(string path)
    {
        var manifest = ModelManifest.Parse(Read(path, ManifestFile), System.IO.Path.Combine(path, ManifestFile));
        if (!Version.TryParse(manifest.OnnxRuntimeMin, out var min) || min > OnnxInference.RuntimeVersion)
        {
            throw new InferenceException(InferenceFailure.Refused,
                $"{path}: {manifest.Id} {manifest.Version} asks for ONNX Runtime {manifest.OnnxRuntimeMin} or newer; this program has {OnnxInference.RuntimeVersion}");
        }
        return new(path, manifest, Checked(path, ModelFile, manifest.Sha256), Checked(path, manifest.Golden.File, manifest.Golden.Sha256));
    }

    /// <summary>Inputs with the answers that the trained model gave to them.</summary>
    /// <exception cref="InferenceException">They are not of the model's contract.</exception>
    public IReadOnlyList<GoldenVector> ReadGolden()
    {
        try
        {
            var vectors = JsonSerializer.Deserialize<List<GoldenVector>>(_golden, JsonSerializerOptions.Web) ?? [];
            foreach (var vector in vectors)
            {
                Manifest.Shapes.Check(vector.Inputs);
                Manifest.Shapes.CheckAnswer(vector.Output, vector.Inputs[0].Batch);
            }
            return vectors;
        }
        catch (Exception e) when (e is JsonException or ArgumentException or InferenceException)
        {
            throw new InferenceException(InferenceFailure.Refused, $"{System.IO.Path.Combine(Path, Manifest.Golden.File)}: {e.Message}", e);
        }
    }

    private static byte[] Checked(string path, string file, string sha256)
    {
        var content = Read(path, file);
        var actual = Convert.ToHexStringLower(SHA256.HashData(content));
        return actual.Equals(sha256, StringComparison.OrdinalIgnoreCase) ? content : throw new InferenceException(InferenceFailure.Refused,
            $"{System.IO.Path.Combine(path, file)} is not what its manifest describes: the SHA-256 of its {content.Length} bytes is {actual} instead of {sha256}; copy the folder again");
    }

    private static byte[] Read(string path, string file)
    {
        // A name in a manifest is a name beside it, nothing further away.
        if (file.Length == 0 || System.IO.Path.GetFileName(file) != file)
        {
            throw new InferenceException(InferenceFailure.Refused, $"{System.IO.Path.Combine(path, ManifestFile)} names '{file}', which is not a file beside it");
        }
        try
        {
            return File.ReadAllBytes(System.IO.Path.Combine(path, file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InferenceException(InferenceFailure.Missing, $"no model can be read from {path}: {e.Message}", e);
        }
    }
}

/// <summary>Inputs to a model and the answer that the trained one gave.</summary>
public sealed record GoldenVector(string Name, IReadOnlyList<Tensor> Inputs, Tensor Output);

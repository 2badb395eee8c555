using Microsoft.ML.OnnxRuntime;

namespace Foretier.Predict.Models;

/// <summary>
/// Runs a model in this process, on the calling thread alone. Not for an ingesting process: ONNX Runtime can abort it (see <see cref="IInference"/>).
/// One call at a time.
/// </summary>
public sealed class OnnxInference : IInference
{
    /// <summary>Rows computed at once: twice as many take 6 MB more, for the same time a row.</summary>
    public const int BatchMax = 50;

    private readonly InferenceSession _session;
    private readonly RunOptions _run = new();
    private readonly ModelContract _contract;

    private OnnxInference(ModelManifest manifest, InferenceSession session)
    {
        Manifest = manifest;
        _contract = manifest.Shapes;
        _session = session;
    }

    public ModelManifest Manifest { get; }

    /// <summary>Of the library this program was built with; asked by processes that do not load it.</summary>
    public static Version RuntimeVersion { get; } = typeof(OnnxInference).Assembly.GetReferencedAssemblies().FirstOrDefault(library => library.Name == "Microsoft.ML.OnnxRuntime")?.Version ?? new(0, 0);

    /// <exception cref="InferenceException">The runtime does not take the model, or the model is not of the dimensions of its contract.</exception>
    public static OnnxInference Load(ModelFolder folder)
    {
        OnnxTelemetry.TurnOff();
        InferenceSession? session = null;
        try
        {
            // For what the variable does not cover (Windows' own tracing).
            OrtEnv.Instance().DisableTelemetryEvents();
            using var options = new SessionOptions
            {
                IntraOpNumThreads = 1,
                InterOpNumThreads = 1,
                ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
                // Every run's memory serves the next one. Given back between two, it costs more than the computation: 1,000 page faults a run.
                EnableCpuMemArena = true,
                LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
            };
            options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
            options.AddSessionConfigEntry("session.inter_op.allow_spinning", "0");
            session = new InferenceSession(folder.Onnx, options);
            CheckDimensions(session, folder);
            return new(folder.Manifest, session);
        }
        catch (Exception e) when (e is OnnxRuntimeException or DllNotFoundException or EntryPointNotFoundException or TypeInitializationException or BadImageFormatException)
        {
            session?.Dispose();
            var missing = e is not OnnxRuntimeException;
            throw new InferenceException(missing ? InferenceFailure.Missing : InferenceFailure.Refused,
                missing ? $"ONNX Runtime is not there for this system: {e.GetBaseException().Message}" : $"ONNX Runtime does not take the model in {folder.Path}: {e.Message}", e);
        }
        catch (InferenceException)
        {
            session?.Dispose();
            throw;
        }
    }

    public Task<Tensor> RunAsync(IReadOnlyList<Tensor> inputs, CancellationToken cancel)
    {
        _contract.Check(inputs);
        var batch = inputs[0].Batch;
        var output = _contract.Answer(batch);
        for (var from = 0; from < batch; from += BatchMax)
        {
            cancel.ThrowIfCancellationRequested();
            RunPart(inputs, output, from, Math.Min(BatchMax, batch - from));
        }
        _contract.CheckAnswer(output, batch);
        return Task.FromResult(output);
    }

    /// <summary>Straight out of the caller's arrays and into the answer's: the runtime copies nothing of either.</summary>
    private void RunPart(IReadOnlyList<Tensor> inputs, Tensor output, int from, int count)
    {
        var values = new List<OrtValue>(inputs.Count + 1);
        try
        {
            foreach (var tensor in (IEnumerable<Tensor>)[.. inputs, output])
            {
                var rows = tensor.Values.AsMemory(from * tensor.RowLength, count * tensor.RowLength);
                values.Add(OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, rows, [count, .. tensor.Shape.Skip(1).Select(n => (long)n)]));
            }
            _session.Run(_run, [.. _contract.Inputs.Select(input => input.Name)], values.GetRange(0, inputs.Count), [_contract.Output.Name], values.GetRange(inputs.Count, 1));
        }
        catch (OnnxRuntimeException e)
        {
            throw new InferenceException(InferenceFailure.Garbage, $"{Manifest.Id} {Manifest.Version} failed: {e.Message}", e);
        }
        finally
        {
            values.ForEach(value => value.Dispose());
        }
    }

    public ValueTask DisposeAsync()
    {
        _run.Dispose();
        _session.Dispose();
        return ValueTask.CompletedTask;
    }

    private static void CheckDimensions(InferenceSession session, ModelFolder folder)
    {
        var contract = folder.Manifest.Shapes;
        var isOne = Matches(session.InputMetadata, contract.Inputs) && Matches(session.OutputMetadata, [contract.Output]);
        if (!isOne)
        {
            throw new InferenceException(InferenceFailure.Refused,
                $"the model in {folder.Path} takes and gives other tensors than {string.Join(", ", contract.Inputs)} → {contract.Output}");
        }
    }

    /// <summary>The batch is the model's to name and must be free.</summary>
    private static bool Matches(IReadOnlyDictionary<string, NodeMetadata> found, IReadOnlyList<TensorShape> wanted) =>
        found.Count == wanted.Count && wanted.All(shape => found.TryGetValue(shape.Name, out var node) && node.ElementType == typeof(float)
            && node.Dimensions.Length > 0 && node.Dimensions[0] < 0 && node.Dimensions.Skip(1).SequenceEqual(shape.Row));
}

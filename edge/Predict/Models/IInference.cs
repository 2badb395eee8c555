namespace Foretier.Predict.Models;

/// <summary>
/// A model's answer to tensors. <c>OnnxInference</c> computes in this process (the child's side, the backtest); <c>ChildInference</c> has a
/// supervised child process do it, since ONNX Runtime can abort the process it runs in.
/// </summary>
public interface IInference : IAsyncDisposable
{
    /// <summary>Of the model that answers.</summary>
    ModelManifest Manifest { get; }

    /// <summary>Runs a batch of any size; it is split so that memory stays bounded.</summary>
    /// <param name="inputs">In the order of <see cref="ModelContract.Inputs"/>, the first dimension being the same batch size.</param>
    /// <exception cref="InferenceException">There is no answer to be had; the caller goes on with its baselines.</exception>
    Task<Tensor> RunAsync(IReadOnlyList<Tensor> inputs, CancellationToken cancel);
}

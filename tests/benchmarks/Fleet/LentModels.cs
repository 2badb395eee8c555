using System.Collections.Concurrent;
using Foretier.Predict.Models;

namespace Foretier.Tests.Benchmarks.Fleet;

/// <summary>
/// A model loaded in this process and lent to one cycle at a time: the runtime and the file are those of an agent, which has a child process run them; two
/// hundred agents on one machine would spend more on starting children than on forecasts.
/// </summary>
internal sealed class LentModels(string name) : IAsyncDisposable
{
    private readonly ConcurrentBag<OnnxInference> _free = [];

    public Task<IInference> LendAsync(CancellationToken cancel) =>
        Task.FromResult<IInference>(new Loan(this, _free.TryTake(out var free) ? free : OnnxInference.Load(ModelFolder.Open(Path.Combine(ModelFolder.Shipped, name)))));

    public async ValueTask DisposeAsync()
    {
        foreach (var model in _free)
        {
            await model.DisposeAsync();
        }
    }

    private sealed class Loan(LentModels from, OnnxInference model) : IInference
    {
        public ModelManifest Manifest => model.Manifest;

        public Task<Tensor> RunAsync(IReadOnlyList<Tensor> inputs, CancellationToken cancel) => model.RunAsync(inputs, cancel);

        public ValueTask DisposeAsync()
        {
            from._free.Add(model);
            return ValueTask.CompletedTask;
        }
    }
}

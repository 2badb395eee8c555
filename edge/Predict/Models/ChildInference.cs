using System.Buffers.Binary;

namespace Foretier.Predict.Models;

/// <summary>
/// A model in a child process, which is this program started again (<see cref="InferenceChild"/>): whatever it does, abort, hang, eat memory, it does
/// without this process. Made for a cycle, disposed of after it. After its first failure every further call fails at once; the next cycle starts anew.
/// One call at a time.
/// </summary>
public sealed class ChildInference : IInference
{
    /// <summary>What a child that was told to end may take for it.</summary>
    private static readonly TimeSpan EndWithin = TimeSpan.FromSeconds(2);

    private readonly ChildOptions _options;
    private readonly TimeProvider _clock;
    private readonly ChildProcess _child;
    private InferenceException? _failure;

    private ChildInference(ModelManifest manifest, ChildProcess child, ChildOptions options, TimeProvider clock)
    {
        Manifest = manifest;
        _child = child;
        _options = options;
        _clock = clock;
    }

    public ModelManifest Manifest { get; }

    /// <summary>What the child has used, as of its last answer.</summary>
    public ChildUsage Usage { get; private set; }

    /// <summary>Of the child, for whoever looks after it (or, in a test, ends it).</summary>
    internal int ProcessId => _child.Id;

    /// <summary>Checks the model, starts a child and has it load the model.</summary>
    /// <exception cref="InferenceException">There is no model, or none that is to be used, or no child that would load it.</exception>
    public static async Task<ChildInference> StartAsync(string modelFolder, ChildOptions options, TimeProvider clock, CancellationToken cancel)
    {
        var manifest = ModelFolder.Open(modelFolder).Manifest;
        var inference = new ChildInference(manifest, ChildProcess.Start(options), options, clock);
        try
        {
            var path = ChildFrame.Text(Path.GetFullPath(modelFolder));
            var ready = await inference.ExchangeAsync(ChildMessage.Open, path, ChildMessage.Ready, options.StartWithin, cancel).ConfigureAwait(false);
            return ChildFrame.Text(ready.Span).Equals(manifest.Sha256, StringComparison.OrdinalIgnoreCase) ? inference
                : throw inference.Fail(InferenceFailure.Refused, $"the model in {modelFolder} was changed while it was loaded");
        }
        catch
        {
            await inference.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async Task<Tensor> RunAsync(IReadOnlyList<Tensor> inputs, CancellationToken cancel)
    {
        var contract = Manifest.Shapes;
        contract.Check(inputs);
        var batch = inputs[0].Batch;
        var values = new List<float>();
        for (var from = 0; from < batch; from += OnnxInference.BatchMax)
        {
            var count = Math.Min(OnnxInference.BatchMax, batch - from);
            values.AddRange((await AskAsync([.. inputs.Select(tensor => tensor.Rows(from, count))], cancel).ConfigureAwait(false)).Values);
        }
        return new([.. values], [batch, .. contract.Output.Row]);
    }

    private async Task<Tensor> AskAsync(Tensor[] part, CancellationToken cancel)
    {
        var content = await ExchangeAsync(ChildMessage.Ask, ChildFrame.Tensors(part), ChildMessage.Answer, _options.AnswerWithin, cancel).ConfigureAwait(false);
        try
        {
            Usage = new(BinaryPrimitives.ReadInt64LittleEndian(content.Span), new(BinaryPrimitives.ReadInt64LittleEndian(content.Span[8..])));
            var answer = ChildFrame.Tensors(content.Span[16..]) is [var one] ? one : throw new InvalidDataException("not one tensor");
            Manifest.Shapes.CheckAnswer(answer, part[0].Batch);
            return Usage.PeakBytes <= _options.MemoryBytesMax ? answer
                : throw Fail(InferenceFailure.Killed, $"it took {Usage.PeakBytes >> 20} MB of memory, of at most {_options.MemoryBytesMax >> 20}");
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentOutOfRangeException)
        {
            throw Fail(InferenceFailure.Garbage, $"it answered garbage: {e.Message}");
        }
        catch (InferenceException e) when (_failure is null)
        {
            throw Fail(e.Failure, e.Message);
        }
    }

    /// <summary>Sends and waits for the reply; whatever comes instead of it ends the child.</summary>
    private async Task<ReadOnlyMemory<byte>> ExchangeAsync(ChildMessage message, byte[] content, ChildMessage expected, TimeSpan within, CancellationToken cancel)
    {
        if (_failure is { } before)
        {
            throw new InferenceException(before.Failure, before.Message, before);
        }
        using var deadline = new CancellationTokenSource(within, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancel);
        try
        {
            await ChildFrame.WriteAsync(_child.Input, message, content, either.Token).ConfigureAwait(false);
            var reply = await ChildFrame.ReadAsync(_child.Output, either.Token).ConfigureAwait(false) ?? throw new EndOfStreamException();
            return reply.Message == expected ? reply.Content
                : reply is { Message: ChildMessage.Failed, Content.Length: > 0 } ? throw Fail((InferenceFailure)reply.Content.Span[0], ChildFrame.Text(reply.Content.Span[1..]))
                : throw Fail(InferenceFailure.Garbage, $"it answered garbage: {reply.Message} to {message}");
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw Fail(InferenceFailure.Hung, $"it gave no answer within {within.TotalSeconds:0.#} s");
        }
        catch (OperationCanceledException)
        {
            // In the middle of a frame there is no going on.
            _failure = new(InferenceFailure.Killed, "the child process was ended when its cycle was");
            _child.Kill();
            throw;
        }
        catch (InvalidDataException e)
        {
            throw Fail(InferenceFailure.Garbage, $"it answered garbage: {e.Message}");
        }
        catch (IOException)
        {
            throw Fail(InferenceFailure.Killed, $"it ended{await _child.EndingAsync(EndWithin, _clock).ConfigureAwait(false)}");
        }
    }

    private InferenceException Fail(InferenceFailure failure, string what)
    {
        _failure = new(failure, $"inference in a child process of {Manifest.Id} {Manifest.Version}: {what}");
        _child.Kill();
        return _failure;
    }

    /// <summary>Tells the child that the cycle is over, and ends it if that does not.</summary>
    public ValueTask DisposeAsync() => _child.EndAsync(_failure is null ? EndWithin : TimeSpan.Zero, _clock);
}

using System.Buffers.Binary;
using System.Text;

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
    private readonly FrameWriter _writer;
    private readonly FrameReader _reader;
    private InferenceException? _failure;

    private ChildInference(ModelManifest manifest, ChildProcess child, ChildOptions options, TimeProvider clock)
    {
        Manifest = manifest;
        _child = child;
        _writer = new(child.Input);
        _reader = new(child.Output);
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
            var open = inference._writer.Begin(ChildMessage.Open).Add(Path.GetFullPath(modelFolder));
            var ready = await inference.ExchangeAsync(open, ChildMessage.Ready, options.StartWithin, cancel).ConfigureAwait(false);
            return Encoding.UTF8.GetString(ready.Span).Equals(manifest.Sha256, StringComparison.OrdinalIgnoreCase) ? inference
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
        var all = contract.Answer(batch);
        for (var from = 0; from < batch; from += OnnxInference.BatchMax)
        {
            var count = Math.Min(OnnxInference.BatchMax, batch - from);
            var part = await AskAsync(inputs, from, count, cancel).ConfigureAwait(false);
            part.Values.CopyTo(all.Values, from * all.RowLength);
        }
        return all;
    }

    private async Task<Tensor> AskAsync(IReadOnlyList<Tensor> inputs, int from, int count, CancellationToken cancel)
    {
        var frame = _writer.Begin(ChildMessage.Ask);
        foreach (var tensor in inputs)
        {
            frame.Add(tensor, from, count);
        }
        var content = await ExchangeAsync(frame, ChildMessage.Answer, _options.AnswerWithin, cancel).ConfigureAwait(false);
        try
        {
            Usage = new(BinaryPrimitives.ReadInt64LittleEndian(content.Span), new(BinaryPrimitives.ReadInt64LittleEndian(content.Span[8..])));
            var answer = FrameReader.Tensors(content.Span[16..], []) is [var one] ? one : throw new InvalidDataException("not one tensor");
            Manifest.Shapes.CheckAnswer(answer, count);
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
    private async Task<ReadOnlyMemory<byte>> ExchangeAsync(FrameWriter frame, ChildMessage expected, TimeSpan within, CancellationToken cancel)
    {
        if (_failure is { } before)
        {
            throw new InferenceException(before.Failure, before.Message, before);
        }
        using var deadline = new CancellationTokenSource(within, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancel);
        try
        {
            await frame.SendAsync(either.Token).ConfigureAwait(false);
            var reply = await _reader.ReadAsync(either.Token).ConfigureAwait(false) ?? throw new EndOfStreamException();
            return reply.Message == expected ? reply.Content
                : reply is { Message: ChildMessage.Failed, Content.Length: > 0 } ? throw Fail((InferenceFailure)reply.Content.Span[0], Encoding.UTF8.GetString(reply.Content.Span[1..]))
                : throw Fail(InferenceFailure.Garbage, $"it answered garbage: {reply.Message} instead of {expected}");
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

using System.Diagnostics;
using System.Text;

namespace Foretier.Predict.Models;

/// <summary>
/// The other side of <see cref="ChildInference"/>: what an executable does that was started to run a model. It speaks <see cref="ChildFrame"/> on
/// its standard streams, computes on one thread at low priority, is the first that the kernel ends when memory is short, and ends with its parent.
/// </summary>
public static class InferenceChild
{
    /// <summary>The hidden verb.</summary>
    internal const string Verb = "--inference-child";

    /// <summary>Whether this process was started to be one. To be asked before anything else in Main.</summary>
    public static bool Requested(IReadOnlyList<string> args) => args.Count == 1 && args[0] == Verb;

    /// <summary>Answers until its input ends.</summary>
    /// <returns>The exit code: 0 the parent was done, 1 it spoke something else.</returns>
    public static int Run()
    {
        var reply = new FrameWriter(Console.OpenStandardOutput());
        // Whatever prints must not print into the frames.
        Console.SetOut(Console.Error);
        StandBack();
        using var parent = new ParentReader(Console.OpenStandardInput());
        OnnxInference? model = null;
        List<Tensor> inputs = [];
        try
        {
            while (parent.Next() is var (message, content))
            {
                Answer(message, content, ref model, ref inputs, parent, reply);
                reply.SendAsync(CancellationToken.None).GetAwaiter().GetResult();
            }
            return 0;
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            Console.Error.WriteLine(e.Message);
            return 1;
        }
        finally
        {
            model?.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    private static void Answer(ChildMessage message, ReadOnlyMemory<byte> content, ref OnnxInference? model, ref List<Tensor> inputs, ParentReader parent, FrameWriter reply)
    {
        try
        {
            switch (message)
            {
                case ChildMessage.Open when model is null:
                    var path = Encoding.UTF8.GetString(content.Span);
                    parent.Done();
                    model = OnnxInference.Load(ModelFolder.Open(path));
                    reply.Begin(ChildMessage.Ready).Add(model.Manifest.Sha256);
                    break;
                case ChildMessage.Ask when model is not null:
                    inputs = FrameReader.Tensors(content.Span, inputs);
                    parent.Done();
                    // Computed before this returns: there is no other thread.
                    var answer = model.RunAsync(inputs, CancellationToken.None).GetAwaiter().GetResult();
                    using (var self = Process.GetCurrentProcess())
                    {
                        reply.Begin(ChildMessage.Answer).Add(self.PeakWorkingSet64).Add(self.TotalProcessorTime.Ticks).Add(answer, 0, answer.Batch);
                    }
                    break;
                default:
                    throw new InvalidDataException($"the parent sent {message} out of turn");
            }
        }
        catch (InferenceException e)
        {
            reply.Begin(ChildMessage.Failed).Add((byte)e.Failure).Add(e.Message);
        }
        catch (ArgumentException e)
        {
            reply.Begin(ChildMessage.Failed).Add((byte)InferenceFailure.Garbage).Add(e.Message);
        }
    }

    /// <summary>Ingest and queries go first, and when memory is short it is this process that goes.</summary>
    private static void StandBack()
    {
        try
        {
            using var self = Process.GetCurrentProcess();
            self.PriorityClass = ProcessPriorityClass.BelowNormal;
            if (OperatingSystem.IsLinux())
            {
                File.WriteAllText("/proc/self/oom_score_adj", "1000");
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.ComponentModel.Win32Exception)
        {
            Console.Error.WriteLine($"cannot stand back: {e.Message}");
        }
    }

    /// <summary>Reads on while the model computes, so that the end of the parent is seen then too, even where the computation never ends.</summary>
    private sealed class ParentReader : IDisposable
    {
        private static readonly TimeSpan FinishWithin = TimeSpan.FromSeconds(2);

        private readonly Stream _input;
        private readonly SemaphoreSlim _room = new(1), _ready = new(0);
        private readonly ManualResetEventSlim _idle = new();
        private (ChildMessage, ReadOnlyMemory<byte>)? _next;
        private Exception? _failure;

        public ParentReader(Stream input)
        {
            _input = input;
            new Thread(Read) { IsBackground = true, Name = "parent" }.Start();
        }

        /// <summary>The next frame, valid until <see cref="Done"/>; null when the parent is done or gone.</summary>
        public (ChildMessage, ReadOnlyMemory<byte>)? Next()
        {
            _idle.Set();
            _ready.Wait();
            _idle.Reset();
            return _failure is null ? _next : throw _failure;
        }

        /// <summary>The content of the frame is no longer needed.</summary>
        public void Done() => _room.Release();

        private void Read()
        {
            var reader = new FrameReader(_input);
            do
            {
                _room.Wait();
                try
                {
                    _next = reader.ReadAsync(CancellationToken.None).GetAwaiter().GetResult();
                }
                catch (Exception e) when (e is IOException or InvalidDataException)
                {
                    (_next, _failure) = (null, e);
                }
                if (_next is null && !_idle.Wait(FinishWithin))
                {
                    // Nobody waits for what is being computed, and native code may hang: nothing less than this ends it.
                    Process.GetCurrentProcess().Kill();
                }
                _ready.Release();
            }
            while (_next is not null);
        }

        public void Dispose() => _input.Dispose();
    }
}

using System.Buffers.Binary;
using System.Diagnostics;

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
        var output = Console.OpenStandardOutput();
        // Whatever prints must not print into the frames.
        Console.SetOut(Console.Error);
        StandBack();
        using var frames = new ParentReader(Console.OpenStandardInput());
        OnnxInference? model = null;
        try
        {
            while (frames.Next() is var (message, content))
            {
                var (reply, answer) = Reply(message, content.Span, ref model);
                ChildFrame.WriteAsync(output, reply, answer, CancellationToken.None).GetAwaiter().GetResult();
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

    private static (ChildMessage, byte[]) Reply(ChildMessage message, ReadOnlySpan<byte> content, ref OnnxInference? model)
    {
        try
        {
            switch (message)
            {
                case ChildMessage.Open when model is null:
                    model = OnnxInference.Load(ModelFolder.Open(ChildFrame.Text(content)));
                    return (ChildMessage.Ready, ChildFrame.Text(model.Manifest.Sha256));
                case ChildMessage.Ask when model is not null:
                    // Computed before this returns: there is no other thread.
                    var answer = model.RunAsync(ChildFrame.Tensors(content), CancellationToken.None).GetAwaiter().GetResult();
                    return (ChildMessage.Answer, ChildFrame.Tensors([answer], Usage()));
                default:
                    throw new InvalidDataException($"the parent sent {message} out of turn");
            }
        }
        catch (InferenceException e)
        {
            return (ChildMessage.Failed, [(byte)e.Failure, .. ChildFrame.Text(e.Message)]);
        }
        catch (ArgumentException e)
        {
            return (ChildMessage.Failed, [(byte)InferenceFailure.Garbage, .. ChildFrame.Text(e.Message)]);
        }
    }

    private static byte[] Usage()
    {
        using var self = Process.GetCurrentProcess();
        var usage = new byte[16];
        BinaryPrimitives.WriteInt64LittleEndian(usage, self.PeakWorkingSet64);
        BinaryPrimitives.WriteInt64LittleEndian(usage.AsSpan(8), self.TotalProcessorTime.Ticks);
        return usage;
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

    /// <summary>Reads ahead by one frame, so that the end of the parent is seen in the middle of a computation, even one that never ends.</summary>
    private sealed class ParentReader : IDisposable
    {
        private static readonly TimeSpan FinishWithin = TimeSpan.FromSeconds(2);

        private readonly Stream _input;
        private readonly SemaphoreSlim _room = new(1), _ready = new(0);
        private (ChildMessage, ReadOnlyMemory<byte>)? _next;
        private Exception? _failure;
        private readonly ManualResetEventSlim _idle = new();

        public ParentReader(Stream input)
        {
            _input = input;
            new Thread(Read) { IsBackground = true, Name = "parent" }.Start();
        }

        /// <summary>The next frame; null when the parent is done or gone.</summary>
        public (ChildMessage, ReadOnlyMemory<byte>)? Next()
        {
            _idle.Set();
            _ready.Wait();
            _idle.Reset();
            if (_failure is { } failure)
            {
                throw failure;
            }
            var next = _next;
            _room.Release();
            return next;
        }

        private void Read()
        {
            while (true)
            {
                _room.Wait();
                try
                {
                    _next = ChildFrame.ReadAsync(_input, CancellationToken.None).GetAwaiter().GetResult();
                }
                catch (Exception e) when (e is IOException or InvalidDataException)
                {
                    _failure = e;
                }
                if ((_next is null || _failure is not null) && !_idle.Wait(FinishWithin))
                {
                    // Nobody waits for what is being computed, and native code may hang: nothing less than this ends it.
                    Process.GetCurrentProcess().Kill();
                }
                _ready.Release();
                if (_next is null || _failure is not null)
                {
                    return;
                }
            }
        }

        public void Dispose() => _input.Dispose();
    }
}

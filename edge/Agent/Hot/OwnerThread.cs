using System.Collections.Concurrent;

namespace Foretier.Agent.Hot;

/// <summary>One plain thread that does all work on one LiteDB instance, in order: LiteDB's transactions and locks belong to threads.</summary>
internal sealed class OwnerThread : IDisposable
{
    private readonly BlockingCollection<Action> _work = [];
    private readonly Thread _thread;

    public OwnerThread(string name)
    {
        _thread = new(() =>
        {
            foreach (var work in _work.GetConsumingEnumerable())
            {
                work();
            }
        })
        { IsBackground = true, Name = name };
        _thread.Start();
    }

    /// <summary>Runs it there and waits. What it returns must be complete: nothing lazy may leave the thread.</summary>
    public T Run<T>(Func<T> work)
    {
        var done = new TaskCompletionSource<T>();
        _work.Add(() =>
        {
            try
            {
                done.SetResult(work());
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        });
        return done.Task.GetAwaiter().GetResult();
    }

    public void Dispose()
    {
        _work.CompleteAdding();
        _thread.Join();
        _work.Dispose();
    }
}

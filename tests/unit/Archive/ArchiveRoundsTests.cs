using System.Collections.Concurrent;
using Foretier.Archive;
using Foretier.Archive.Stores;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;

namespace Foretier.Tests.Unit.Archive;

/// <summary>How often a question waits for the store: what a far archive costs is rounds, not requests.</summary>
public sealed class ArchiveRoundsTests : IDisposable
{
    private const int Days = 30;
    private const string Series = "a/d/m3";
    private readonly ArchiveBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Theory]
    [InlineData(1 << 20, 60, 1)]
    [InlineData(1 << 20, 30, 1)]
    [InlineData(0, 30, 2)]
    public async Task A_month_of_one_series_takes_one_round_for_files_or_two_for_their_pages(int wholeFileBytesMax, int stepMinutes, int rounds)
    {
        var parts = new List<FetchPart>();
        for (var day = 0; day < Days; day++)
        {
            var window = new Window(ArchiveBench.Day.Start + day * Instant.Day, Instant.Day);
            await _bench.Writer().PublishAsync(ArchiveBench.Pack(SamplesOf(window), window: window), default);
            parts.Add(new(ArchiveBench.Edge, window, 0, 4, window.Range));
        }
        await _bench.Catalog.RefreshAsync(default);
        using var store = new HeldStore(_bench.Store);
        var asking = _bench.Source(new() { WholeFileBytesMax = wholeFileBytesMax }, store).FetchAsync(new([Series], parts, Raw: false, stepMinutes * Instant.Minute, 0), default);

        for (var round = 0; round < rounds; round++)
        {
            Assert.True(SpinWait.SpinUntil(() => store.Waiting >= Days, 60_000), $"round {round}: {store.Waiting} requests");
            Assert.False(asking.IsCompleted);
            store.Release();
        }
        var result = await asking;
        Assert.Equal(rounds * Days, store.Requests);
        Assert.Equal(Days * 24 * 60 / stepMinutes, result.Slices.Sum(slice => slice.Rows!.Count));
    }

    private static Dictionary<string, SampleColumns> SamplesOf(Window window)
    {
        var all = new Dictionary<string, SampleColumns>();
        // Noise that does not compress: a file of more than its tail.
        var random = new Random(1);
        for (var series = 0; series < 15; series++)
        {
            var samples = all[$"a/d/m{series}"] = new();
            for (var minute = 0; minute < 1440; minute++)
            {
                samples.Add(window.Start + minute * Instant.Minute, random.NextDouble());
            }
        }
        return all;
    }

    /// <summary>Answers nobody until it is told to answer all who wait.</summary>
    private sealed class HeldStore(ObjectStore inner) : ObjectStore
    {
        private readonly ConcurrentQueue<TaskCompletionSource> _waiting = [];
        private int _requests;

        public int Waiting => _waiting.Count;
        public int Requests => _requests;

        public void Release()
        {
            for (var left = _waiting.Count; left > 0 && _waiting.TryDequeue(out var one); left--)
            {
                one.SetResult();
            }
        }

        public override async Task<byte[]> GetAsync(string key, CancellationToken cancel)
        {
            await WaitAsync();
            return await inner.GetAsync(key, cancel);
        }

        public override async Task<byte[]> GetRangeAsync(string key, long offset, int length, CancellationToken cancel)
        {
            await WaitAsync();
            return await inner.GetRangeAsync(key, offset, length, cancel);
        }

        public override Task PutAsync(string key, Stream content, CancellationToken cancel) => inner.PutAsync(key, content, cancel);
        public override Task<ObjectInfo?> StatAsync(string key, CancellationToken cancel) => inner.StatAsync(key, cancel);
        public override IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancel) => inner.ListAsync(prefix, cancel);
        public override Task DeleteAsync(string key, CancellationToken cancel) => inner.DeleteAsync(key, cancel);

        private Task WaitAsync()
        {
            Interlocked.Increment(ref _requests);
            var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue(answer);
            return answer.Task;
        }
    }
}

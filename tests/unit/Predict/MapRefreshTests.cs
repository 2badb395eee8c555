using Foretier.Agent.Allocate;
using Foretier.Agent.Hot;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Predict.Models;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using static Foretier.Tests.Unit.Predict.Days;

namespace Foretier.Tests.Unit.Predict;

public sealed class MapRefreshTests : IDisposable
{
    private static readonly CancellationToken _none = CancellationToken.None;
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-map-").FullName;
    private readonly CountingClock _clock = new(Instant.ToDateTimeOffset(Monday + 20 * Instant.Hour));
    private readonly List<(Window Window, long Bytes)> _reserved = [];
    private readonly Catalog _catalog = new();
    private readonly Lines _log = new();
    private Exception? _refusal;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Map_stands_once_samples_were_observed_and_survives_a_restart()
    {
        await using (var refresh = Open())
        {
            refresh.Observe([new(1, Now, 1, null), new(1, Now + 1, 2, null), new(2, Now, 3, null), new(1, Now + Instant.Hour, 3, null)]);
            refresh.Observe("acme/c/t", Now, 5);
            var map = await refresh.RefreshAsync(_none);
            Assert.Equal(["acme/a/t", "acme/b/t", "acme/c/t"], map.MembersOf(map.Find("acme/a/t", Now)!)!.Series);
            Assert.Equal(3, refresh.Volumes.Find("acme/a/t")!.CountIn(new(Now, Now + 2 * Instant.Hour)));
            Assert.Null(refresh.Problem);
        }
        await using var again = Open();
        Assert.NotNull(again.Current.Find("acme/b/t", Now));
        Assert.Equal(3, again.Volumes.Find("acme/a/t")!.CountIn(new(Now, Now + 2 * Instant.Hour)));
        Assert.Empty(_log.Warnings);
    }

    [Fact]
    public async Task Samples_of_an_unknown_handle_are_not_counted()
    {
        await using var refresh = Open();
        refresh.Observe(99, Now, 1);
        refresh.Observe(-1, Now, 1);
        Assert.Equal(0, refresh.Volumes.Count);
    }

    [Fact]
    public async Task Map_is_drawn_up_at_start_at_every_full_hour_and_soon_after_a_newcomer()
    {
        await using var refresh = Open();
        var maps = new List<PartitionMap>();
        refresh.Changed += maps.Add;
        refresh.Start();
        await _clock.ArmedAsync(1);

        refresh.Observe(1, Now, 10);
        await _clock.ArmedAsync(2);
        Assert.Empty(maps);
        _clock.Advance(TimeSpan.FromSeconds(10));
        await _clock.ArmedAsync(3);
        Assert.NotNull(Assert.Single(maps).Find("acme/a/t", Now));

        // At midnight the window after the next is in the map, without anybody asking.
        var dayAfter = Monday + 2 * Instant.Day;
        for (var hour = 21; hour <= 24; hour++)
        {
            Assert.Null(refresh.Current.Find("acme/a/t", dayAfter));
            _clock.Advance(TimeSpan.FromMicroseconds(Monday + hour * Instant.Hour - Now));
            await _clock.ArmedAsync(hour - 17);
        }
        Assert.NotNull(refresh.Current.Find("acme/a/t", dayAfter));
        Assert.Equal(maps.Count, maps.Select(m => m.Revision).Distinct().Count());
        Assert.False(refresh.Completion.IsCompleted);
    }

    [Fact]
    public async Task Room_of_the_next_window_is_reserved_shortly_before_it_opens_and_once_and_of_the_open_one_what_it_needs_more()
    {
        await using var refresh = Open();
        refresh.Volumes.Fill("acme/a/t", Monday - 7 * Instant.Day, Monday + 20 * Instant.Hour, _ => 3600);
        var (open, next) = (Window.DayOf(Monday), Window.DayOf(Monday + Instant.Day));
        long BytesOf(PartitionMap map, Window window) => map.Find("acme/a/t", window.Start)!.Reserved.Ssd;
        var map = await refresh.RefreshAsync(_none);
        Assert.Equal([(open, BytesOf(map, open))], _reserved);
        _clock.Advance(TimeSpan.FromHours(2));
        map = await refresh.RefreshAsync(_none);
        Assert.Equal((next, BytesOf(map, next)), _reserved[^1]);
        Assert.True(_reserved[^1].Bytes > 86_400);
        var before = _reserved.Count;
        await refresh.RefreshAsync(_none);
        Assert.Equal(before, _reserved.Count);
        refresh.Volumes.Fill("acme/a/t", Monday + 20 * Instant.Hour, Monday + 21 * Instant.Hour, _ => 200_000);
        map = await refresh.RefreshAsync(_none);
        Assert.Contains((open, BytesOf(map, open)), _reserved);
        Assert.True(BytesOf(map, open) > _reserved[0].Bytes);
    }

    [Fact]
    public async Task Room_that_cannot_be_reserved_is_said_and_tried_again()
    {
        await using var refresh = Open();
        refresh.Volumes.Fill("acme/a/t", Monday, Monday + 20 * Instant.Hour, _ => 3600);
        _clock.Advance(TimeSpan.FromHours(3));
        _refusal = new IOException("No space left on device");
        await refresh.RefreshAsync(_none);
        Assert.Contains("No space left", refresh.Problem);
        Assert.Contains("20260106T000000Z", refresh.Problem);
        _refusal = null;
        await refresh.RefreshAsync(_none);
        Assert.Null(refresh.Problem);
        Assert.Equal(2, _reserved.Count);
    }

    [Fact]
    public async Task Who_frees_room_need_not_wait_for_the_next_refresh()
    {
        await using var refresh = Open();
        refresh.Volumes.Fill("acme/a/t", Monday, Monday + 20 * Instant.Hour, _ => 3600);
        _refusal = new IOException("No space left on device");
        refresh.Start();
        await UntilAsync(() => refresh.Problem is not null);
        var cycles = refresh.Cycles.Cycles;
        _refusal = null;
        await UntilAsync(() =>
        {
            _clock.Advance(TimeSpan.FromSeconds(1));
            return refresh.Problem is null;
        });
        Assert.NotEmpty(_reserved);
        Assert.Equal(cycles, refresh.Cycles.Cycles);
    }

    private static async Task UntilAsync(Func<bool> isSo)
    {
        for (var i = 0; !isSo(); i++)
        {
            Assert.True(i < 3_000, "it did not come about");
            await Task.Delay(1);
        }
    }

    [Theory]
    [InlineData("partition-map")]
    [InlineData("volume-history")]
    [InlineData("access-log")]
    [InlineData("volume-learned")]
    [InlineData("scorecard")]
    [InlineData("kind-mix")]
    public async Task Damaged_file_is_named_kept_aside_and_begun_anew(string name)
    {
        var path = Path.Combine(_folder, name);
        long revision;
        await using (var refresh = Open())
        {
            refresh.Observe(1, Now, 10);
            revision = (await refresh.RefreshAsync(_none)).Revision;
        }
        var bytes = await File.ReadAllBytesAsync(path);
        bytes[^1] ^= 1;
        await File.WriteAllBytesAsync(path, bytes);
        _clock.Advance(TimeSpan.FromMinutes(1));

        await using var again = Open();
        Assert.Contains(path, Assert.Single(_log.Warnings));
        Assert.True(File.Exists(path + ".damaged"));
        again.Observe(1, Now, 10);
        await again.RefreshAsync(_none);
        Assert.NotNull(again.Current.Find("acme/a/t", Now));
        // Whoever has an earlier map must see that this one is another.
        Assert.True(name != "partition-map" || again.Current.Revision > revision);
    }

    [Fact]
    public async Task Time_between_last_save_and_restart_is_not_learned_as_silence()
    {
        await using (var refresh = Open())
        {
            refresh.Volumes.Fill("acme/a/t", Monday, Monday + 20 * Instant.Hour, _ => 10);
            await refresh.RefreshAsync(_none);
        }
        _clock.Advance(TimeSpan.FromDays(3));
        await using var again = Open();
        await again.RefreshAsync(_none);
        Assert.Equal(10, again.Volumes.ForecastOf("acme/a/t", Now, 24).Mean[5]);
    }

    [Fact]
    public async Task Folder_that_cannot_be_written_costs_the_file_and_not_the_map()
    {
        await using var refresh = Open();
        // A file where the folder should be.
        Directory.Delete(_folder, recursive: true);
        await File.WriteAllTextAsync(_folder, "");
        refresh.Observe(1, Now, 10);
        await refresh.RefreshAsync(_none);
        Assert.Contains("cannot be written", refresh.Problem);
        Assert.NotNull(refresh.Current.Find("acme/a/t", Now));
        File.Delete(_folder);
        Directory.CreateDirectory(_folder);
    }

    [Fact]
    public async Task Bytes_reserved_follow_what_samples_are_measured_to_take()
    {
        await using var refresh = Open();
        refresh.Volumes.Fill("acme/a/t", Monday, Monday + 20 * Instant.Hour, _ => 100);
        _catalog.Put(new Holding("edge-1", Window.DayOf(Monday), "edge-1", Tier.Ssd, 0, Holding.Latest, new(Monday, Now), 1_000_000, 2_500_000));
        var entry = (await refresh.RefreshAsync(_none)).Find("acme/a/t", Now)!;
        Assert.InRange(entry.Reserved.Ssd, (long)(2.5 * entry.SamplesP90) - 2, (long)(2.5 * entry.SamplesP90) + 2);
    }

    [Fact]
    public async Task Reader_at_a_known_revision_is_told_the_difference_and_any_other_the_whole()
    {
        await using var refresh = Open();
        refresh.Observe(1, Now, 10);
        var first = await refresh.RefreshAsync(_none);
        refresh.Observe(2, Now, 10);
        var second = await refresh.RefreshAsync(_none);
        var update = refresh.ChangesSince(first.Revision);
        Assert.False(update.Reset);
        Assert.Equal(second.Entries.Select(e => e.Id), update.ApplyTo(first).Entries.Select(e => e.Id));
        Assert.True(refresh.ChangesSince(0).Reset);
        Assert.True(refresh.ChangesSince(first.Revision + 1_000_000).Reset);
        var none = refresh.ChangesSince(second.Revision);
        Assert.Empty(none.Entries);
        Assert.Empty(none.Removed);
    }

    private long Now => Instant.Now(_clock);

    [Fact]
    public async Task Model_is_started_once_an_hour_and_newcomers_within_it_do_without()
    {
        var starts = 0;
        await using var refresh = Open(_ =>
        {
            starts++;
            return Task.FromResult<IInference>(new FlatModel());
        });
        refresh.Observe(1, Now, 10);
        await refresh.RefreshAsync(_none);
        refresh.Observe(2, Now, 10);
        await refresh.RefreshAsync(_none);
        Assert.Equal(1, starts);
        Assert.NotNull(refresh.ForecastOf("acme/b/t"));
        Assert.Equal("volume-lstm 7", refresh.ForecastOf("acme/a/t")!.Model);
        _clock.Advance(TimeSpan.FromHours(1));
        await refresh.RefreshAsync(_none);
        Assert.Equal(2, starts);
        Assert.Equal((2, 0), (refresh.Cycles.Cycles, refresh.Cycles.Fallbacks));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Model_that_fails_leaves_baselines_in_the_same_cycle_and_is_named_until_it_is_back(bool atStart)
    {
        var isWell = false;
        await using var refresh = Open(_ => isWell || !atStart ? Task.FromResult<IInference>(new FlatModel { Failure = isWell ? null : new(InferenceFailure.Killed, "it was ended by signal 9") })
            : throw new InferenceException(InferenceFailure.Missing, "it was ended by signal 9"));
        refresh.Volumes.Fill("acme/a/t", Monday, Monday + 20 * Instant.Hour, _ => 60);
        var map = await refresh.RefreshAsync(_none);
        Assert.NotNull(map.Find("acme/a/t", Now));
        Assert.InRange(refresh.ForecastOf("acme/a/t")!.Coming[5].Expected.P50, 55, 65);
        Assert.Null(refresh.Model);
        Assert.Contains("seasonal baselines", refresh.Problem);
        Assert.Contains("signal 9", refresh.Problem);
        Assert.Contains("signal 9", refresh.ScorecardOf(7).Fallback);
        Assert.Equal(1, refresh.Cycles.Fallbacks);
        isWell = true;
        _clock.Advance(TimeSpan.FromHours(1));
        await refresh.RefreshAsync(_none);
        Assert.Null(refresh.Problem);
        Assert.Equal("volume-lstm 7", refresh.Model);
    }

    [Fact]
    public async Task Forecasts_are_scored_by_class_and_survive_a_restart()
    {
        _catalog.Put(new SeriesInfo("acme/a/t", "edge-1", null, "counter"));
        await using (var refresh = Open())
        {
            Assert.Null(refresh.ScorecardOf(7).All);
            for (var hour = 0; hour < 60; hour++)
            {
                refresh.Observe("acme/a/t", Now + Instant.Minute, 20 + hour % 3);
                _clock.Advance(TimeSpan.FromHours(1));
                await refresh.RefreshAsync(_none);
            }
            Check(refresh);
        }
        await using var again = Open();
        Check(again);

        static void Check(MapRefresh refresh)
        {
            var card = refresh.ScorecardOf(7);
            Assert.InRange(card.All!.Hours, 45, 60);
            Assert.Equal(card.All.Hours, card.Classes.Sum(line => line.Hours));
            Assert.All(card.Classes, line => Assert.Equal(("counter", "10-100/h"), (line.Kind, line.Size)));
            Assert.Equal(["1h", "2-6h", "7-24h"], card.Classes.Select(line => line.Distance!).Order(StringComparer.Ordinal));
            Assert.InRange(card.All.Wql!.Value, 0.001, 0.5);
            Assert.Equal(0, Assert.Single(card.KindMixes).Brier, 6);
        }
    }

    [Fact]
    public async Task Habits_of_an_account_follow_its_own_time_zone()
    {
        var options = new AllocateOptions { Directory = _folder };
        await using var refresh = new MapRefresh(options, _catalog, Reserve, _ => null, _clock, _log,
            termsOf: account => account == "acme" ? new() { TimeZone = "Asia/Tokyo" } : account == "gone" ? new() { TimeZone = "Mars/Olympus" } : AccountTerms.Usual);
        refresh.Observe("gone/a/t", Now, 5);
        refresh.Observe("acme/a/t", Now, 5);
        refresh.Observe("other/a/t", Now, 5);
        await refresh.RefreshAsync(_none);
        Assert.Equal(("Asia/Tokyo", "UTC"), (refresh.ForecastOf("acme/a/t")!.Zone, refresh.ForecastOf("other/a/t")!.Zone));
        Assert.Equal("UTC", refresh.ForecastOf("gone/a/t")!.Zone);
        Assert.Null(refresh.ForecastOf("acme/none/t"));
        var error = Assert.Throws<ArgumentException>(() => (options with { TimeZone = "Mars/Olympus" }).Validated());
        Assert.Contains("Allocate:TimeZone", error.Message);
    }

    private MapRefresh Open(Func<CancellationToken, Task<IInference>> startModel) => new(new() { Directory = _folder, Node = "edge-1" }, _catalog, Reserve,
        series => series switch { 1 => "acme/a/t", 2 => "acme/b/t", _ => null }, _clock, _log, startModel);

    /// <summary>Says 60 of every hour, or fails.</summary>
    private sealed class FlatModel : IInference
    {
        public InferenceException? Failure { get; init; }
        public ModelManifest Manifest { get; } = new("volume-lstm", 7, 1, "", default, "", new("", ""), [], "");
        public Task<Tensor> RunAsync(IReadOnlyList<Tensor> inputs, CancellationToken cancel) => Failure is not null ? Task.FromException<Tensor>(Failure)
            : Task.FromResult(new Tensor([.. Enumerable.Repeat(60f, inputs[0].Batch * 72)], [inputs[0].Batch, 24, 3]));
        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private MapRefresh Open() => new(new() { Directory = _folder, Node = "edge-1" }, _catalog, Reserve,
        series => series switch { 1 => "acme/a/t", 2 => "acme/b/t", _ => null }, _clock, _log);

    private Task Reserve(Window window, long bytes, CancellationToken cancel)
    {
        if (_refusal is not null)
        {
            throw _refusal;
        }
        _reserved.Add((window, bytes));
        return Task.CompletedTask;
    }

    /// <summary>A clock that stands still, and knows how many timers were set on it: the loop sets one each time it begins to wait.</summary>
    private sealed class CountingClock(DateTimeOffset start) : FakeTimeProvider(start)
    {
        private readonly Lock _lock = new();
        private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _timers;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = base.CreateTimer(callback, state, dueTime, period);
            lock (_lock)
            {
                _timers++;
                _more.SetResult();
                _more = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }
            return timer;
        }

        public async Task ArmedAsync(int timers)
        {
            while (true)
            {
                Task more;
                lock (_lock)
                {
                    if (_timers >= timers)
                    {
                        Assert.Equal(timers, _timers);
                        return;
                    }
                    more = _more.Task;
                }
                await more.WaitAsync(TimeSpan.FromMinutes(1));
            }
        }
    }

    private sealed class Lines : ILogger<MapRefresh>
    {
        public List<string> Warnings { get; } = [];
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;
        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;
        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                Warnings.Add(formatter(state, exception));
            }
        }
    }
}

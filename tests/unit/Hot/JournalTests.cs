using System.Text;
using Foretier.Agent.Hot;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Unit.Hot;

public class JournalTests
{
    private static readonly HotOptions Options = new() { Directory = "-", CommitInterval = TimeSpan.Zero, JournalFileBytes = 64 * 1024, JournalFiles = 3 };

    private static (Journal Journal, List<(long Position, string Text)> Found) Open(CrashDisk disk, JournalFloor floor = default)
    {
        var found = new List<(long, string)>();
        var journal = Journal.Open(disk, Options, NullLogger.Instance, floor, (position, record) => found.Add((position, Encoding.UTF8.GetString(record))),
            TimeSpan.FromMilliseconds(5));
        return (journal, found);
    }

    private static async Task<long> WriteAsync(Journal journal, string text)
    {
        var (ticket, position) = journal.Append(Encoding.UTF8.GetBytes(text));
        await journal.WaitDurableAsync(ticket, CancellationToken.None);
        return position;
    }

    [Fact]
    public async Task Records_come_back_in_order_with_their_positions()
    {
        var disk = new CrashDisk();
        var (journal, none) = Open(disk);
        Assert.Empty(none);
        for (var i = 1; i <= 20; i++)
        {
            Assert.Equal(i, await WriteAsync(journal, $"record {i}"));
        }
        journal.Abandon();
        var (again, found) = Open(disk.Crash(new Random(1)));
        Assert.Equal(Enumerable.Range(1, 20).Select(i => ((long)i, $"record {i}")), found);
        Assert.Equal(21, await WriteAsync(again, "next"));
        again.Dispose();
    }

    [Fact]
    public async Task A_ticket_is_durable_only_after_the_sync_that_covers_it()
    {
        var disk = new CrashDisk();
        var (journal, _) = Open(disk);
        var (ticket, _) = journal.Append("a"u8);
        await journal.WaitDurableAsync(ticket, CancellationToken.None);
        var synced = disk.Syncs;
        var (next, _) = journal.Append("b"u8);
        Assert.True(next > ticket);
        await journal.WaitDurableAsync(next, CancellationToken.None);
        Assert.True(disk.Syncs > synced);
        Assert.Equal(next, journal.DurableTicket);
        journal.Dispose();
    }

    [Fact]
    public async Task Many_waiters_share_one_sync()
    {
        var disk = new CrashDisk();
        var journal = Journal.Open(disk, Options with { CommitInterval = TimeSpan.FromMilliseconds(100) }, NullLogger.Instance, default, (_, _) => { });
        var before = disk.Syncs;
        await Task.WhenAll(Enumerable.Range(0, 50).Select(i => WriteAsync(journal, $"{i}")));
        Assert.InRange(disk.Syncs - before, 1, 3);
        journal.Dispose();
    }

    [Fact]
    public async Task A_torn_tail_is_ignored_and_never_comes_back()
    {
        for (var seed = 0; seed < 40; seed++)
        {
            var disk = new CrashDisk();
            var random = new Random(seed);
            var expected = new List<string>();
            for (var life = 0; life < 4; life++)
            {
                var (journal, found) = Open(disk);
                Assert.Equal(expected, found.Take(expected.Count).Select(f => f.Text));
                expected = [.. found.Select(f => f.Text)];
                Assert.Empty(journal.Damaged);
                for (var i = 0; i < 3; i++)
                {
                    expected.Add($"life {life} record {i} {new string('x', random.Next(3000))}");
                    await WriteAsync(journal, expected[^1]);
                }
                // The next frame is written but its sync never comes.
                disk.FailAfter = disk.Operations + 1;
                journal.Append(Encoding.UTF8.GetBytes($"torn {life} {new string('y', 3000)}"));
                await Assert.ThrowsAsync<HotStoreUnavailableException>(async () => await WriteAsync(journal, "lost"));
                journal.Abandon();
                disk = disk.Crash(random);
            }
        }
    }

    [Fact]
    public async Task A_flipped_bit_costs_the_frame_it_is_in_and_is_reported()
    {
        var disk = new CrashDisk();
        var (journal, _) = Open(disk);
        for (var i = 1; i <= 50; i++)
        {
            await WriteAsync(journal, $"record {i}");
        }
        journal.Abandon();
        var random = new Random(7);
        for (var trial = 0; trial < 60; trial++)
        {
            var damaged = disk.Crash(null);
            // Somewhere in the frames but the last one, or in the header of the file.
            damaged.Flip("journal/000001.fj", trial < 10 ? random.Next(32 * 8) : (4096 + random.Next(49 * 56)) * 8L + random.Next(8));
            var (again, found) = Open(damaged);
            var lost = Enumerable.Range(1, 50).Except(found.Select(f => (int)f.Position)).ToList();
            Assert.InRange(lost.Count, 0, 1);
            Assert.All(found, f => Assert.Equal($"record {f.Position}", f.Text));
            Assert.Equal(lost.Count, again.Damaged.Count);
            again.Dispose();
        }
    }

    [Fact]
    public async Task The_ring_is_reused_after_release_and_grows_where_it_must()
    {
        var disk = new CrashDisk();
        var (journal, _) = Open(disk);
        var text = new string('z', 9000);
        long position = 0;
        for (var i = 0; i < 60; i++)
        {
            position = await WriteAsync(journal, text);
            journal.Release(position - 1);
        }
        Assert.Equal(3, disk.Names.Count(name => name.StartsWith("journal/", StringComparison.Ordinal)));
        Assert.InRange(journal.Fill, 0, 0.7);
        for (var i = 0; i < 30; i++)
        {
            await WriteAsync(journal, text);
        }
        Assert.True(journal.Fill > 1);
        journal.Abandon();
        disk = disk.Crash(new Random(3));
        var (again, found) = Open(disk, new(position, 60, position - 1));
        Assert.Empty(again.Damaged);
        Assert.Equal(90, found[^1].Position);
        again.Release(90);
        Assert.InRange(again.Fill, 0, 0.4);
        Assert.Equal(3, disk.Names.Count(name => name.StartsWith("journal/", StringComparison.Ordinal)));
        again.Dispose();
    }

    [Fact]
    public async Task A_full_disk_stops_acknowledgements_and_what_was_queued_is_written_when_it_recovers()
    {
        var disk = new CrashDisk();
        var (journal, _) = Open(disk);
        await WriteAsync(journal, "before");
        var isFull = true;
        disk.OnWrite = (_, _) =>
        {
            if (isFull)
            {
                throw new IOException("No space left on device", 28);
            }
        };
        var refused = await Assert.ThrowsAsync<HotStoreUnavailableException>(() => WriteAsync(journal, "during"));
        Assert.Equal("disk_full", refused.Reason);
        Assert.Throws<HotStoreUnavailableException>(() => journal.Append("refused"u8));
        isFull = false;
        Assert.True(SpinWait.SpinUntil(() => journal.Failure is null, 60_000));
        await WriteAsync(journal, "after");
        journal.Abandon();
        var (again, found) = Open(disk.Crash(new Random(5)));
        Assert.Equal(["before", "during", "after"], found.Select(f => f.Text));
        Assert.Empty(again.Damaged);
        again.Dispose();
    }

    [Fact]
    public async Task Numbering_goes_on_after_the_floor_in_an_empty_journal()
    {
        var (journal, _) = Open(new CrashDisk(), new(41, 7, 41));
        Assert.Equal(42, await WriteAsync(journal, "x"));
        Assert.Equal(8, journal.DurableTicket);
        journal.Dispose();
    }

    [Fact]
    public async Task A_device_that_fails_for_long_uses_up_no_files_and_no_space()
    {
        var disk = new CrashDisk();
        var (journal, _) = Open(disk);
        await WriteAsync(journal, "before");
        int refusals = 0, isFailing = 1;
        disk.OnWrite = (_, _) =>
        {
            if (Volatile.Read(ref isFailing) == 1)
            {
                Interlocked.Increment(ref refusals);
                throw new IOException("Input/output error", 5);
            }
        };
        await Assert.ThrowsAsync<HotStoreUnavailableException>(() => WriteAsync(journal, "during"));
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref refusals) > 20, 60_000));
        Assert.Equal(3, disk.Names.Count);
        Assert.Equal("io_error", journal.Failure!.Reason);
        Volatile.Write(ref isFailing, 0);
        Assert.True(SpinWait.SpinUntil(() => journal.Failure is null, 60_000));
        await WriteAsync(journal, "after");
        journal.Abandon();
        var (again, found) = Open(disk.Crash(new Random(5)));
        Assert.Equal(["before", "during", "after"], found.Select(f => f.Text));
        Assert.Empty(again.Damaged);
        again.Dispose();
    }

    [Fact]
    public void Ingest_is_told_to_wait_long_before_the_queue_refuses()
    {
        var disk = new CrashDisk();
        using var hold = new ManualResetEventSlim();
        var (journal, _) = Open(disk);
        disk.OnWrite = (_, _) => hold.Wait();
        var record = new byte[60_000];
        long queued = 0;
        while (!journal.IsBehind)
        {
            journal.Append(record);
            queued += record.Length;
        }
        Assert.InRange(queued, 1, 16 * 1024 * 1024);
        // What was on its way in still fits.
        for (var i = 0; i < 100; i++)
        {
            journal.Append(record);
        }
        hold.Set();
        Assert.True(SpinWait.SpinUntil(() => !journal.IsBehind, 60_000));
        journal.Dispose();
    }

    [Fact]
    public async Task A_ring_that_could_not_be_made_whole_starts_and_leaves_no_remains()
    {
        var disk = new CrashDisk();
        var (journal, _) = Open(disk);
        await WriteAsync(journal, "before");
        journal.Dispose();
        disk = disk.Crash(null);
        disk.Delete("journal/000003.fj");
        disk.OnWrite = (_, bytes) =>
        {
            if (bytes > 10_000)
            {
                throw new IOException("No space left on device", 28);
            }
        };
        var (again, found) = Open(disk);
        Assert.Equal(["before"], found.Select(f => f.Text));
        await WriteAsync(again, "after");
        Assert.Equal(2, disk.Names.Count);
        again.Dispose();
    }
}

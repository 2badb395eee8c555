using Foretier.Agent.Hot;
using Foretier.Core.Samples;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Unit.Hot;

public class WritePacingTests
{
    private const long Day = 800_000_000;

    [Fact]
    public void A_credit_is_spent_at_once_and_then_writes_wait_for_their_share_of_the_day()
    {
        var allowance = new WriteAllowance(Day, 60_000);
        for (var i = 0; i < 10; i++)
        {
            Assert.Equal(TimeSpan.Zero, allowance.WaitFor(6000, TimeSpan.Zero));
            allowance.Spend(6000, TimeSpan.Zero);
        }
        var wait = allowance.WaitFor(6000, TimeSpan.Zero);
        Assert.InRange(wait.TotalSeconds, 6000.0 / Day * 86_400 - 0.01, 6000.0 / Day * 86_400 + 0.01);
        Assert.Equal(TimeSpan.Zero, allowance.WaitFor(6000, wait));
    }

    [Fact]
    public void Whoever_waits_as_told_writes_no_more_in_a_day_than_allowed()
    {
        var allowance = new WriteAllowance(Day, 1_000_000);
        long written = 0;
        for (var now = TimeSpan.Zero; now < TimeSpan.FromDays(1); now += TimeSpan.FromMilliseconds(10) + allowance.WaitFor(6144, now))
        {
            if (allowance.WaitFor(6144, now) == TimeSpan.Zero)
            {
                allowance.Spend(6144, now);
                written += 6144;
            }
        }
        Assert.InRange(written, Day * 9 / 10, Day + 1_000_000);
    }

    [Fact]
    public void The_last_24_hours_count_and_what_came_before_counts_as_wear_only()
    {
        var meter = new FlashMeter(1000);
        var now = 400_000 * Instant.Hour;
        meter.Add(700, now);
        Assert.False(meter.IsNear);
        meter.Add(100, now + 5 * Instant.Hour);
        Assert.True(meter.IsNear);
        meter.Add(200, now + 6 * Instant.Hour);
        Assert.True(meter.IsSpent);
        meter.Add(0, now + 24 * Instant.Hour);
        Assert.Equal((300, 1000), (meter.LastDay, meter.Total));
        var bytes = new System.Buffers.ArrayBufferWriter<byte>();
        meter.Write(bytes);
        var again = new FlashMeter(1000);
        var record = new RecordReader(bytes.WrittenSpan);
        again.Read(ref record);
        again.Add(1, now + 29 * Instant.Hour);
        Assert.True(record.AtEnd);
        Assert.Equal((201, 1001), (again.LastDay, again.Total));
        again.Add(0, now - Instant.Hour); // a clock set back
        again.Add(0, now + 60 * Instant.Hour);
        Assert.Equal((0, 1001), (again.LastDay, again.Total));
    }

    [Theory]
    [InlineData(1, 5000)]
    [InlineData(100, 10)]
    public async Task Without_credit_a_small_group_waits_longer_and_a_large_one_does_not(int records, int bytes)
    {
        var disk = new CrashDisk();
        var options = new HotOptions
        {
            Directory = "-",
            CommitInterval = TimeSpan.FromMilliseconds(1),
            CommitIntervalMax = TimeSpan.FromSeconds(10),
            ThinCommitBytesPerDay = 1,
            CreditBytes = 0,
            JournalFileBytes = 64 * 1024,
            JournalFiles = 2,
        };
        var journal = Journal.Open(disk, options, NullLogger.Instance, default, (_, _) => { });
        var (first, _) = journal.Append("few"u8);
        var waiting = journal.WaitDurableAsync(first, CancellationToken.None).AsTask();
        Assert.False(waiting.IsCompleted);
        for (var i = 0; i < records; i++)
        {
            journal.Append(new byte[bytes]);
        }
        await waiting.WaitAsync(TimeSpan.FromSeconds(8));
        journal.Dispose();
    }
}

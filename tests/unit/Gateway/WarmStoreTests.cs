using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Core.Tiers;
using Foretier.Gateway.Receive;
using Foretier.Protocol.Shipping;
using static Foretier.Tests.Unit.Gateway.WarmBed;

namespace Foretier.Tests.Unit.Gateway;

public class WarmStoreTests
{
    [Fact]
    public async Task Batch_received_twice_counts_once()
    {
        await using var bed = await WarmBed.OpenAsync();
        var batch = Batch(0, 2, (1, 10), (2, 20));

        var first = await bed.ReceiveAsync(batch);
        var second = await bed.ReceiveAsync(batch);

        Assert.Equal((ReceiveOutcome.Stored, new ShipReceipt(2, 2, 0)), (first.Outcome, first.Receipt));
        Assert.Equal((ReceiveOutcome.AlreadyHeld, new ShipReceipt(2, 0, 0)), (second.Outcome, second.Receipt));
        Assert.Equal("1=10 2=20", await bed.ReadAsync(0, 2));
        var ledger = bed.BalancedLedger();
        Assert.Equal((2, 2, 2, 2), (ledger.Received, ledger.Accepted, ledger.Unique, ledger.Held));
    }

    [Fact]
    public async Task Batch_after_a_gap_is_not_taken_and_the_answer_names_where_to_go_on()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 2, (1, 10)));

        var result = await bed.ReceiveAsync(Batch(3, 4, (2, 20)));

        Assert.Equal((ReceiveOutcome.Gap, 2L), (result.Outcome, result.Through));
        Assert.Equal("1=10", await bed.ReadAsync(0, 2));
        Assert.Equal(1, bed.BalancedLedger().Received);
    }

    [Fact]
    public async Task Of_a_batch_that_begins_before_what_is_held_only_the_new_flushes_count()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 2, (1, 10)));

        var result = await bed.ReceiveAsync(new(Day, 0, 3, [Shipped(Series, 2, (1, 10)), Shipped(Series, 3, (2, 20))]));

        Assert.Equal(new ShipReceipt(3, 1, 0), result.Receipt);
        Assert.Equal("1=10 2=20", await bed.ReadAsync(0, 3));
        Assert.Equal(2, bed.BalancedLedger().Received);
    }

    [Fact]
    public async Task Wrong_digest_is_refused_counted_and_writes_nothing()
    {
        await using var bed = await WarmBed.OpenAsync();
        var bytes = Batch(0, 1, (1, 10)).ToBytes();
        var digest = ShipBatch.DigestOf(bytes);

        var result = await bed.Store.ReceiveAsync(Edge, Day, 0, 1, bytes, (digest[0] == 'a' ? 'b' : 'a') + digest[1..], default);

        Assert.Equal((ReceiveOutcome.Refused, "digest_mismatch"), (result.Outcome, result.Refusal!.Reason));
        Assert.False(File.Exists(bed.FileOf(0)));
        Assert.Null(bed.Hdd());
        var ledger = bed.BalancedLedger();
        Assert.Equal((1, 1, 0), (ledger.Received, ledger.Rejected, ledger.Accepted));
        Assert.Equal(1, ledger.RejectedBy["digest_mismatch"]);
    }

    public static TheoryData<string, ShipBatch> BadBatches()
    {
        var good = Shipped(Series, 1, (1, 10));
        var late = new SampleColumns();
        late.Add(Day.End, 1);
        var flipped = good.Bytes.ToArray();
        flipped[^1] ^= 1;
        return new()
        {
            { "a damaged segment", new(Day, 0, 1, [good with { Bytes = flipped }]) },
            { "bytes that are no segment", new(Day, 0, 1, [good with { Bytes = new byte[] { 1, 2, 3 } }]) },
            { "a sample outside of the window", new(Day, 0, 1, [Shipped(Series, 1, late)]) },
            { "a flush outside of the batch", new(Day, 0, 1, [good with { Version = 2 }]) },
            { "rollups over other samples", new(Day, 0, 1, [good with { Rollups = Shipped(Series, 1, (1, 10), (2, 20)).Rollups }]) },
            { "a name that is none", new(Day, 0, 1, [good with { Series = "acme/boiler 1/x" }]) },
            { "an unknown kind", new(Day, 0, 1, [good with { Kind = "nonsense" }]) },
        };
    }

    [Theory]
    [MemberData(nameof(BadBatches))]
    public async Task Batch_that_cannot_be_read_back_is_refused(string with, ShipBatch batch)
    {
        await using var bed = await WarmBed.OpenAsync();

        var result = await bed.ReceiveAsync(batch);

        Assert.True(result.Outcome == ReceiveOutcome.Refused, with);
        Assert.False(File.Exists(bed.FileOf(0)));
        Assert.Equal(1, bed.BalancedLedger().RejectedBy["bad_batch"]);
    }

    [Fact]
    public async Task Batch_sent_to_another_address_than_its_own_is_refused()
    {
        await using var bed = await WarmBed.OpenAsync();
        var bytes = Batch(0, 1, (1, 10)).ToBytes();

        var result = await bed.Store.ReceiveAsync(Edge, Day, 0, 2, bytes, ShipBatch.DigestOf(bytes), default);

        Assert.Equal("wrong_batch", result.Refusal!.Reason);
    }

    [Fact]
    public async Task Other_bytes_under_a_range_that_is_held_are_refused_not_swallowed()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 1, (1, 10)));

        var result = await bed.ReceiveAsync(Batch(0, 1, (1, 11)));

        Assert.Equal((ReceiveOutcome.Refused, "batch_conflict"), (result.Outcome, result.Refusal!.Reason));
        Assert.Equal("1=10", await bed.ReadAsync(0, 1));
        Assert.Equal(1, bed.BalancedLedger().Rejected);
    }

    [Fact]
    public async Task Edges_do_not_touch_each_others_windows()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 1, (1, 10)));
        await bed.ReceiveAsync(Batch(0, 1, (1, 99)), "edge-2");

        Assert.Equal("1=10", await bed.ReadAsync(0, 1));
        Assert.Equal("1=99", await bed.ReadAsync(0, 1, "edge-2"));
        Assert.Equal(2, bed.BalancedLedger().Unique);
        await Assert.ThrowsAsync<ArgumentException>(() => bed.ReceiveAsync(Batch(0, 1, (1, 1)), "../edge-1"));
        await Assert.ThrowsAsync<ArgumentException>(() => bed.ReceiveAsync(Batch(0, 1, (1, 1)), ".."));
    }

    [Fact]
    public async Task Superseded_samples_are_counted_across_and_within_batches()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 1, (1, 10), (2, 20), (3, 30)));

        // Flush 2 corrects second 2 and adds 4; flush 3 corrects 2 and 4 once more: three superseded, one of them within the batch.
        var result = await bed.ReceiveAsync(new(Day, 1, 3, [Shipped(Series, 3, (2, 22), (4, 44)), Shipped(Series, 2, (2, 21), (4, 40))]));

        Assert.Equal(new ShipReceipt(3, 4, 3), result.Receipt);
        Assert.Equal("1=10 2=22 3=30 4=44", await bed.ReadAsync(0, 3));
        var ledger = bed.BalancedLedger();
        Assert.Equal((7, 3, 4), (ledger.Accepted, ledger.Superseded, ledger.Held));
    }

    [Fact]
    public async Task Catalog_says_what_is_held_also_after_a_restart()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 1, (1, 10)));
        await bed.ReceiveAsync(Batch(1, 4, (7, 70)));
        await bed.ReceiveAsync(Batch(4, 5));

        var holding = bed.Hdd()!;
        Assert.Equal(new Holding(Edge, Day, "gateway-1", Tier.Hdd, 0, 5, new(Day.Start + Instant.Second, Day.Start + 7 * Instant.Second + 1), 2, holding.Bytes), holding);
        Assert.Equal(new FileInfo(bed.FileOf(0)).Length, holding.Bytes);
        Assert.Equal(new SeriesInfo(Series, Edge, "Cel", "gauge"), Assert.Single(bed.Catalog.View.Series));

        await bed.RestartAsync();

        Assert.Equal(holding, bed.Hdd());
        Assert.Equal(new SeriesInfo(Series, Edge, "Cel", "gauge"), Assert.Single(bed.Catalog.View.Series));
        Assert.Equal((Day, 5L), (Assert.Single(bed.Store.ProgressOf(Edge)).Window, bed.Store.ProgressOf(Edge)[0].Through));
        bed.BalancedLedger();
    }

    [Fact]
    public async Task Ledger_does_not_balance_when_a_stored_segment_is_lost()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(new(Day, 0, 1, [Shipped(Series, 1, (1, 10)), Shipped("acme/boiler-1/pressure", 1, (1, 10))]));
        await bed.RestartAsync(() =>
        {
            using var index = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={bed.Options.IndexPath};Pooling=false");
            index.Open();
            using var delete = index.CreateCommand();
            delete.CommandText = "DELETE FROM segments WHERE series = (SELECT min(series) FROM segments)";
            Assert.Equal(1, delete.ExecuteNonQuery());
        });

        Assert.False(bed.Store.CountLedger().Balanced);
    }

    [Fact]
    public async Task Second_process_cannot_use_the_folder()
    {
        await using var bed = await WarmBed.OpenAsync();
        await Assert.ThrowsAsync<IOException>(() => Foretier.Gateway.Warm.WarmStore.OpenAsync(bed.Options, new(), TimeProvider.System,
            Microsoft.Extensions.Logging.Abstractions.NullLogger<Foretier.Gateway.Warm.WarmStore>.Instance, null, default));
    }
}

using Foretier.Core.Samples;
using Foretier.Gateway.Receive;
using Foretier.Protocol.Shipping;

namespace Foretier.Tests.Unit.Gateway;

public class WarmDeletionTests
{
    [Fact]
    public async Task A_tombstone_ends_older_samples_once_and_newer_ones_stay()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(WarmBed.Batch(0, 1, (0, 1), (1, 2), (2, 3), (70, 7)));
        var batch = Deletion(1, 2, 1, 3, (2, 30));
        var first = await bed.ReceiveAsync(batch);
        Assert.Equal((ReceiveOutcome.Stored, new ShipReceipt(2, 1, 0, 2)), (first.Outcome, first.Receipt));
        Assert.Equal(ReceiveOutcome.AlreadyHeld, (await bed.ReceiveAsync(batch)).Outcome);
        for (var round = 0; round < 3; round++)
        {
            Assert.Equal("0=1 2=30 70=7", await bed.ReadAsync(0, 2));
            var ledger = bed.BalancedLedger();
            Assert.Equal((5, 0, 5, 3, 2), (ledger.Accepted, ledger.Superseded, ledger.Unique, ledger.Held, ledger.Deleted));
            Assert.Equal(3, bed.Hdd()!.Count);
            // Once as it is, once with the catalog made again from the files.
            await bed.RestartAsync(round == 0 ? null : () => File.Delete(bed.Options.IndexPath));
        }
        await bed.ReceiveAsync(WarmBed.Batch(2, 3, (1, 20), (2, 31)));
        Assert.Equal("0=1 1=20 2=31 70=7", await bed.ReadAsync(0, 3));
        Assert.Equal((1, 4, 2), (bed.BalancedLedger().Superseded, bed.BalancedLedger().Held, bed.BalancedLedger().Deleted));
    }

    [Fact]
    public async Task For_an_edge_out_of_service_the_gateway_deletes_on_its_disk_and_above_what_is_archived()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(WarmBed.Batch(0, 1, (0, 1), (1, 2), (2, 3)));
        await bed.Packer.PackAsync(long.MaxValue, default);
        await bed.ReceiveAsync(WarmBed.Batch(1, 2, (3, 4), (4, 5)));
        Assert.True(SeriesKey.TryParse(WarmBed.Series, out var series));
        var range = new TimeRange(WarmBed.Day.Start + 2 * Instant.Second, WarmBed.Day.Start + 4 * Instant.Second);

        Assert.Null(await bed.Store.DeleteAsync(series!, range, ["edge-2"], default));
        var reply = await bed.Store.DeleteAsync(series!, range, [WarmBed.Edge, "edge-2"], default);

        Assert.Equal((WarmBed.Edge, 1L), (Assert.Single(reply!.Edges), Assert.Single(reply.Deleted).Samples));
        var slice = Assert.Single((await bed.FetchAsync(1, 3)).Slices);
        Assert.Equal((1, range), (slice.Samples!.Count, Assert.Single(slice.Erased)));
        Assert.Equal((1, 1, 3), (bed.BalancedLedger().Held, bed.BalancedLedger().Deleted, bed.BalancedLedger().Released));
        await bed.Packer.PackAsync(long.MaxValue, default);
        Assert.Equal((WarmBed.Series, range), (Assert.Single(bed.Erased).Series, bed.Erased[0].Range));
        bed.BalancedLedger();
    }

    [Fact]
    public async Task Rollups_of_what_a_tombstone_touches_are_not_used()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(WarmBed.Batch(0, 1, [.. Enumerable.Range(0, 600).Select(i => (i, (double)i))]));
        await bed.ReceiveAsync(Deletion(1, 2, 60, 119));
        var result = await bed.FetchAsync(0, 2, raw: false, step: Instant.Minute);
        Assert.Equal([60, 1, 60, 60, 60, 60, 60, 60, 60, 60], Assert.Single(result.Slices).Rows!.Rows.ToArray().Select(row => row.Rollup.Count));
        Assert.Equal(119, result.Slices[0].Rows!.Rows[1].Rollup.Min);
    }

    [Fact]
    public async Task Above_older_layers_a_part_says_what_is_deleted_in_them()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(WarmBed.Batch(0, 1, (0, 1), (1, 2)));
        await bed.Packer.PackAsync(long.MaxValue, default);
        await bed.ReceiveAsync(Deletion(1, 2, 1, 5));
        var slice = Assert.Single((await bed.FetchAsync(1, 2)).Slices);
        Assert.Equal((0, new TimeRange(WarmBed.Day.Start + Instant.Second, WarmBed.Day.Start + 5 * Instant.Second)), (slice.Samples!.Count, Assert.Single(slice.Erased)));
        Assert.Equal(slice.Erased[0], bed.Hdd()!.Extent);
        Assert.Equal((2, 0, 2), (bed.BalancedLedger().Released, bed.BalancedLedger().Deleted, bed.BalancedLedger().Unique));

        await bed.Packer.PackAsync(long.MaxValue, default);
        Assert.Equal((WarmBed.Series, slice.Erased[0]), (Assert.Single(bed.Erased).Series, bed.Erased[0].Range));
        Assert.Null(bed.Hdd());
        bed.BalancedLedger();
    }

    [Fact]
    public async Task What_is_packed_is_without_what_was_deleted_and_leaves_no_tombstone_over_nothing()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(WarmBed.Batch(0, 1, (0, 1), (1, 2)));
        await bed.ReceiveAsync(Deletion(1, 2, 1, 5));
        await bed.Packer.PackAsync(long.MaxValue, default);
        Assert.Equal("0=1", WarmBed.Text(Assert.Single(bed.Archive).Value.Samples[WarmBed.Series]));
        Assert.Empty(bed.Erased);
        Assert.Equal((1, 1), (bed.BalancedLedger().Released, bed.BalancedLedger().Deleted));
    }

    [Fact]
    public async Task A_deletion_while_its_window_is_packed_becomes_a_layer_over_the_archive()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(WarmBed.Batch(0, 1, (0, 1), (1, 2), (2, 3)));
        bed.AfterPublish = async () =>
        {
            bed.AfterPublish = () => Task.CompletedTask;
            await bed.ReceiveAsync(Deletion(1, 2, 1, 5, (2, 30)));
            Assert.Equal(2, bed.BalancedLedger().Deleted);
        };
        await bed.Packer.PackAsync(long.MaxValue, default);
        var ledger = bed.BalancedLedger();
        Assert.Equal((4, 0, 1, 3, 0), (ledger.Accepted, ledger.Superseded, ledger.Held, ledger.Released, ledger.Deleted));
        Assert.Equal(1, bed.Hdd()!.Count);
        Assert.Single(Assert.Single((await bed.FetchAsync(1, 2)).Slices).Erased);
    }

    [Fact]
    public async Task A_tombstone_outside_of_its_window_or_flushes_is_refused()
    {
        await using var bed = await WarmBed.OpenAsync();
        var outside = new ShipBatch(WarmBed.Day, 0, 1, []) { Tombstones = [new(WarmBed.Series, null, "gauge", 1, new(WarmBed.Day.End - 1, WarmBed.Day.End + 1))] };
        Assert.Equal("bad_batch", (await bed.ReceiveAsync(outside)).Refusal!.Reason);
        var later = new ShipBatch(WarmBed.Day, 0, 1, []) { Tombstones = [new(WarmBed.Series, null, "gauge", 2, WarmBed.Day.Range)] };
        Assert.Contains("flush 2", (await bed.ReceiveAsync(later)).Refusal!.Detail, StringComparison.Ordinal);
    }

    private static ShipBatch Deletion(long after, long through, int from, int to, params (int Second, double Value)[] samples) =>
        WarmBed.Batch(after, through, samples) with
        {
            Tombstones = [new(WarmBed.Series, "Cel", "gauge", through, new(WarmBed.Day.Start + from * Instant.Second, WarmBed.Day.Start + to * Instant.Second))],
        };
}

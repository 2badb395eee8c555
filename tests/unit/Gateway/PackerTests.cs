using Foretier.Archive;
using Foretier.Core.Tiers;
using Foretier.Gateway.Receive;
using Foretier.Protocol;
using static Foretier.Tests.Unit.Gateway.WarmBed;

namespace Foretier.Tests.Unit.Gateway;

public class PackerTests
{
    [Fact]
    public async Task Packed_window_is_gone_here_and_held_by_the_archive()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 1, (1, 10), (2, 20)));
        await bed.ReceiveAsync(Batch(1, 2, (2, 21), (3, 30)));

        var moved = await bed.Packer.PackAsync(Day.Start + 1, default);

        Assert.Equal(new MoveResult(1, 3), moved);
        Assert.Equal("gone", await bed.ReadAsync(0, 2));
        Assert.False(File.Exists(bed.FileOf(0)));
        Assert.Equal("1=10 2=21 3=30", Text(Assert.Single(bed.Archive).Value.Samples[Series]));
        var holding = Assert.Single(bed.Catalog.View.Holdings);
        Assert.Equal((Tier.Archive, 0L, 2L, 3L), (holding.Tier, holding.After, holding.Through, holding.Count));
        var ledger = bed.BalancedLedger();
        Assert.Equal((4, 1, 0, 3), (ledger.Accepted, ledger.Superseded, ledger.Held, ledger.Released));

        await bed.RestartAsync();

        Assert.Equal(holding, Assert.Single(bed.Catalog.View.Holdings));
        Assert.Equal(2, Assert.Single(bed.Store.ProgressOf(Edge)).Through);
        Assert.Single(bed.Catalog.View.Series);
        bed.BalancedLedger();
    }

    [Fact]
    public async Task Only_windows_that_begin_before_the_time_move()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 1, (1, 10)));

        Assert.Equal(new MoveResult(0, 0), await bed.Packer.PackAsync(Day.Start, default));
        Assert.Equal("1=10", await bed.ReadAsync(0, 1));
    }

    [Fact]
    public async Task Late_batch_after_archiving_is_a_layer_of_its_own_and_moves_later()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 2, (1, 10), (2, 20)));
        await bed.Packer.PackAsync(long.MaxValue, default);

        Assert.Equal(ReceiveOutcome.AlreadyHeld, (await bed.ReceiveAsync(Batch(0, 2, (1, 10), (2, 20)))).Outcome);
        Assert.Equal(ReceiveOutcome.Gap, (await bed.ReceiveAsync(Batch(3, 4, (5, 50)))).Outcome);
        Assert.Equal(ReceiveOutcome.Stored, (await bed.ReceiveAsync(Batch(2, 4, (2, 21)))).Outcome);

        Assert.Equal((2L, 4L), (bed.Hdd()!.After, bed.Hdd()!.Through));
        Assert.Equal("2=21", await bed.ReadAsync(2, 4));
        Assert.Equal("gone", await bed.ReadAsync(0, 4));
        Assert.Equal((3, 1, 2), (bed.BalancedLedger().Unique, bed.BalancedLedger().Held, bed.BalancedLedger().Released));

        Assert.Equal(new MoveResult(1, 1), await bed.Packer.PackAsync(long.MaxValue, default));

        Assert.Equal([(0L, 2L), (2L, 4L)], bed.Catalog.View.Holdings.OrderBy(h => h.After).Select(h => (h.After, h.Through)));
        Assert.Equal((3, 0, 3), (bed.BalancedLedger().Unique, bed.BalancedLedger().Held, bed.BalancedLedger().Released));
    }

    [Fact]
    public async Task Batch_that_comes_while_its_window_is_packed_stays_behind()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 1, (1, 10), (2, 20)));
        bed.BeforePublish = () => bed.ReceiveAsync(Batch(1, 2, (2, 21), (3, 30)));

        var moved = await bed.Packer.PackAsync(long.MaxValue, default);

        Assert.Equal(new MoveResult(1, 2), moved);
        Assert.Equal("1=10 2=20", Text(Assert.Single(bed.Archive).Value.Samples[Series]));
        Assert.Equal("2=21 3=30", await bed.ReadAsync(1, 2));
        Assert.Equal((1L, 2L, 2L), (bed.Hdd()!.After, bed.Hdd()!.Through, bed.Hdd()!.Count));
        Assert.False(File.Exists(bed.FileOf(0)));
        var ledger = bed.BalancedLedger();
        Assert.Equal((4, 0, 2, 2), (ledger.Accepted, ledger.Superseded, ledger.Held, ledger.Released));

        await bed.RestartAsync();
        Assert.Equal("2=21 3=30", await bed.ReadAsync(1, 2));
        bed.BalancedLedger();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Crash_before_the_commit_leaves_the_window_here_and_the_same_flushes_are_packed_again(bool isPublished)
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 1, (1, 10), (2, 20)));
        Func<Task> fail = () => throw new IOException("archive went away");
        (bed.BeforePublish, bed.AfterPublish) = isPublished ? (bed.BeforePublish, fail) : (fail, bed.AfterPublish);

        await Assert.ThrowsAsync<IOException>(() => bed.Packer.PackAsync(long.MaxValue, default));
        (bed.BeforePublish, bed.AfterPublish) = (() => Task.CompletedTask, () => Task.CompletedTask);
        await bed.RestartAsync();
        Assert.Equal("1=10 2=20", await bed.ReadAsync(0, 1));
        Assert.Equal(2, bed.BalancedLedger().Held);
        await bed.ReceiveAsync(Batch(1, 2, (3, 30)));
        Assert.Equal("1=10 2=20 3=30", await bed.ReadAsync(0, 2));

        Assert.Equal(new MoveResult(2, 3), await bed.Packer.PackAsync(long.MaxValue, default));

        Assert.Equal([(0L, 1L), (1L, 2L)], bed.Archive.Keys.Select(k => k.After).Order().Zip(bed.Archive.Values.Select(a => a.Holding.Through).Order()));
        Assert.Equal((0, 3), (bed.BalancedLedger().Held, bed.BalancedLedger().Released));
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(bed.FileOf(0))!));
    }

    [Fact]
    public async Task Crash_after_the_commit_leaves_a_file_that_the_next_start_deletes()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 1, (1, 10)));
        var copy = await File.ReadAllBytesAsync(bed.FileOf(0));
        await bed.Packer.PackAsync(long.MaxValue, default);

        await bed.RestartAsync(() => File.WriteAllBytes(bed.FileOf(0), copy));

        Assert.False(File.Exists(bed.FileOf(0)));
        Assert.Equal("gone", await bed.ReadAsync(0, 1));
        Assert.Equal((0, 1), (bed.BalancedLedger().Held, bed.BalancedLedger().Released));
    }

    [Fact]
    public async Task Several_series_and_edges_move_each_as_its_own()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(new(Day, 0, 1, [Shipped("acme/b/z", 1, (1, 1)), Shipped("acme/b/a", 1, (2, 2))]));
        await bed.ReceiveAsync(Batch(0, 7, (1, 7)), "edge-2");

        Assert.Equal(new MoveResult(2, 3), await bed.Packer.PackAsync(long.MaxValue, default));

        Assert.Equal(["acme/b/a", "acme/b/z"], bed.Archive.Values.Single(a => a.Holding.Edge == Edge).Samples.Keys);
        Assert.Equal("1=7", Text(bed.Archive.Values.Single(a => a.Holding.Edge == "edge-2").Samples[Series]));
    }

    [Fact]
    public async Task Archive_that_counts_otherwise_is_not_believed()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 1, (1, 10)));
        using var packer = new Foretier.Gateway.Pack.Packer(bed.Store, (pack, _) => Task.FromResult(
            new Holding(pack.Edge, pack.Window, "archive", Tier.Archive, pack.After, pack.Through, pack.Window.Range, 1, 1)),
            Microsoft.Extensions.Logging.Abstractions.NullLogger<Foretier.Gateway.Pack.Packer>.Instance);

        await Assert.ThrowsAsync<InvalidOperationException>(() => packer.PackAsync(long.MaxValue, default));

        Assert.Equal("1=10", await bed.ReadAsync(0, 1));
    }
}

using Foretier.Gateway.Receive;
using static Foretier.Tests.Unit.Gateway.WarmBed;

namespace Foretier.Tests.Unit.Gateway;

public class WarmRecoveryTests
{
    /// <summary>Closes the store, goes back to an earlier catalog, and opens it: a crash between the append and the commit.</summary>
    private static async Task CrashBeforeCommitAsync(WarmBed bed, Func<Task> append, Action? tamper = null)
    {
        await bed.RestartAsync(() => File.Copy(bed.Options.IndexPath, bed.Options.IndexPath + ".before"));
        await append();
        await bed.RestartAsync(() =>
        {
            File.Move(bed.Options.IndexPath + ".before", bed.Options.IndexPath, overwrite: true);
            File.Delete(bed.Options.IndexPath + "-wal");
            File.Delete(bed.Options.IndexPath + "-shm");
            tamper?.Invoke();
        });
    }

    [Fact]
    public async Task Batch_appended_whole_before_a_crash_is_held_once()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 1, (1, 10), (2, 20)));
        var second = Batch(1, 2, (2, 21), (3, 30));

        await CrashBeforeCommitAsync(bed, () => bed.ReceiveAsync(second));
        var again = await bed.ReceiveAsync(second);

        Assert.Equal(ReceiveOutcome.AlreadyHeld, again.Outcome);
        Assert.Equal("1=10 2=21 3=30", await bed.ReadAsync(0, 2));
        var ledger = bed.BalancedLedger();
        Assert.Equal((4, 1, 3), (ledger.Received, ledger.Superseded, ledger.Held));
    }

    [Fact]
    public async Task Batch_torn_at_any_byte_is_cut_off_and_taken_when_it_is_sent_again()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 1, (1, 10), (2, 20)));
        var committed = new FileInfo(bed.FileOf(0)).Length;
        var through = 1;
        for (var torn = committed + 1; ; torn += 13)
        {
            var next = Batch(through, through + 1, (through + 5, through));
            var isTorn = false;
            await CrashBeforeCommitAsync(bed, () => bed.ReceiveAsync(next), () =>
            {
                using var file = File.OpenWrite(bed.FileOf(0));
                isTorn = torn < file.Length;
                file.SetLength(Math.Min(torn, file.Length));
            });
            if (!isTorn)
            {
                Assert.True(through > 3, "tore too little");
                return;
            }
            Assert.Equal(committed, new FileInfo(bed.FileOf(0)).Length);
            Assert.Equal(ReceiveOutcome.Stored, (await bed.ReceiveAsync(next)).Outcome);
            through++;
            Assert.Equal(through + 1, bed.BalancedLedger().Held);
            torn += new FileInfo(bed.FileOf(0)).Length - committed;
            committed = new FileInfo(bed.FileOf(0)).Length;
        }
    }

    [Fact]
    public async Task First_batch_of_a_window_torn_leaves_nothing()
    {
        await using var bed = await WarmBed.OpenAsync();

        await CrashBeforeCommitAsync(bed, () => bed.ReceiveAsync(Batch(0, 1, (1, 10))), () =>
        {
            using var file = File.OpenWrite(bed.FileOf(0));
            file.SetLength(file.Length - 1);
        });

        Assert.False(File.Exists(bed.FileOf(0)));
        Assert.Equal("gone", await bed.ReadAsync(0, 1));
        Assert.Equal(0, bed.BalancedLedger().Received);
        Assert.Equal(ReceiveOutcome.Stored, (await bed.ReceiveAsync(Batch(0, 1, (1, 10)))).Outcome);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Catalog_lost_or_damaged_is_made_again_from_the_files(bool isDamaged)
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 1, (1, 10), (2, 20), (3, 30)));
        await bed.ReceiveAsync(Batch(1, 3, (2, 21)));
        await bed.ReceiveAsync(new(Day, 0, 4, [Shipped(Series, 1, (1, 10)), Shipped(Series, 4, (9, 90))]));
        await bed.ReceiveAsync(Batch(0, 1, (5, 50)), "edge-2");
        var (holding, series, ledger) = (bed.Hdd(), bed.Catalog.View.Series, bed.BalancedLedger());

        await bed.RestartAsync(() =>
        {
            File.Delete(bed.Options.IndexPath + "-wal");
            File.Delete(bed.Options.IndexPath + "-shm");
            if (isDamaged)
            {
                File.WriteAllText(bed.Options.IndexPath, "this is no database at all, and long enough to be looked at as one of them by SQLite; it says so when opened");
            }
            else
            {
                File.Delete(bed.Options.IndexPath);
            }
        });

        Assert.Equal(holding, bed.Hdd());
        Assert.Equal(series.OrderBy(s => s.Edge), bed.Catalog.View.Series.OrderBy(s => s.Edge));
        Assert.Equal("1=10 2=21 3=30 9=90", await bed.ReadAsync(0, 4));
        Assert.Equal("5=50", await bed.ReadAsync(0, 1, "edge-2"));
        var rebuilt = bed.BalancedLedger();
        Assert.Equal((ledger.Received, ledger.Accepted, ledger.Superseded, ledger.Held), (rebuilt.Received, rebuilt.Accepted, rebuilt.Superseded, rebuilt.Held));
    }

    [Fact]
    public async Task Catalog_made_again_knows_what_the_archive_has()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 1, (1, 10), (2, 20)));
        await bed.Packer.PackAsync(long.MaxValue, default);
        await bed.ReceiveAsync(Batch(1, 2, (3, 30)));

        await bed.RestartAsync(() => File.Delete(bed.Options.IndexPath));

        Assert.Equal(2, bed.Catalog.View.Holdings.Count);
        Assert.Equal((1L, 2L), (bed.Hdd()!.After, bed.Hdd()!.Through));
        var ledger = bed.BalancedLedger();
        Assert.Equal((3, 1, 2), (ledger.Unique, ledger.Held, ledger.Released));
    }

    [Fact]
    public async Task Damage_inside_a_file_stops_the_rebuild_there_and_keeps_a_copy()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 1, (1, 10)));
        var end = new FileInfo(bed.FileOf(0)).Length;
        await bed.ReceiveAsync(Batch(1, 2, (2, 20)));
        await bed.ReceiveAsync(Batch(2, 3, (3, 30)));
        var whole = new FileInfo(bed.FileOf(0)).Length;

        await bed.RestartAsync(() =>
        {
            File.Delete(bed.Options.IndexPath);
            var bytes = File.ReadAllBytes(bed.FileOf(0));
            bytes[end + 60] ^= 4;
            File.WriteAllBytes(bed.FileOf(0), bytes);
        });

        Assert.Equal("1=10", await bed.ReadAsync(0, 1));
        Assert.Equal("gone", await bed.ReadAsync(0, 2));
        Assert.Equal(whole, new FileInfo(bed.FileOf(0) + ".cut").Length);
        bed.BalancedLedger();
    }
}

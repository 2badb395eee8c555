using Foretier.Gateway.Receive;
using Foretier.Gateway.Warm;
using Microsoft.Extensions.Logging.Abstractions;
using static Foretier.Tests.Unit.Gateway.WarmBed;

namespace Foretier.Tests.Unit.Gateway;

public class WarmScrubTests
{
    private static Task<(long Batches, long Damaged)> ScrubAsync(WarmBed bed) => bed.Store.ScrubAsync((_, _) => Task.CompletedTask, default);

    [Fact]
    public async Task A_byte_that_flipped_on_the_disk_is_found_named_and_made_good_by_the_edge()
    {
        await using var bed = await OpenAsync();
        await bed.ReceiveAsync(Batch(0, 1, (1, 10), (2, 20)));
        await bed.ReceiveAsync(Batch(1, 2, (2, 21), (3, 30)));
        var (read, ledger) = (await bed.ReadAsync(0, 2), bed.BalancedLedger());
        Assert.Equal((2L, 0L), await ScrubAsync(bed));
        Assert.Null(bed.Store.DamagedAfter(Edge, Day));

        Flip(bed.FileOf(0));
        Assert.Equal((2L, 1L), await ScrubAsync(bed));
        Assert.Contains("has no whole batch at byte 0", Assert.Single(bed.Store.Problems), StringComparison.Ordinal);
        Assert.Equal((3L, 0L), (bed.BalancedLedger().Lost, bed.BalancedLedger().Held));
        Assert.Equal(0, bed.Store.DamagedAfter(Edge, Day));

        Assert.Null(await bed.Store.ForgetDamagedAsync(Edge, Day, 1, default));
        Assert.Equal(0, await bed.Store.ForgetDamagedAsync(Edge, Day, 0, default));
        Assert.Equal(ReceiveOutcome.Stored, (await bed.ReceiveAsync(Batch(0, 1, (1, 10), (2, 20)))).Outcome);
        Assert.Equal(ReceiveOutcome.Stored, (await bed.ReceiveAsync(Batch(1, 2, (2, 21), (3, 30)))).Outcome);
        Assert.Equal(read, await bed.ReadAsync(0, 2));
        Assert.Empty(bed.Store.Problems);
        Assert.Equal(ledger.ToString(), bed.BalancedLedger().ToString());
        Assert.Null(await bed.Store.ForgetDamagedAsync(Edge, Day, 0, default));
    }

    [Fact]
    public async Task A_file_that_is_missing_at_the_start_is_named_and_counted_as_lost()
    {
        await using var bed = await OpenAsync();
        await bed.ReceiveAsync(Batch(0, 1, (1, 10), (2, 20)));
        await bed.RestartAsync(() => File.Delete(bed.FileOf(0)));
        Assert.Contains("is missing", Assert.Single(bed.Store.Problems), StringComparison.Ordinal);
        Assert.Equal(2, bed.BalancedLedger().Lost);
        Assert.Equal(0, await bed.Store.ForgetDamagedAsync(Edge, Day, 0, default));
        await bed.ReceiveAsync(Batch(0, 1, (1, 10), (2, 20)));
        Assert.Equal("1=10 2=20", await bed.ReadAsync(0, 1));
        Assert.Equal((0L, 2L), (bed.BalancedLedger().Lost, bed.BalancedLedger().Held));
    }

    [Fact]
    public async Task Beyond_its_share_of_the_disk_batches_are_refused_until_there_is_room()
    {
        var folder = Directory.CreateTempSubdirectory("warm").FullName;
        await using (var store = await WarmStore.OpenAsync(new("gateway-1", folder) { BytesMax = 100 }, new(), TimeProvider.System, NullLogger<WarmStore>.Instance, null, default))
        {
            var bytes = Batch(0, 1, (1, 10), (2, 20)).ToBytes();
            Assert.True(bytes.Length > 100);
            Assert.Contains("BytesMax", (await Assert.ThrowsAsync<IOException>(() => store.ReceiveAsync(Edge, Day, 0, 1, bytes, null, default))).Message, StringComparison.Ordinal);
            Assert.Equal((0L, 0L), (store.CountLedger().Received, store.HeldBytes));
        }
        Directory.Delete(folder, recursive: true);
    }

    private static void Flip(string path)
    {
        var bytes = File.ReadAllBytes(path);
        bytes[WarmFrame.HeaderBytes + 40] ^= 4;
        File.WriteAllBytes(path, bytes);
    }
}

using Foretier.Agent.Hot;
using Foretier.Core.Query;
using Foretier.Core.Tiers;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Unit.Hot;

/// <summary>The same store on the real file system.</summary>
public sealed class FileDiskTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-hot-").FullName;

    private HotOptions Options => new() { Directory = _folder, JournalFileBytes = 1024 * 1024, JournalFiles = 2, CommitInterval = TimeSpan.Zero };

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private Task<HotStore> OpenAsync() =>
        HotStore.OpenAsync(Options, new Catalog(), TimeProvider.System, NullLogger<HotStore>.Instance, CancellationToken.None);

    [Fact]
    public async Task A_second_instance_gets_a_plain_error()
    {
        await using (await OpenAsync())
        {
            var error = await Assert.ThrowsAsync<HotStoreUnavailableException>(OpenAsync);
            Assert.Equal("folder_in_use", error.Reason);
            Assert.Contains(_folder, error.Message, StringComparison.Ordinal);
        }
        await using var again = await OpenAsync();
    }

    [Fact]
    public async Task Samples_survive_in_files_with_and_without_an_orderly_end()
    {
        var store = await OpenAsync();
        var series = store.Resolve("acme", "boiler", "t", "Cel", false);
        for (var i = 0; i < 200; i++)
        {
            await store.WaitDurableAsync(store.Append([new(series, HotBench.Day + i, i, null)]), CancellationToken.None);
            if (i % 50 == 20)
            {
                await store.FlushAllAsync(CancellationToken.None);
            }
            if (i == 100)
            {
                await store.AbandonAsync();
                store = await OpenAsync();
            }
            if (i == 150)
            {
                await store.DisposeAsync();
                store = await OpenAsync();
            }
        }
        var window = Core.Partitions.Window.DayOf(HotBench.Day);
        var result = await store.FetchAsync(new(["acme/boiler/t"], [new("edge-1", window, 0, Holding.Latest, window.Range)], true, 0, 0), CancellationToken.None);
        Assert.Equal(Enumerable.Range(0, 200).Select(i => (double)i), result.Slices.Single().Samples!.Values.ToArray());
        Assert.Equal([Tier.Memory, Tier.Ssd], result.Uses.Select(use => use.Tier));
        Assert.True(store.Ledger.Balanced);
        Assert.Equal(200, store.Ledger.Held);
        await store.DisposeAsync();
    }

    [Fact]
    public void Reserved_space_does_not_change_a_files_length()
    {
        using var disk = new FileDisk(_folder);
        using var file = disk.Create("x", 1024 * 1024);
        Assert.Equal(0, file.Length);
        file.Write("abc"u8, 5);
        file.Sync();
        Assert.Equal(8, file.Length);
        var bytes = new byte[10];
        Assert.Equal(3, file.Read(bytes, 5));
    }
}

using Foretier.Core.Partitions;
using Foretier.Node.Map;
using Foretier.Router.Map;
using Foretier.Tests.Map;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Unit.Map;

public sealed class SqliteMapStoreTests : PartitionMapStoreContract, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-store-").FullName;

    private string File => Path.Combine(_folder, "map.db");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(0)]
    [InlineData(4_096)]
    public async Task Damaged_file_is_kept_aside_and_begun_anew(int at)
    {
        await using (var store = await OpenAsync())
        {
            await store.PutAsync("edge-1", PartitionMapUpdate.Whole(First), CancellationToken.None);
        }
        var bytes = await System.IO.File.ReadAllBytesAsync(File);
        bytes.AsSpan(at, 200).Fill(0xAA);
        await System.IO.File.WriteAllBytesAsync(File, bytes);
        await using var again = await OpenAsync();
        Assert.True(System.IO.File.Exists(File + ".damaged"));
        Assert.Empty(again.Current.Entries);
        Assert.Equal(MapPut.Stored, await again.PutAsync("edge-1", PartitionMapUpdate.Whole(First), CancellationToken.None));
    }

    protected override Task<PartitionMapStore> OpenAsync() => Task.FromResult<PartitionMapStore>(SqliteMapStore.Open(File, NullLogger<SqliteMapStore>.Instance));
}

using Foretier.Agent.Hot;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Unit.Hot;

public sealed class DeclareTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-declare-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_declared_kind_and_unit_stand_against_payloads_and_survive_a_restart(bool isKilled)
    {
        var series = SeriesKey.Parse("acme/d/energy");
        var store = await OpenAsync(new());
        store.Resolve("acme", "d", "energy", null, isState: false);
        Assert.Null(store.Declare(SeriesKey.Parse("acme/d/other"), "Wh", "counter"));
        var declared = store.Declare(series, "Wh", "counter")!.Value;
        await store.WaitDurableAsync(declared.Ticket, CancellationToken.None);
        store.Resolve("acme", "d", "energy", "J", isState: false);
        await (isKilled ? store.AbandonAsync() : store.DisposeAsync().AsTask());
        var catalog = new Catalog();
        store = await OpenAsync(catalog);
        Assert.Equal(("Wh", "counter"), (Assert.Single(catalog.View.Series).Unit, catalog.View.Series[0].Kind));
        Assert.Equal((null, "counter"), (store.Declare(series, "", null)!.Value.Unit, store.Declare(series, null, null)!.Value.Kind));
        await store.DisposeAsync();
    }

    private Task<HotStore> OpenAsync(Catalog catalog) => HotStore.OpenAsync(
        new HotOptions { Directory = _folder, JournalFileBytes = 1024 * 1024, JournalFiles = 2, ReserveBytes = 0 },
        catalog, TimeProvider.System, NullLogger<HotStore>.Instance, CancellationToken.None);
}

using Foretier.Core.Tiers;

namespace Foretier.Tests.Unit.Query;

public sealed class CatalogSeriesTests
{
    [Fact]
    public void What_an_archive_remembers_of_a_series_does_not_go_before_what_its_edge_says()
    {
        var (declared, former) = (new SeriesInfo("acme/d/m", "edge-1", "Cel", "counter"), new SeriesInfo("acme/d/m", "edge-1", null, "gauge"));
        var catalog = new Catalog();
        catalog.Apply(new(1, true, [former], [], []), _ => false, isOld: true);
        Assert.Equal(former, Assert.Single(catalog.View.Series));
        catalog.Put(declared);
        Assert.Equal(declared, Assert.Single(catalog.View.Series));
        catalog.Apply(new(2, true, [former], [], []), _ => false, isOld: true);
        Assert.Equal(declared, Assert.Single(catalog.View.Series));
    }
}

using Foretier.Core.Tiers;

namespace Foretier.Tests.Unit.Query;

public sealed class CatalogSeriesTests
{
    [Fact]
    public void What_many_series_say_alike_is_kept_once()
    {
        static string New(string text) => new(text.AsSpan());
        var catalog = new Catalog();
        catalog.Put(new SeriesInfo("acme/a/m", New("edge-1"), New("Cel"), New("gauge")));
        catalog.Put(new SeriesInfo("acme/b/m", New("edge-1"), New("Cel"), New("gauge")));
        catalog.Put(new SeriesInfo("acme/c/m", New("edge-1"), null, New("gauge")));
        var all = catalog.View.Series;
        Assert.Single(all.Select(series => series.Edge).Distinct(ReferenceEqualityComparer.Instance));
        Assert.Single(all.Select(series => series.Kind).Distinct(ReferenceEqualityComparer.Instance));
        Assert.Single(all.Select(series => series.Unit).Where(unit => unit is not null).Distinct(ReferenceEqualityComparer.Instance));
    }

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

using CsCheck;
using Foretier.Predict.Volume;

namespace Foretier.Tests.Unit.Predict;

public class QuantileTests
{
    [Fact]
    public void Selecting_gives_what_sorting_gives() => Gen.Int[-20, 20].Array[1, 700].Select(Gen.Double[0, 1]).Sample((values, p) =>
    {
        var selected = Quantile.Select(Array.ConvertAll(values, value => (float)value), (float)p);
        Assert.Equal(Quantile.Of(Array.ConvertAll(values, value => (double)value), (float)p, 1), selected, 1e-3);
    });
}

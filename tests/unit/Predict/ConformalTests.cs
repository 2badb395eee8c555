using Foretier.Predict.Volume;

namespace Foretier.Tests.Unit.Predict;

public class ConformalTests
{
    [Theory]
    [InlineData(0.2)]
    [InlineData(1)]
    [InlineData(5)]
    public void Share_within_tends_to_nine_of_ten_however_wrong_the_band_was(double width)
    {
        var random = new Random(5);
        var conformal = new Conformal(0.1f);
        int within = 0, all = 0;
        for (var hour = 0; hour < 12_000; hour++)
        {
            // Exponential with mean 10: nine tenths lie below 23.
            var count = -10 * Math.Log(1 - random.NextDouble());
            var high = 5 + conformal.Stretch(5, (float)(18 * width));
            conformal.Learn(count > high);
            if (hour > 3_000)
            {
                within += count <= high ? 1 : 0;
                all++;
            }
        }
        Assert.InRange((double)within / all, 0.88, 0.92);
    }

    [Fact]
    public void Stretch_has_bounds()
    {
        var conformal = new Conformal(0.1f);
        for (var hour = 0; hour < 100_000; hour++)
        {
            conformal.Learn(true);
        }
        Assert.Equal(8, conformal.Factor);
        for (var hour = 0; hour < 100_000; hour++)
        {
            conformal.Learn(false);
        }
        Assert.Equal(0.1f, conformal.Factor);
    }
}

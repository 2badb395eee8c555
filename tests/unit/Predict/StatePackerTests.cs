using CsCheck;
using Foretier.Core.Samples;
using Foretier.Predict.Volume;

namespace Foretier.Tests.Unit.Predict;

public class StatePackerTests
{
    [Fact]
    public void What_was_packed_comes_out_as_it_was()
    {
        Gen.Byte.Array[0, 9_000].Sample(bytes =>
        {
            var packer = new StatePacker();
            // Its buffers are used again: what was packed or unpacked before does not show.
            var other = packer.Pack(writer => writer.Write("something else"));
            var packed = packer.Pack(writer => writer.Write(bytes));
            Assert.Equal("something else", packer.Unpack(other, reader => reader.ReadString()));
            Assert.Equal(bytes, packer.Unpack(packed, reader => reader.ReadBytes(bytes.Length + 1)));
        }, iter: 200);
    }

    [Fact]
    public void Bytes_that_were_never_packed_are_refused()
    {
        var packer = new StatePacker();
        Assert.Throws<InvalidDataException>(() => packer.Unpack([1, 2, 3, 4, 5, 6, 7, 8], reader => reader.ReadByte()));
        Assert.Throws<InvalidDataException>(() => packer.Unpack([], reader => reader.ReadByte()));
    }

    [Fact]
    public void A_forecast_is_kept_to_four_digits_and_a_steady_one_in_few_bytes()
    {
        var shelf = new ForecastShelf();
        var history = new VolumeHistory();
        history.Fill("a", Days.Monday, Days.Monday + 28 * Instant.Day, time => time.Hour * 100);
        var forecast = history.ForecastOf("a", Days.Monday + 28 * Instant.Day, 48);
        shelf.Put("a", forecast);
        var kept = shelf.Find("a")!;
        Assert.Equal((forecast.Start, 48, 0), (kept.Start, shelf.HoursOf("a"), shelf.HoursOf("b")));
        Assert.Equal(forecast.Mean, kept.Mean);
        Assert.Equal(forecast.DayErrors.Length, kept.DayErrors.Length);
        Assert.All(forecast.P90.Zip(kept.P90), both => Assert.Equal(both.First, both.Second, both.First * 2e-4));
        Assert.Equal(forecast.Mean.Take(24).Average(), shelf.Hourly("a"), 3);
        shelf.Keep(series => series != "a");
        Assert.Null(shelf.Find("a"));
    }
}

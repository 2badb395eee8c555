using Foretier.Core.Samples;

namespace Foretier.Tests.Unit;

public class InstantTests
{
    [Theory]
    [InlineData("1489017377", 1489017377000000)]
    [InlineData("1489017377123", 1489017377123000)]
    [InlineData("1489017377123456", 1489017377123456)]
    [InlineData("1489017377123456789", 1489017377123456)]
    [InlineData("1489017377.5", 1489017377500000)]
    [InlineData("2017-03-08T23:56:17Z", 1489017377000000)]
    [InlineData("2017-03-09T00:56:17+01:00", 1489017377000000)]
    [InlineData("2017-03-09", 1489017600000000)]
    public void Time_is_told_by_magnitude_or_read_as_rfc_3339(string text, long micros)
    {
        Assert.True(Instant.TryParse(text, out var parsed));
        Assert.Equal(micros, parsed);
    }

    [Theory]
    [InlineData("yesterday")]
    [InlineData("")]
    [InlineData("2017-03-09T00:56:17")]
    [InlineData("NaN")]
    public void Text_that_is_no_time_is_refused(string text) => Assert.False(Instant.TryParse(text, out _));
}

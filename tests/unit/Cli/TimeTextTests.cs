using Foretier.Cli;
using Foretier.Core.Samples;

namespace Foretier.Tests.Unit.Cli;

public sealed class TimeTextTests
{
    private const long Now = 1_700_000_000 * Instant.Second;

    [Theory]
    [InlineData("now", 0)]
    [InlineData("-1h", -3600)]
    [InlineData("now-90s", -90)]
    [InlineData("+2d", 172_800)]
    public void Times_are_relative_to_now(string text, long seconds)
    {
        Assert.True(TimeText.TryParse(text, Now, out var micros));
        Assert.Equal(Now + seconds * Instant.Second, micros);
    }

    [Theory]
    [InlineData("2017-03-08T23:56:17Z")]
    [InlineData("1489017377")]
    [InlineData("1489017377000")]
    public void Absolute_times_are_read_as_everywhere(string text)
    {
        Assert.True(TimeText.TryParse(text, Now, out var micros));
        Assert.Equal(1489017377 * Instant.Second, micros);
    }

    [Theory]
    [InlineData("nowish")]
    [InlineData("-1 fortnight")]
    [InlineData("tomorrow")]
    [InlineData("")]
    public void Anything_else_is_refused(string text) => Assert.False(TimeText.TryParse(text, Now, out _));
}

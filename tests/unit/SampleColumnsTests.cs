using Foretier.Core.Samples;

namespace Foretier.Tests.Unit;

public class SampleColumnsTests
{
    [Fact]
    public void Arrays_of_another_are_read_in_place_and_never_written()
    {
        long[] times = [1, 2, 3, 4, 0, 0];
        double[] values = [10, 20, 30, 40, 0, 0];
        string?[] states = [null, "on", null, null, null, null];
        SampleColumns Over(int count) => SampleColumns.Over(times, values, states, count);

        Assert.Equal([1, 2, 3], Over(3).Times);
        Assert.Equal("on", Over(3).StateAt(1));

        var added = Over(3);
        added.Add(9, 90);
        Assert.Equal([1, 2, 3, 9], added.Times);
        Assert.Equal<string?[]>([null, "on", null, null], added.States.ToArray());

        var filled = Over(3);
        filled.Append(2, out var newTimes, out _);
        newTimes.Fill(7);
        Assert.Equal([1, 2, 3, 7, 7], filled.Times);

        var changed = Over(3);
        changed.SetState(0, "off");
        Assert.Equal("off", changed.StateAt(0));

        var cleared = Over(3);
        cleared.Clear();
        cleared.Add(5, 50, "up");
        Assert.Equal([5], cleared.Times);

        Assert.Equal([1, 2, 3, 4, 0, 0], times);
        Assert.Equal([10, 20, 30, 40, 0, 0], values);
        Assert.Equal<string?[]>([null, "on", null, null, null, null], states);
    }
}

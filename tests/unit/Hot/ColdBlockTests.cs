using Foretier.Agent.Hot;
using Foretier.Core.Samples;
using Foretier.Core.Segments;

namespace Foretier.Tests.Unit.Hot;

public class ColdBlockTests
{
    [Fact]
    public void A_sealed_block_of_states_is_compressed_and_has_the_same_samples()
    {
        var samples = new SampleColumns();
        for (var i = 0; i < 500; i++)
        {
            samples.Add(i * Instant.Second, 0, $"valve {i % 100} of line {i % 100 / 10} closed by its timer");
        }
        var block = Of(samples);
        var cold = HotStore.Cold(block);
        Assert.True(cold.Segment.Length < block.Segment.Length / 2, $"{cold.Segment.Length} of {block.Segment.Length} bytes");
        Assert.Equal((block.Key, block.Count, block.EndTime), (cold.Key, cold.Count, cold.EndTime));
        var read = new SampleColumns();
        Segment.Open(cold.Segment).Decode(read);
        Assert.Equal(samples.States.ToArray(), read.States.ToArray());
        Assert.Equal(samples.Times.ToArray(), read.Times.ToArray());
    }

    [Fact]
    public void One_that_is_packed_well_already_stays_as_it_is()
    {
        var (samples, random) = (new SampleColumns(), new Random(3));
        for (var i = 0; i < 500; i++)
        {
            samples.Add(i * Instant.Second + random.Next(1000), random.NextDouble());
        }
        var block = Of(samples);
        Assert.Same(block, HotStore.Cold(block));
    }

    private static StoredBlock Of(SampleColumns samples) =>
        new(StoredBlock.KeyOf(1, 0), samples.LastTime, samples.Count, 1, Segment.Encode(samples).Bytes.ToArray(), null);
}

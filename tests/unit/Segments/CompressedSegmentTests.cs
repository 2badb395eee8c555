using System.Buffers.Binary;
using CsCheck;
using Foretier.Core.Samples;
using Foretier.Core.Segments;

namespace Foretier.Tests.Unit.Segments;

public class CompressedSegmentTests
{
    [Fact]
    public void A_cold_segment_comes_back_with_its_summary_and_is_never_longer() => SegmentGen.Samples.Sample(samples =>
    {
        var plain = Segment.Encode(samples);
        var cold = Segment.Open(plain.Compressed().Bytes);
        var read = new SampleColumns();
        cold.Decode(read);
        return cold.Bytes.Length <= plain.Bytes.Length && SegmentAssert.Same(samples, read) && SegmentAssert.Same(plain.Summary, cold.Summary);
    }, iter: 300);

    [Fact]
    public void What_repeats_over_long_gets_shorter()
    {
        var plain = Segment.Encode(Repetitive());
        Assert.InRange(plain.Compressed().Bytes.Length, 1, plain.Bytes.Length / 2);
    }

    [Fact]
    public void A_cut_or_a_flipped_bit_is_found()
    {
        var bytes = Segment.Encode(Repetitive()).Compressed().Bytes.ToArray();
        for (var length = 0; length < bytes.Length; length += 7)
        {
            Assert.Throws<SegmentFormatException>(() => Segment.Open(bytes.AsMemory(0, length)));
        }
        for (var bit = 0; bit < bytes.Length * 8; bit += 13)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<SegmentFormatException>(() => Segment.Open(bytes));
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void A_frame_changed_under_a_right_checksum_is_refused_or_read_within_bounds()
    {
        var whole = Segment.Encode(Repetitive()).Compressed().Bytes.ToArray();
        Gen.Select(Gen.Int[3, whole.Length - 5], Gen.Byte).Sample((at, value) =>
        {
            var bytes = (byte[])whole.Clone();
            bytes[at] = value;
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(bytes.Length - 4), Crc32C.Compute(bytes.AsSpan(0, bytes.Length - 4)));
            try
            {
                var read = new SampleColumns();
                var segment = Segment.Open(bytes);
                segment.Decode(read);
                Assert.Equal(segment.Count, read.Count);
            }
            catch (SegmentFormatException)
            {
            }
        }, iter: 1000);
    }

    private static SampleColumns Repetitive()
    {
        var samples = new SampleColumns();
        for (var i = 0; i < 20_000; i++)
        {
            samples.Add(i * 1_000_000L + i % 97 * 1_000, Math.Sqrt(i % 89));
        }
        return samples;
    }
}

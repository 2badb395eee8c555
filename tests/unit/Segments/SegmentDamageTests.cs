using System.Buffers.Binary;
using CsCheck;
using Foretier.Core.Samples;
using Foretier.Core.Segments;

namespace Foretier.Tests.Unit.Segments;

public class SegmentDamageTests
{
    [Fact]
    public void A_segment_cut_off_at_any_byte_is_refused() => SegmentGen.Samples.Sample(samples =>
    {
        var bytes = Segment.Encode(samples).Bytes;
        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.Throws<SegmentFormatException>(() => Segment.Open(bytes[..length]));
        }
    }, iter: 20);

    [Fact]
    public void Any_flipped_bit_is_found() => SegmentGen.Samples.Sample(samples =>
    {
        var bytes = Segment.Encode(samples).Bytes.ToArray();
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<SegmentFormatException>(() => Segment.Open(bytes));
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }, iter: 10);

    [Fact]
    public void A_version_that_is_not_known_is_named()
    {
        var bytes = Segment.Encode(SegmentGen.Build(0, [1], [1], null)).Bytes.ToArray();
        bytes[1] = 77;
        var refusal = Assert.Throws<SegmentFormatException>(() => Segment.Open(bytes));
        Assert.Contains("version 77", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Other_bytes_are_said_to_be_no_segment()
    {
        var refusal = Assert.Throws<SegmentFormatException>(() => Segment.Open("PAR1 and then some more"u8.ToArray()));
        Assert.Contains("not a segment", refusal.Message, StringComparison.Ordinal);
    }

    /// <summary>Worse than chance damage: bytes that were changed and sealed again, as by a faulty writer.</summary>
    [Fact]
    public void Bytes_changed_under_a_right_checksum_are_refused_or_read_within_bounds() =>
        Gen.Select(SegmentGen.Samples, Gen.Select(Gen.Int[0, 100_000], Gen.Byte).Array[1, 4]).Sample((samples, changes) =>
        {
            var bytes = Segment.Encode(samples).Bytes.ToArray();
            foreach (var (at, value) in changes)
            {
                // In the header and the heads of columns mostly; every fourth anywhere.
                bytes[2 + at / 4 % (at % 4 == 0 ? bytes.Length - 6 : Math.Min(bytes.Length - 6, 40))] = value;
            }
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(bytes.Length - 4), Crc32C.Compute(bytes.AsSpan(0, bytes.Length - 4)));
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                var segment = Segment.Open(bytes);
                var decoded = new SampleColumns();
                segment.Decode(decoded);
                for (var i = 1; i < decoded.Count; i++)
                {
                    Assert.True(decoded.Times[i] > decoded.Times[i - 1]);
                }
                Assert.Equal((segment.Count, segment.FirstTime, segment.LastTime), (decoded.Count, decoded.FirstTime, decoded.LastTime));
            }
            catch (SegmentFormatException)
            {
            }
            // Each chunk takes some bytes of header and holds at most 4096 samples.
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000 + 20_000L * bytes.Length);
        }, iter: 1000);
}

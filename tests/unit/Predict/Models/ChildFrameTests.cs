using CsCheck;
using Foretier.Predict.Models;

namespace Foretier.Tests.Unit.Predict.Models;

public class ChildFrameTests
{
    private static readonly Gen<Tensor> Tensors =
        from shape in Gen.Int[0, 4].Array[1, 3]
        from values in Gen.Float.Array[shape.Aggregate(1, (product, n) => product * n)]
        select new Tensor(values, shape);

    private static readonly Tensor[] OneRow = [new([1, 2, 3], [1, 3])];

    [Fact]
    public void Tensors_come_out_as_they_went_in() => Tensors.List[0, 4].Sample(tensors =>
    {
        var (message, content) = Read(Frame(ChildMessage.Ask, tensors))!.Value;
        Assert.Equal(ChildMessage.Ask, message);
        var read = FrameReader.Tensors(content.Span, []);
        Assert.Equal(tensors.Select(t => t.Shape), read.Select(t => t.Shape));
        Assert.Equal(tensors.SelectMany(t => t.Values).Select(BitConverter.SingleToInt32Bits), read.SelectMany(t => t.Values).Select(BitConverter.SingleToInt32Bits));
    });

    [Fact]
    public void A_frame_cut_off_anywhere_is_an_end_or_no_frame()
    {
        var frame = Frame(ChildMessage.Answer, OneRow);
        Assert.Null(Read([]));
        for (var length = 1; length < frame.Length; length++)
        {
            Assert.Throws<EndOfStreamException>(() => Read(frame[..length]));
        }
    }

    [Fact]
    public void A_flipped_bit_anywhere_is_seen()
    {
        var frame = Frame(ChildMessage.Answer, OneRow);
        for (var bit = 0; bit < frame.Length * 8; bit++)
        {
            var damaged = frame.ToArray();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.ThrowsAny<Exception>(() => Assert.NotNull(Read(damaged)));
        }
    }

    [Fact]
    public void Any_bytes_are_tensors_or_refused() => Gen.Byte.Array[0, 60].Sample(bytes =>
    {
        try
        {
            Assert.All(FrameReader.Tensors(bytes, []), tensor => Assert.Equal(tensor.Shape.Aggregate(1, (product, n) => product * n), tensor.Values.Length));
        }
        catch (InvalidDataException)
        {
            // Refused.
        }
    });

    [Fact]
    public void Arrays_are_used_again_where_dimensions_are_the_same()
    {
        var first = FrameReader.Tensors(Read(Frame(ChildMessage.Ask, OneRow))!.Value.Content.Span, []);
        var second = FrameReader.Tensors(Read(Frame(ChildMessage.Ask, [new([4, 5, 6], [1, 3])]))!.Value.Content.Span, first);
        Assert.Same(first[0].Values, second[0].Values);
        Assert.Equal([4, 5, 6], second[0].Values);
        Assert.Equal([7, 8], FrameReader.Tensors(Read(Frame(ChildMessage.Ask, [new([7, 8], [1, 2])]))!.Value.Content.Span, second)[0].Values);
    }

    private static byte[] Frame(ChildMessage message, IEnumerable<Tensor> tensors)
    {
        using var stream = new MemoryStream();
        var frame = new FrameWriter(stream).Begin(message);
        foreach (var tensor in tensors)
        {
            frame.Add(tensor, 0, tensor.Batch);
        }
        frame.SendAsync(CancellationToken.None).GetAwaiter().GetResult();
        return stream.ToArray();
    }

    private static (ChildMessage Message, ReadOnlyMemory<byte> Content)? Read(byte[] bytes)
    {
        using var stream = new MemoryStream(bytes);
        return new FrameReader(stream).ReadAsync(CancellationToken.None).GetAwaiter().GetResult();
    }
}

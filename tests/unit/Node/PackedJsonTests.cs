using System.IO.Compression;
using System.Text.Json;
using Foretier.Core.Partitions;
using Foretier.Node.Hosting;

namespace Foretier.Tests.Unit.Node;

public sealed class PackedJsonTests
{
    private static readonly GroupMembers Group = new("edge-1", "acme", "g0", 3, [.. Enumerable.Range(0, 300).Select(i => $"acme/device-{i}/temperature")], 7);

    [Fact]
    public void Document_is_the_same_when_it_is_unpacked_and_a_fraction_of_its_size_before()
    {
        var packed = PackedJson.Pack(Group);
        Assert.Equal(JsonSerializer.Serialize(Group), JsonSerializer.Serialize(PackedJson.Unpack<GroupMembers>(packed, NodeJson.Strict)));
        Assert.InRange(packed.Length, 1, JsonSerializer.SerializeToUtf8Bytes(Group, NodeJson.Options).Length / 8);
    }

    [Fact]
    public void What_earlier_routers_packed_is_read()
    {
        using var packed = new MemoryStream();
        using (var brotli = new BrotliStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            JsonSerializer.Serialize(brotli, Group, NodeJson.Options);
        }
        Assert.Equal(Group.Series, PackedJson.Unpack<GroupMembers>(packed.ToArray(), NodeJson.Strict).Series);
    }

    [Fact]
    public void Document_that_is_cut_short_anywhere_is_refused()
    {
        var packed = PackedJson.Pack(Group);
        for (var length = 0; length < packed.Length; length++)
        {
            Assert.Throws<InvalidDataException>(() => PackedJson.Unpack<GroupMembers>(packed.AsSpan(0, length), NodeJson.Strict));
        }
    }

    [Fact]
    public void Document_with_a_flipped_bit_is_refused_or_another_of_its_kind()
    {
        var packed = PackedJson.Pack(Group);
        for (var bit = 0; bit < packed.Length * 8; bit++)
        {
            packed[bit / 8] ^= (byte)(1 << (bit % 8));
            try
            {
                Assert.NotNull(PackedJson.Unpack<GroupMembers>(packed, NodeJson.Strict).Series);
            }
            catch (Exception error) when (error is InvalidDataException or JsonException or InvalidOperationException)
            {
                // Refused: there is no checksum in it, it is a hint.
            }
            packed[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void Few_bytes_that_stand_for_too_many_are_refused()
    {
        var packed = new byte[4 << 10];
        Assert.True(BrotliEncoder.TryCompress(new byte[200 << 20], packed, out var length, 4, 22));
        Assert.Throws<InvalidDataException>(() => PackedJson.Unpack<GroupMembers>(packed.AsSpan(0, length), NodeJson.Strict));
    }
}

using System.Text;

namespace Foretier.Tests.Unit.Updates;

/// <summary>Writes ONNX graphs, as few bytes of protobuf as it takes: models of every kind that a box should not take.</summary>
internal sealed class TinyOnnx
{
    private const int Float = 1, Int64 = 7;

    private readonly List<byte[]> _nodes = [], _initializers = [];
    private int _names;

    /// <summary>A node; the name of its output.</summary>
    public string Node(string type, IReadOnlyList<string> inputs, params (string Name, long Value)[] attributes) => Node(type, inputs, $"n{_names++}", attributes);

    public string Node(string type, IReadOnlyList<string> inputs, string output, params (string Name, long Value)[] attributes)
    {
        _nodes.Add([.. inputs.SelectMany(input => Text(1, input)), .. Text(2, output), .. Text(4, type),
            .. attributes.SelectMany(a => Bytes(5, [.. Text(1, a.Name), .. Number(3, a.Value), .. Number(20, 2)]))]);
        return output;
    }

    public string Constant(params float[] values) => Constant(Float, values.SelectMany(BitConverter.GetBytes), values.Length);

    public string Integers(params long[] values) => Constant(Int64, values.SelectMany(BitConverter.GetBytes), values.Length);

    /// <param name="inputs">Name and dimensions after the batch.</param>
    public byte[] Model((string Name, int[] Row)[] inputs, (string Name, int[] Row) output)
    {
        byte[] graph = [.. _nodes.SelectMany(node => Bytes(1, node)), .. Text(2, "tiny"), .. _initializers.SelectMany(one => Bytes(5, one)),
            .. inputs.SelectMany(input => Bytes(11, Value(input.Name, input.Row))), .. Bytes(12, Value(output.Name, output.Row))];
        return [.. Number(1, 8), .. Bytes(7, graph), .. Bytes(8, [.. Number(2, 17)])];
    }

    private string Constant(int type, IEnumerable<byte> content, int length)
    {
        var name = $"c{_names++}";
        _initializers.Add([.. Number(1, length), .. Number(2, type), .. Text(8, name), .. Bytes(9, [.. content])]);
        return name;
    }

    private static byte[] Value(string name, int[] row)
    {
        byte[] shape = [.. Bytes(1, [.. Text(2, "batch")]), .. row.SelectMany(n => Bytes(1, [.. Number(1, n)]))];
        return [.. Text(1, name), .. Bytes(2, [.. Bytes(1, [.. Number(1, Float), .. Bytes(2, shape)])])];
    }

    private static IEnumerable<byte> Number(int field, long value) => [.. Varint((ulong)field << 3), .. Varint((ulong)value)];

    private static IEnumerable<byte> Text(int field, string text) => Bytes(field, Encoding.UTF8.GetBytes(text));

    private static IEnumerable<byte> Bytes(int field, byte[] content) => [.. Varint((ulong)field << 3 | 2), .. Varint((ulong)content.Length), .. content];

    private static IEnumerable<byte> Varint(ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            yield return (byte)(value | 0x80);
        }
        yield return (byte)value;
    }
}

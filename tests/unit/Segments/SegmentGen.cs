using CsCheck;
using Foretier.Core.Samples;

namespace Foretier.Tests.Unit.Segments;

/// <summary>Columns of every shape that the codec treats apart.</summary>
internal static class SegmentGen
{
    public static readonly double[] SpecialDoubles =
    [
        0, -0.0, 1, -1, double.NaN, BitConverter.Int64BitsToDouble(0x7FF8_0000_DEAD_BEEF), BitConverter.Int64BitsToDouble(unchecked((long)0xFFF0_0000_0000_0001)),
        double.PositiveInfinity, double.NegativeInfinity, double.Epsilon, -double.Epsilon, double.MaxValue, double.MinValue, 2.2250738585072014e-308,
        1L << 53, -(1L << 53), (1L << 53) + 2, 0.1, 0.1 + 0.2, 1e22, 1e-17, 1.0 / 3, Math.PI, 123456.789, 1e17, 9007199254740993,
    ];

    public static readonly Gen<double> AnyBits = Gen.Long.Select(BitConverter.Int64BitsToDouble);

    private static readonly Gen<double[]> Columns = Gen.Int[1, 400].SelectMany(n => Gen.OneOf(
        AnyBits.Array[n],
        Pick(SpecialDoubles).Array[n],
        Gen.Select(Gen.Int[0, 6], Gen.Int[-40000, 40000].Array[n], (p, ints) => Array.ConvertAll(ints, i => i / Math.Pow(10, p))),
        Gen.Select(Gen.Int[0, 3], Gen.Int[-3, 3].Array[n], (p, steps) => Walk(steps, Math.Pow(10, p))),
        Gen.Select(Gen.Int[0, 1].Array[n], AnyBits, AnyBits, (which, a, b) => Array.ConvertAll(which, w => w == 0 ? a : b)),
        Gen.Select(Gen.Int[0, 30].Array[n], Pick(SpecialDoubles).Array[4], (which, special) => Rarely(which, special)),
        Gen.Double[-1e3, 1e3].Array[n],
        Gen.Select(Gen.Int[-800, 800], Gen.Int[0, 5000].Array[n], (e, ints) => Array.ConvertAll(ints, i => Math.ScaleB(i, e))),
        Gen.Select(Gen.Int[-3000, 3000].Array[n], steps => Sums(steps)),
        AnyBits.Select(value => Enumerable.Repeat(value, n).ToArray())));

    private static readonly Gen<long> FirstTimes = Gen.OneOf(
        Gen.Long[946684800_000_000, 1893456000_000_000], Gen.Int[946684800, 1893456000].Select(s => s * 1_000_000L), Gen.Long[-1L << 60, 1L << 60]);

    private static Gen<T> Pick<T>(params T[] of) => Gen.Int[0, of.Length - 1].Select(i => of[i]);

    private static Gen<long[]> Steps(int n) => Gen.OneOf(
        Pick(1L, 1000, 1_000_000, 60_000_000, 86_400_000_000).Select(step => Enumerable.Repeat(step, n).ToArray()),
        Gen.Int[1, 4000].Select(s => s * 1_000_000L).Array[n],
        Gen.Int[950, 1050].Select(s => s * 1000L).Array[n],
        Gen.Select(Gen.Int[0, 20], step => step == 0 ? 7_200_000_000L : 30_000_000L).Array[n],
        Gen.Long[1, 1L << 50].Array[n]);

    private static readonly Gen<string?> States = Pick<string?>("on", "off", "", "åben \u2603", "\ud800", new('x', 256), null, null);

    public static readonly Gen<SampleColumns> Numbers =
        Columns.SelectMany(values => Gen.Select(FirstTimes, Steps(values.Length), (first, steps) => Build(first, steps, values, null)));

    public static readonly Gen<SampleColumns> Samples = Columns.SelectMany(values =>
        Gen.Select(FirstTimes, Steps(values.Length), StateColumns(values.Length), (first, steps, states) => Build(first, steps, values, states)));

    private static Gen<string?[]?> StateColumns(int n) =>
        Gen.Int[0, 4].SelectMany(kind => kind <= 1 ? Gen.Const((string?[]?)null) : kind == 2 ? AllStates(n) : States.Array[n].Select(s => (string?[]?)s));

    private static Gen<string?[]?> AllStates(int n) =>
        Gen.OneOf(Pick<string?>("on", "off").Array[n], Gen.Int[0, 100].Select(i => (string?)$"state {i}").Array[n]).Select(s => (string?[]?)s);

    public static SampleColumns Build(long first, long[] steps, double[] values, string?[]? states)
    {
        var samples = new SampleColumns(values.Length);
        var time = first;
        for (var i = 0; i < values.Length; i++)
        {
            samples.Add(time, states?[i] is null ? values[i] : 0, states?[i]);
            time += steps[i];
        }
        return samples;
    }

    private static double[] Walk(int[] steps, double power)
    {
        var at = 2000;
        return Array.ConvertAll(steps, step => (at += step) / power);
    }

    private static double[] Sums(int[] steps)
    {
        var sum = 0.0;
        return Array.ConvertAll(steps, step => sum += step / 100.0);
    }

    private static double[] Rarely(int[] which, double[] special) => Array.ConvertAll(which, w => w < special.Length ? special[w] : 20 + w / 10.0);
}

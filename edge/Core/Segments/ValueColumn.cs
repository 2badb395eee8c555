using System.Runtime.InteropServices;
using Foretier.Core.Segments.Values;

namespace Foretier.Core.Segments;

/// <summary>
/// A column of float64, bit for bit: one byte that names the encoding, then what that encoding makes of it. Each column takes the encoding
/// that comes out shortest; which ones are worth trying follows from the values.
/// </summary>
internal static class ValueColumn
{
    private const int Raw = 0;
    private const int Constant = 1;
    private const int Runs = 2;
    private const int Dyadic = 3;
    private const int Xor = 4;
    private const int NearDecimal = 5;
    private const int Split = 6;

    // Decimal readings are the usual case: one byte says their decimals too, and whether there are exceptions.
    private const int Decimal = 64;
    private const int DecimalWithExceptions = 128;

    /// <summary>What is planned comes out longer or shorter by so much at most, as a factor; and so does what a sample shows.</summary>
    private const double PlanDoubt = 1.05;
    private const double SampleDoubt = 1.5;

    public static void Write(ByteWriter to, ReadOnlySpan<double> values) => Write(to, values, mayRun: true);

    /// <param name="mayRun">False within runs: there no two neighbours are equal.</param>
    internal static void Write(ByteWriter to, ReadOnlySpan<double> values, bool mayRun)
    {
        if (values.IsEmpty)
        {
            return;
        }
        var runs = RunValues.CountOf(values);
        if (runs == 1)
        {
            to.Byte(Constant);
            Scalar.Write(to, values[0]);
            return;
        }
        using var one = new ByteWriter(values.Length * 2 + 64);
        using var other = new ByteWriter(values.Length * 2 + 64);
        var (best, trial) = (one, other);
        if (mayRun && runs * 3 < values.Length)
        {
            RunValues.Write(Begin(trial, Runs), values, runs);
            Keep(ref best, ref trial);
            // A code takes a bit a value at least, and a packing two bytes a change.
            if (best.Length * 8 < values.Length && runs * 16 < values.Length)
            {
                to.Bytes(best.Written);
                return;
            }
        }
        DecimalValues.TryScale(values, out var scaled);
        using var integers = scaled;
        var exceptions = scaled?.Exceptions.Count ?? values.Length;
        // Before the decimals, for then the exceptions alone often tell that those are longer.
        if (exceptions * 16 > values.Length)
        {
            WriteFractions(ref best, ref trial, values);
        }
        if (scaled is not null)
        {
            scaled.TryWrite(Begin(trial, (exceptions == 0 ? Decimal : DecimalWithExceptions) + scaled.Decimals), values, PlanDoubt * BitsTaken(best));
            Keep(ref best, ref trial);
        }
        if (best.Length > 1 + 8 * values.Length)
        {
            to.Byte(Raw);
            RawValues.Write(to, values);
            return;
        }
        to.Bytes(best.Written);
    }

    /// <summary>Those that are few decimals or none.</summary>
    private static void WriteFractions(ref ByteWriter best, ref ByteWriter trial, ReadOnlySpan<double> values)
    {
        DyadicValues.TryWrite(Begin(trial, Dyadic), values);
        Keep(ref best, ref trial);
        NearDecimalValues.TryWrite(Begin(trial, NearDecimal), values);
        Keep(ref best, ref trial);
        var (split, xor) = (SplitValues.BitsOf(values), XorValues.BitsOf(values));
        if (Math.Min(split, xor) * values.Length > SampleDoubt * BitsTaken(best))
        {
            return;
        }
        // Split columns are read several times as fast: they win where the sample shows them about as short.
        if (split < 1.03 * xor)
        {
            SplitValues.Write(Begin(trial, Split), values);
        }
        else
        {
            XorValues.Write(Begin(trial, Xor), values);
        }
        Keep(ref best, ref trial);
    }

    public static void Read(ref ByteReader from, Span<double> values) => Read(ref from, values, mayRun: true);

    internal static void Read(ref ByteReader from, Span<double> values, bool mayRun)
    {
        if (values.IsEmpty)
        {
            return;
        }
        switch (from.Byte())
        {
            case Raw:
                RawValues.Read(ref from, values);
                break;
            case Constant:
                values.Fill(Scalar.Read(ref from));
                break;
            case Runs when mayRun:
                RunValues.Read(ref from, values);
                break;
            case Dyadic:
                DyadicValues.Read(ref from, values);
                break;
            case Xor:
                XorValues.Read(ref from, values);
                break;
            case Split:
                SplitValues.Read(ref from, values);
                break;
            case NearDecimal:
                NearDecimalValues.Read(ref from, values);
                break;
            case >= Decimal and <= Decimal + DecimalScale.Max and var head:
                DecimalValues.Read(ref from, values, head - Decimal);
                break;
            case >= DecimalWithExceptions and <= DecimalWithExceptions + DecimalScale.Max and var head:
                DecimalValues.Read(ref from, values, head - DecimalWithExceptions);
                Exceptions.Read(ref from, values);
                break;
            case var other:
                throw new SegmentFormatException($"unknown value encoding {other}");
        }
    }

    /// <summary>The values as the bits they are stored by.</summary>
    internal static ReadOnlySpan<long> BitsOf(ReadOnlySpan<double> values) => MemoryMarshal.Cast<double, long>(values);

    private static double BitsTaken(ByteWriter best) => best.Length == 0 ? double.MaxValue : 8.0 * best.Length;

    private static ByteWriter Begin(ByteWriter trial, int encoding)
    {
        trial.Clear();
        trial.Byte(encoding);
        return trial;
    }

    // A trial of one byte is one that its encoding gave up.
    private static void Keep(ref ByteWriter best, ref ByteWriter trial)
    {
        if (trial.Length > 1 && (best.Length == 0 || trial.Length < best.Length))
        {
            (best, trial) = (trial, best);
        }
    }
}

namespace Foretier.Tests.Fuzz;

/// <summary>What a campaign came to. <paramref name="Failure"/> names target, seed and the input in hex; null where all held.</summary>
public sealed record FuzzResult(long Cases, long Accepted, TimeSpan Slowest, string? Failure);

/// <summary>Mutates valid inputs, mixes them, and makes some up; from one seed always the same.</summary>
public sealed class FuzzCampaign(int seed, TimeProvider clock)
{
    private const int LengthMax = 4096;

    // Far above what a case takes on a busy machine; an input that makes a decoder loop takes for ever.
    private static readonly TimeSpan CaseMax = TimeSpan.FromSeconds(10);

    private static readonly byte[] Telling = [.. "{}[]\",:=\\@/%.#+-0123456789eEtfiunN \n\0"u8, 0x7F, 0x80, 0x9F, 0xBF, 0xC4, 0xFB, 0xFF];

    public FuzzResult Run(IReadOnlyList<FuzzTarget> targets, long cases, Action<long>? progress = null)
    {
        var random = new Random(seed);
        var (accepted, slowest) = (0L, TimeSpan.Zero);
        for (var i = 0L; i < cases; i++)
        {
            var target = targets[(int)(i % targets.Count)];
            var input = Make(target.Seeds, random);
            var start = clock.GetTimestamp();
            if (Failure(target, input, ref accepted) is { } failure)
            {
                return new(i + 1, accepted, slowest, $"{target.Name} seed {seed} case {i}: {failure}\n{Convert.ToHexString(input)}");
            }
            var took = clock.GetElapsedTime(start);
            slowest = took > slowest ? took : slowest;
            if (took > CaseMax)
            {
                return new(i + 1, accepted, slowest, $"{target.Name} seed {seed} case {i}: took {took}\n{Convert.ToHexString(input)}");
            }
            progress?.Invoke(i + 1);
        }
        return new(cases, accepted, slowest, null);
    }

    private static string? Failure(FuzzTarget target, byte[] input, ref long accepted)
    {
        try
        {
            accepted += target.Run(input) ? 1 : 0;
            return null;
        }
        catch (Exception unexpected)
        {
            return $"{unexpected.GetType().Name}: {unexpected.Message}";
        }
    }

    private static byte[] Make(IReadOnlyList<byte[]> seeds, Random random)
    {
        if (random.Next(50) == 0)
        {
            var made = new byte[random.Next(64)];
            random.NextBytes(made);
            return made;
        }
        var bytes = new List<byte>(seeds[random.Next(seeds.Count)]);
        for (var changes = random.Next(5); changes > 0; changes--)
        {
            Change(bytes, seeds, random);
        }
        return [.. bytes];
    }

    private static void Change(List<byte> bytes, IReadOnlyList<byte[]> seeds, Random random)
    {
        var at = random.Next(bytes.Count + 1);
        switch (random.Next(8))
        {
            case 0 when at < bytes.Count:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1 when at < bytes.Count:
                bytes[at] = (byte)random.Next(256);
                break;
            case 2 when at < bytes.Count:
                bytes[at] = Telling[random.Next(Telling.Length)];
                break;
            case 3:
                bytes.Insert(at, Telling[random.Next(Telling.Length)]);
                break;
            case 4:
                bytes.RemoveRange(at, random.Next(bytes.Count - at + 1));
                break;
            case 5 when at < bytes.Count:
                bytes.RemoveAt(at);
                break;
            case 6 when bytes.Count < LengthMax:
                var from = random.Next(bytes.Count + 1);
                bytes.InsertRange(at, bytes.GetRange(from, random.Next(bytes.Count - from + 1)));
                break;
            default:
                var other = seeds[random.Next(seeds.Count)];
                bytes.InsertRange(at, other[random.Next(other.Length)..]);
                break;
        }
    }
}

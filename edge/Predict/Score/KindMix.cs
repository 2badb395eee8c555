using System.Text;

namespace Foretier.Predict.Score;

/// <summary>Samples by kind, in the order of <see cref="Scorecard.Kinds"/>.</summary>
public sealed class KindCounts
{
    private readonly double[] _counts = new double[Scorecard.Kinds.Count];

    public double Total => _counts.Sum();

    public void Add(int kind, double samples) => _counts[kind] += samples;

    public double Share(int kind) => Total > 0 ? _counts[kind] / Total : 0;

    /// <summary>
    /// Mean Brier score of this mix, as the chances of what kind a sample is, over samples that came as <paramref name="came"/>:
    /// Σ (chance − outcome)² of each sample is 1 − 2Σ o·p + Σ p². 0 is certain and right, 2 certain and wrong.
    /// </summary>
    public double Brier(KindCounts came)
    {
        var score = 1.0;
        for (var kind = 0; kind < _counts.Length; kind++)
        {
            score += Share(kind) * (Share(kind) - 2 * came.Share(kind));
        }
        return score;
    }
}

/// <summary>
/// How well the mix of kinds an account will send was forecast for the next hour, beside taking that of the same hour yesterday. Sums over samples that fade
/// with thirty days; at most 1,000 accounts. Not thread-safe.
/// </summary>
public sealed class KindMix
{
    private const byte FormatVersion = 1;
    private const int AccountsMax = 1_000;
    private static readonly double _fade = Math.Pow(0.5, 1.0 / (30 * 24));
    private readonly SortedDictionary<string, (double Samples, double Ours, double Yesterday)> _accounts = new(StringComparer.Ordinal);
    private static ReadOnlySpan<byte> Magic => "FTKM"u8;

    /// <summary>Account, and its mean Brier scores.</summary>
    public IEnumerable<(string Account, double Brier, double BrierYesterday)> Scores =>
        _accounts.Where(a => a.Value.Samples > 0).Select(a => (a.Key, a.Value.Ours / a.Value.Samples, a.Value.Yesterday / a.Value.Samples));

    /// <summary>Takes in an hour that has closed. Without samples then, or yesterday, there is nothing to compare.</summary>
    public void Add(string account, KindCounts forecast, KindCounts came, KindCounts yesterday)
    {
        if (came.Total <= 0 || forecast.Total <= 0 || yesterday.Total <= 0 || (_accounts.Count >= AccountsMax && !_accounts.ContainsKey(account)))
        {
            return;
        }
        var sums = _accounts.GetValueOrDefault(account);
        _accounts[account] = (sums.Samples * _fade + came.Total, sums.Ours * _fade + came.Total * forecast.Brier(came),
            sums.Yesterday * _fade + came.Total * yesterday.Brier(came));
    }

    /// <summary>Layout: sealed payload "FTKM": accounts (count, then each: name, samples f64, sum of Brier scores f64, of yesterday's f64).</summary>
    public void Save(Stream to)
    {
        using var payload = new MemoryStream();
        using var writer = new BinaryWriter(payload, Encoding.UTF8);
        writer.Write7BitEncodedInt(_accounts.Count);
        foreach (var (account, sums) in _accounts)
        {
            writer.Write(account);
            writer.Write(sums.Samples);
            writer.Write(sums.Ours);
            writer.Write(sums.Yesterday);
        }
        writer.Flush();
        SealedPayload.Write(to, Magic, FormatVersion, payload.GetBuffer().AsSpan(0, (int)payload.Length));
    }

    /// <exception cref="InvalidDataException">The bytes are no such scores, or are damaged; the message says in what way.</exception>
    public static KindMix Load(Stream from)
    {
        using var reader = new BinaryReader(SealedPayload.Read(from, Magic, FormatVersion, out _), Encoding.UTF8);
        try
        {
            var mix = new KindMix();
            for (var left = reader.Read7BitEncodedInt(); left > 0; left--)
            {
                mix._accounts[reader.ReadString()] = (reader.ReadDouble(), reader.ReadDouble(), reader.ReadDouble());
            }
            return mix;
        }
        catch (Exception e) when (e is EndOfStreamException or FormatException)
        {
            throw new InvalidDataException("the content ends early or does not follow its layout", e);
        }
    }
}

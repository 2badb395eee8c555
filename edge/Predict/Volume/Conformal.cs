namespace Foretier.Predict.Volume;

/// <summary>
/// Adaptive conformal inference on one end of a band: the distance from the median to the percentile is stretched by a factor that grows after
/// each hour outside and shrinks a little after each within, so that the share outside tends to what it should be, whatever the series does.
/// </summary>
/// <remarks>
/// After Gibbs and Candès (2021), with the factor's logarithm in place of the level: log s += γ(outside − <paramref name="outsideShare"/>).
/// Where counts are small whole numbers no band leaves exactly a tenth outside: the factor then swings about the number, and the share is right over time.
/// </remarks>
internal sealed class Conformal(float outsideShare)
{
    /// <summary>A stretch beyond these says that the experts are wrong, and would be slow to come back from.</summary>
    private const double FactorMin = 0.1, FactorMax = 8;

    /// <summary>γ begins at 0.03, for a series that is new, and sinks with the root of its age: steadier and steadier, and never deaf.</summary>
    private const double StepFirst = 0.03, StepLast = 0.003;

    /// <summary>A band of no width cannot be stretched: it gets this part of what arrivals at random would have.</summary>
    private const float WidthMin = 0.02f;

    private float _factor = 1;
    private int _hours;

    public float Factor => _factor;

    /// <summary>The end of the band, stretched.</summary>
    /// <param name="distance">From the median to the percentile, at least 0.</param>
    public float Stretch(float median, float distance) => _factor * (distance + WidthMin * MathF.Sqrt(median + 0.05f));

    public void Learn(bool isOutside)
    {
        _hours = Math.Min(_hours + 1, int.MaxValue - 1);
        var step = Math.Max(StepLast, StepFirst / Math.Sqrt(1 + _hours / 24.0));
        _factor = (float)Math.Clamp(_factor * Math.Exp(step * ((isOutside ? 1 : 0) - outsideShare)), FactorMin, FactorMax);
    }

    public void Save(BinaryWriter writer)
    {
        writer.Write(_factor);
        writer.Write7BitEncodedInt(_hours);
    }

    public void Load(BinaryReader reader)
    {
        _factor = reader.ReadSingle();
        _hours = reader.Read7BitEncodedInt();
        if (!(_factor >= FactorMin && _factor <= FactorMax) || _hours < 0)
        {
            throw new InvalidDataException("a stretch is out of its bounds");
        }
    }
}

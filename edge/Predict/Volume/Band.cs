namespace Foretier.Predict.Volume;

/// <summary>What is expected of one hour: in one of ten such hours fewer samples than <see cref="P10"/> come, in nine no more than <see cref="P90"/>.</summary>
public readonly record struct Band(float P10, float P50, float P90)
{
    /// <summary>At least 0, and in their order: what a model or a sum of rounded parts says may cross by a hair.</summary>
    public Band Ordered()
    {
        var p50 = Math.Max(0, P50);
        return new(Math.Clamp(P10, 0, p50), p50, Math.Max(p50, P90));
    }

    public float this[int level] => level == 0 ? P10 : level == 1 ? P50 : P90;
}

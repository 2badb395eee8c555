namespace Foretier.Predict.Volume;

/// <summary>
/// How much each expert's quantile counts for one series: multiplicative weights over what following it would have gained, per quantile.
/// The mixture of the experts' quantiles is at least nearly as good, in pinball loss, as the best fixed mixture of them. They are mixed, and
/// losses taken, on the scale log(1 + count): a quantile is one on any scale, and there one expert that still remembers a flood does not drown the others.
/// </summary>
/// <remarks>
/// Hedge on the gradient of the pinball loss with second-order regret (Bernstein online aggregation, Wintenberger 2017): weight ∝ prior ·
/// exp(ηR − η²V), R the sum of what an expert was better than the mixture along the gradient, V of its squares, η = <see cref="Pace"/>/√(V of the worst).
/// All of it is relative to the losses themselves, so that a series that hardly varies and one that varies wildly learn alike. Old
/// losses fade with <see cref="HalfLifeHours"/>. Experts that said nothing of an hour neither gain nor lose.
/// </remarks>
internal sealed class Hedge
{
    /// <summary>P50 and P90; P10 goes by the weights of P50.</summary>
    public const int Levels = 2;

    /// <summary>Twelve days: long enough to tell experts apart, short enough to follow a site that changes.</summary>
    private const double HalfLifeHours = 300;

    /// <summary>As if so many hours had been seen that favoured nobody: after one odd day the prior still counts.</summary>
    private const double PriorHours = 100;

    /// <summary>How boldly weights follow what was gained; with losses that fade there is never much of it.</summary>
    private const double Pace = 4;

    private static readonly double _fade = Math.Pow(0.5, 1 / HalfLifeHours);
    private readonly float[] _gain = new float[Levels * ExpertBands.Experts];
    private readonly float[] _square = new float[Levels * ExpertBands.Experts];
    private float _hours;

    /// <summary>The scale on which quantiles are mixed and compared.</summary>
    public static float Scale(float count) => MathF.Log(1 + count);

    /// <summary>Back from <see cref="Scale"/>.</summary>
    public static float Count(double scaled) => (float)(Math.Exp(scaled) - 1);

    /// <summary>Weights of all experts at one level, their sum 1.</summary>
    /// <param name="prior">The weights of a series of which nothing is known.</param>
    /// <param name="into">As many as there are experts.</param>
    public void Weigh(int level, ReadOnlySpan<float> prior, Span<float> into)
    {
        var gain = _gain.AsSpan(level * ExpertBands.Experts, ExpertBands.Experts);
        var square = _square.AsSpan(level * ExpertBands.Experts, ExpertBands.Experts);
        var worst = 0f;
        foreach (var value in square)
        {
            worst = Math.Max(worst, value);
        }
        if (worst <= 0)
        {
            prior.CopyTo(into);
            return;
        }
        var rate = Pace / Math.Sqrt(worst * (1 + PriorHours / Math.Max(1, _hours)));
        var best = double.NegativeInfinity;
        Span<double> merit = stackalloc double[ExpertBands.Experts];
        for (var e = 0; e < merit.Length; e++)
        {
            merit[e] = Math.Log(Math.Max(1e-9, prior[e])) + rate * gain[e] - rate * rate * square[e];
            best = Math.Max(best, merit[e]);
        }
        double sum = 0;
        for (var e = 0; e < merit.Length; e++)
        {
            merit[e] = Math.Exp(merit[e] - best);
            sum += merit[e];
        }
        for (var e = 0; e < merit.Length; e++)
        {
            into[e] = (float)(merit[e] / sum);
        }
    }

    /// <summary>Learns from one closed hour.</summary>
    /// <param name="said">What each expert said at this level, NaN where nothing. On <see cref="Scale"/>, as is <paramref name="actual"/>.</param>
    /// <param name="weights">By which they were mixed.</param>
    public void Learn(int level, float p, ReadOnlySpan<float> said, ReadOnlySpan<float> weights, float actual)
    {
        double mixed = 0, awake = 0;
        for (var e = 0; e < said.Length; e++)
        {
            if (!float.IsNaN(said[e]))
            {
                mixed += weights[e] * said[e];
                awake += weights[e];
            }
        }
        if (awake <= 0)
        {
            return;
        }
        mixed /= awake;
        var slope = actual < mixed ? 1 - p : -p;
        for (var e = 0; e < said.Length; e++)
        {
            ref var gain = ref _gain[level * ExpertBands.Experts + e];
            ref var square = ref _square[level * ExpertBands.Experts + e];
            var better = float.IsNaN(said[e]) ? 0 : slope * (mixed - said[e]);
            gain = (float)(gain * _fade + better);
            square = (float)(square * _fade + better * better);
        }
        if (level == 0)
        {
            _hours = (float)(_hours * _fade + 1);
        }
    }

    public void Save(BinaryWriter writer)
    {
        writer.Write(_hours);
        for (var i = 0; i < _gain.Length; i++)
        {
            writer.Write(_gain[i]);
            writer.Write(_square[i]);
        }
    }

    public static Hedge Load(BinaryReader reader)
    {
        var hedge = new Hedge { _hours = Finite(reader.ReadSingle()) };
        for (var i = 0; i < hedge._gain.Length; i++)
        {
            hedge._gain[i] = Finite(reader.ReadSingle());
            hedge._square[i] = Finite(reader.ReadSingle());
        }
        return hedge;
    }

    private static float Finite(float value) => float.IsFinite(value) ? value : throw new InvalidDataException("a weight is not a number");
}

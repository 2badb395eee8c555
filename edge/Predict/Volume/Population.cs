namespace Foretier.Predict.Volume;

/// <summary>The weights that the series of this site have come to on the average: what a series begins with. Not thread-safe.</summary>
internal sealed class Population
{
    /// <summary>A series counts for one in so many at most, so that the average follows what changes.</summary>
    private const int Memory = 500;

    private readonly float[] _weights = new float[Hedge.Levels * ExpertBands.Experts];
    private int _seen;

    /// <summary>Half of it the model's, whose training has seen more than any new site; the rest in equal parts.</summary>
    public Population()
    {
        Array.Fill(_weights, 0.5f / (ExpertBands.Experts - 1));
        for (var level = 0; level < Hedge.Levels; level++)
        {
            _weights[level * ExpertBands.Experts + (int)Expert.Model] = 0.5f;
        }
    }

    public ReadOnlySpan<float> Prior(int level) => _weights.AsSpan(level * ExpertBands.Experts, ExpertBands.Experts);

    /// <summary>Takes in the weights of a series that has learned another day; it begins as if ten had come to the first ones.</summary>
    public void Learn(int level, ReadOnlySpan<float> weights)
    {
        _seen = level == 0 ? Math.Min(_seen + 1, Memory) : _seen;
        var share = 1f / (_seen + 10);
        for (var e = 0; e < weights.Length; e++)
        {
            ref var weight = ref _weights[level * ExpertBands.Experts + e];
            weight += share * (weights[e] - weight);
        }
    }

    public void Save(BinaryWriter writer)
    {
        writer.Write7BitEncodedInt(_seen);
        foreach (var weight in _weights)
        {
            writer.Write(weight);
        }
    }

    public static Population Load(BinaryReader reader)
    {
        var population = new Population { _seen = reader.Read7BitEncodedInt() };
        foreach (ref var weight in population._weights.AsSpan())
        {
            weight = reader.ReadSingle();
            if (!(weight >= 0 && weight <= 1))
            {
                throw new InvalidDataException("a weight does not lie within 0 and 1");
            }
        }
        return population;
    }
}

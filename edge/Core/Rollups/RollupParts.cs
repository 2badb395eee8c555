namespace Foretier.Core.Rollups;

/// <summary>What a rollup holds besides count, sum, min, max, first and last, which it always has. Only what is asked for is computed.</summary>
[Flags]
public enum RollupParts
{
    None = 0,

    /// <summary>The sum of squared differences from the mean.</summary>
    Spread = 1,

    /// <summary>What a counter grew by, its resets included.</summary>
    Increase = 2,

    /// <summary>How long each state held.</summary>
    Durations = 4,

    /// <summary>A sketch of the distribution.</summary>
    Sketch = 8,

    All = Spread | Increase | Durations | Sketch,
}

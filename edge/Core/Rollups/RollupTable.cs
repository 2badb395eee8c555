namespace Foretier.Core.Rollups;

/// <summary>Rollups of one step.</summary>
/// <param name="Step">µs.</param>
/// <param name="Rows">Ascending; their details have <see cref="BucketRows.Parts"/>.</param>
public sealed record RollupTable(long Step, BucketRows Rows);

namespace Foretier.Core.Query;

/// <summary>How much a fetch asks for, as far as the plan can tell: what estimated and observed times are told for.</summary>
/// <param name="Parts">Windows to open.</param>
/// <param name="Rows">Samples or rollups to bring.</param>
public readonly record struct FetchWork(int Parts, long Rows);

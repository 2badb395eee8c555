namespace Foretier.Tests.Benchmarks.Query;

/// <summary>A question that every server of the comparison can be asked. Times in epoch ms, half-open, on steps.</summary>
/// <param name="Series">Names as the data set has them; none: all of them put together.</param>
/// <param name="Step">ms; 0: one value.</param>
/// <param name="Function">avg or max.</param>
internal sealed record BenchQuestion(IReadOnlyList<string> Series, long From, long To, long Step, string Function);

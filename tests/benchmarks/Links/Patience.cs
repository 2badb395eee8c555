using System.Diagnostics;

namespace Foretier.Tests.Benchmarks.Links;

/// <summary>Waits for what other processes bring about.</summary>
internal static class Patience
{
    /// <summary>Of two cores that others use too: only what hangs takes so long.</summary>
    private static readonly TimeSpan Most = TimeSpan.FromMinutes(3);

    /// <returns>How long it took.</returns>
    /// <exception cref="TimeoutException">It did not come about.</exception>
    public static async Task<TimeSpan> UntilAsync(string what, Func<Task<bool>> isSo)
    {
        for (var waited = Stopwatch.StartNew(); ; await Task.Delay(100))
        {
            try
            {
                if (await isSo())
                {
                    return waited.Elapsed;
                }
            }
            catch (Exception error) when (error is HttpRequestException or OperationCanceledException)
            {
                // Who is asked is not there (yet).
            }
            if (waited.Elapsed > Most)
            {
                throw new TimeoutException($"not within {Most.TotalMinutes} minutes: {what}");
            }
        }
    }
}

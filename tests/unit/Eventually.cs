namespace Foretier.Tests.Unit;

/// <summary>Waits for what other threads, or nodes on real sockets, bring about.</summary>
internal static class Eventually
{
    /// <summary>At most a minute: only what hangs takes that long.</summary>
    public static async Task BeAsync(Func<bool> isSo)
    {
        for (var deadline = DateTime.UtcNow.AddSeconds(60); !isSo(); await Task.Delay(5))
        {
            Assert.True(DateTime.UtcNow < deadline, "it did not come about");
        }
    }
}

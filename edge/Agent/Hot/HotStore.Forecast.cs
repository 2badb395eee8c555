namespace Foretier.Agent.Hot;

/// <content>What the forecast sees of the store, and what it may ask of it.</content>
public sealed partial class HotStore
{
    /// <summary>Called with the samples of each accepted message, on the publisher's thread; not for what is replayed at start.</summary>
    public Action<ReadOnlySpan<IncomingSample>>? Accepted { get; set; }

    /// <summary>The name of a series handle, account/device/measurement; null for one that was never given out.</summary>
    public string? NameOf(int series) => _series.Find(series)?.Name;

    /// <summary>Unit of a series; null where it has none.</summary>
    public string? UnitOf(int series) => _series.Find(series)?.Unit;
}

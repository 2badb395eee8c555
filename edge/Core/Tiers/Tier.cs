namespace Foretier.Core.Tiers;

/// <summary>Where bytes live, hottest first.</summary>
public enum Tier
{
    /// <summary>Open chunks in the agent's memory, backed by its journal.</summary>
    Memory,

    /// <summary>LiteDB window files on the agent's eMMC or SSD.</summary>
    Ssd,

    /// <summary>The gateway's hard disk.</summary>
    Hdd,

    /// <summary>Parquet in the object store.</summary>
    Archive,
}

namespace Foretier.Agent.Hot;

/// <summary>
/// A little space kept back on the device. Windows the gateway has can only be deleted once the facts that say so are saved, and those need
/// space first: on a full disk this file is given up for them, and taken again when there is room.
/// </summary>
internal sealed class SpareFile(IDisk disk)
{
    private const string Name = "spare";

    /// <summary>Twice the facts of 20,000 series at 50 B each.</summary>
    private const long Bytes = 2 * 1024 * 1024;

    /// <summary>Keeps the space back, where there is any.</summary>
    public void Take()
    {
        try
        {
            if (!disk.Exists(Name))
            {
                disk.Create(Name, Bytes).Dispose();
            }
        }
        catch (IOException)
        {
            // No space to spare now: the same is tried after the next flush that succeeds.
        }
    }

    /// <summary>Gives the space back to the disk; false where there was none.</summary>
    public bool TryGiveUp()
    {
        if (!disk.Exists(Name))
        {
            return false;
        }
        disk.Delete(Name);
        return true;
    }
}

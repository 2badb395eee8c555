namespace Foretier.Predict;

/// <summary>
/// Reads what <c>Disk.Replace</c> wrote, and moves a damaged one aside.
/// </summary>
public static class SealedFile
{
    /// <summary>
    /// Reads a file; where it is damaged, moves it aside to <c>….damaged</c> and says so through <paramref name="damaged"/> (path, reason).
    /// </summary>
    /// <returns>What was read, or null where there is no file or a damaged one.</returns>
    public static T? Read<T>(string path, Func<Stream, T> read, Action<string, string> damaged)
        where T : class
    {
        if (!File.Exists(path))
        {
            return null;
        }
        try
        {
            using var file = File.OpenRead(path);
            return read(file);
        }
        catch (InvalidDataException e)
        {
            damaged(path, e.Message);
        }
        File.Move(path, path + ".damaged", overwrite: true);
        return null;
    }
}

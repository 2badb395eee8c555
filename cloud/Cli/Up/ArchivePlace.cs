namespace Foretier.Cli.Up;

/// <summary>Where history goes for good: a folder, which must be writable before anything is started, or an address the nodes judge.</summary>
internal static class ArchivePlace
{
    /// <exception cref="CommandException">The folder cannot be made or written.</exception>
    public static string Of(DataFolder data, string? asked)
    {
        if (asked?.Contains("://", StringComparison.Ordinal) == true)
        {
            return asked;
        }
        try
        {
            var folder = asked is null ? data.In("archive") : Path.GetFullPath(asked);
            Directory.CreateDirectory(folder);
            using var probe = new FileStream(Path.Combine(folder, $".writable-{Environment.ProcessId}"), new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.Write,
                Options = FileOptions.DeleteOnClose,
            });
            return folder;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new CommandException(ExitCode.NotHere, $"the archive folder {asked} cannot be made or written: {e.Message}",
                "Choose another folder: foretier up --archive DIR");
        }
    }
}

namespace Foretier.Cli.Up;

/// <summary>Makes sure that one <c>up</c> alone works in a data folder. The system lets go of it when the process ends, however it ends.</summary>
internal static class UpLock
{
    /// <summary>Makes the folder where needed and takes the lock.</summary>
    /// <exception cref="CommandException">The folder cannot be written, or another has it.</exception>
    public static FileStream Take(DataFolder data)
    {
        const string advice = "Choose another folder: foretier up --data DIR";
        try
        {
            if (OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(data.Path);
            }
            else if (!Directory.Exists(data.Path))
            {
                // Secrets and data of this user, nobody else's business.
                Directory.CreateDirectory(data.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            }
            Directory.CreateDirectory(data.Logs);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.NotHere, $"the data folder {data.Path} cannot be made or written: {e.Message}", advice);
        }
        try
        {
            return new FileStream(data.LockFile, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new CommandException(ExitCode.NotHere, $"the data folder {data.Path} is not writable: {e.Message}", advice);
        }
        catch (IOException e) when (File.Exists(data.LockFile))
        {
            var run = data.ReadRun();
            throw new CommandException(ExitCode.NotHere, run is null
                ? $"another foretier up is using {data.Path}: {e.Message}"
                : $"foretier up is running already on {data.Path} (pid {run.Up}, REST {run.Router}, MQTT {run.Mqtt})",
                "Use that one, stop it first, or choose another folder: foretier up --data DIR");
        }
        catch (IOException e)
        {
            throw new CommandException(ExitCode.NotHere, $"the data folder {data.Path} is not writable: {e.Message}", advice);
        }
    }
}

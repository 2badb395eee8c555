namespace Foretier.Tests;

/// <summary>Folders of what a test started, which may end a moment after the test.</summary>
internal static class Folders
{
    /// <exception cref="IOException">Somebody still writes there after some seconds.</exception>
    public static void DeleteSoon(string path)
    {
        for (var tries = 0; ; tries++)
        {
            try
            {
                Directory.Delete(path, recursive: true);
                return;
            }
            catch (IOException) when (tries < 100)
            {
                Thread.Sleep(50);
            }
        }
    }
}

using System.Diagnostics;
using System.Globalization;

namespace Foretier.Tests.Benchmarks.Ingest;

/// <summary>
/// Where the agent's data lie. As root an ext4 file system of its own on a loop device, whose counters tell every byte that reaches the
/// device, the file system's own journal included; else a temporary folder, and the bytes that the process dirtied.
/// </summary>
internal sealed class BenchDisk : IDisposable
{
    private const long Bytes = 6L << 30;
    private const int SectorBytes = 512;
    private readonly string _root;
    private readonly string? _device;

    private BenchDisk(string root, string folder, string? device) => (_root, Folder, _device) = (root, folder, device);

    public string Folder { get; }

    /// <summary>True where <see cref="WrittenBytes"/> counts at the device.</summary>
    public bool IsDevice => _device is not null;

    public static BenchDisk Make()
    {
        var root = Directory.CreateTempSubdirectory("foretier-bench-").FullName;
        var mount = Directory.CreateDirectory(Path.Combine(root, "disk")).FullName;
        var image = Path.Combine(root, "image");
        using (var file = File.Create(image))
        {
            file.SetLength(Bytes);
        }
        if (Run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image) is not null
            && Run("losetup", "--find", "--show", image) is { } device)
        {
            if (Run("mount", device.Trim(), mount) is not null)
            {
                return new(root, mount, device.Trim());
            }
            Run("losetup", "--detach", device.Trim());
        }
        File.Delete(image);
        return new(root, mount, null);
    }

    /// <summary>Bytes written so far: to the device, or by the process.</summary>
    public long WrittenBytes(int pid)
    {
        if (_device is null)
        {
            var line = File.ReadLines($"/proc/{pid}/io").First(l => l.StartsWith("write_bytes", StringComparison.Ordinal));
            return long.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture);
        }
        var stat = File.ReadAllText($"/sys/block/{Path.GetFileName(_device)}/stat").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return long.Parse(stat[6], CultureInfo.InvariantCulture) * SectorBytes;
    }

    /// <summary>Writes out what the page cache still holds of this disk.</summary>
    public void Sync()
    {
        if (_device is not null)
        {
            Run("sync", "--file-system", Folder);
        }
    }

    public void Dispose()
    {
        if (_device is not null)
        {
            Run("umount", Folder);
            Run("losetup", "--detach", _device);
        }
        Directory.Delete(_root, recursive: true);
    }

    /// <returns>Standard output, or null where the command is missing or failed.</returns>
    private static string? Run(string command, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? output : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}

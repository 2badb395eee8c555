using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;

namespace Foretier.Cli.Backup;

/// <summary>
/// What of a data folder cannot be made again from elsewhere: credentials, keys, devices, certificates, accounts, and what forecasts have learnt. Not
/// samples, which gateway and archive have, and not catalogs, which are made again from the data files and the archive.
/// </summary>
/// <remarks>
/// A gzipped tar: first <c>foretier-backup.json</c> with the format and the SHA-256 of each file, then the files. All of them are replaced whole
/// where they are written, so a copy taken while the nodes run is a whole one.
/// </remarks>
internal static class BackupFile
{
    private const int Format = 1;
    private const string Inventory = "foretier-backup.json";

    /// <summary>By their place in the folder of 'up', or of one node.</summary>
    private static readonly string[] Kept =
    [
        "credentials.json", "ports.json", "keys.json", "devices.json", "seen.json", "certificates.json", "devices-ca.pem",
        "mqtt-tls.pem", "mqtt-tls.crt", "access-log", "map",
    ];

    private static readonly string[] Roles = ["", "agent", "gateway", "router"];

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <summary>Writes the backup, readable for its owner alone. Returns the files in it.</summary>
    /// <exception cref="CommandException">There is nothing to back up.</exception>
    public static IReadOnlyList<string> Write(string folder, string path)
    {
        var files = Find(folder).Select(name => (Name: name, Bytes: File.ReadAllBytes(Path.Combine(folder, name)))).ToList();
        if (files.Count == 0)
        {
            throw new CommandException(ExitCode.NotHere, $"{folder} is no data folder of Foretier", "Name the folder of 'foretier up', or of a node, with --data.");
        }
        var temporary = path + ".part";
        using (var tar = new TarWriter(new GZipStream(Create(temporary), CompressionLevel.Optimal)))
        {
            Add(tar, Inventory, JsonSerializer.SerializeToUtf8Bytes(
                new BackupInventory(Format, files.ToDictionary(f => f.Name, f => Convert.ToHexStringLower(SHA256.HashData(f.Bytes)))), Json));
            files.ForEach(file => Add(tar, file.Name, file.Bytes));
        }
        File.Move(temporary, path, overwrite: true);
        return files.ConvertAll(file => file.Name);
    }

    /// <summary>Puts back what is missing in the folder, and with <paramref name="replace"/> what is there too. All of the backup is checked before the first write.</summary>
    /// <returns>What was written, and what was left as it is.</returns>
    /// <exception cref="CommandException">It is no backup, or a damaged one, or of a newer program.</exception>
    public static (IReadOnlyList<string> Written, IReadOnlyList<string> Left) Restore(string path, string folder, bool replace)
    {
        var files = Read(path);
        List<string> written = [], left = [];
        foreach (var (name, bytes) in files)
        {
            var target = Path.Combine(folder, name);
            if (File.Exists(target) && !replace)
            {
                left.Add(name);
                continue;
            }
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            using (var file = Create(target + ".new"))
            {
                file.Write(bytes);
                file.Flush(flushToDisk: true);
            }
            File.Move(target + ".new", target, overwrite: true);
            written.Add(name);
        }
        return (written, left);
    }

    private static List<(string Name, byte[] Bytes)> Read(string path)
    {
        try
        {
            using var tar = new TarReader(new GZipStream(File.OpenRead(path), CompressionMode.Decompress));
            BackupInventory? inventory = null;
            var files = new List<(string Name, byte[] Bytes)>();
            while (tar.GetNextEntry(copyData: true) is { } entry)
            {
                using var content = new MemoryStream();
                entry.DataStream?.CopyTo(content);
                if (entry.Name == Inventory)
                {
                    inventory = JsonSerializer.Deserialize<BackupInventory>(content.ToArray(), Json);
                    continue;
                }
                files.Add((entry.Name, content.ToArray()));
            }
            if (inventory is null)
            {
                throw new CommandException(ExitCode.NotHere, $"{path} is no backup of Foretier");
            }
            if (inventory.Format > Format)
            {
                throw new CommandException(ExitCode.NotHere, $"{path} has format {inventory.Format}; this program knows {Format}", "Use the newer program.");
            }
            var isWhole = files.Count == inventory.Files.Count && files.TrueForAll(file => IsKept(file.Name)
                && inventory.Files.TryGetValue(file.Name, out var sha256) && Convert.ToHexStringLower(SHA256.HashData(file.Bytes)) == sha256);
            return isWhole ? files : throw new CommandException(ExitCode.NotHere, $"{path} is damaged: its files are not those that were put into it", "Nothing was restored; take another backup.");
        }
        catch (Exception e) when (e is IOException or InvalidDataException or JsonException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.NotHere, $"{path} cannot be read: {e.Message}");
        }
    }

    private static IEnumerable<string> Find(string folder)
    {
        foreach (var place in Roles.SelectMany(role => Kept.Select(name => Path.Combine(role, name))))
        {
            var path = Path.Combine(folder, place);
            if (File.Exists(path))
            {
                yield return place;
            }
            else if (Directory.Exists(path))
            {
                foreach (var file in Directory.EnumerateFiles(path).Select(file => Path.Combine(place, Path.GetFileName(file))).Where(IsKept).Order(StringComparer.Ordinal))
                {
                    yield return file;
                }
            }
        }
    }

    /// <summary>Where a backup may write: the places above, and nothing that is half written.</summary>
    private static bool IsKept(string name)
    {
        var parts = name.Split('/');
        var rest = Roles.Contains(parts[0]) ? parts[1..] : parts;
        return rest.Length > 0 && Kept.Contains(rest[0]) && (rest.Length == 1 || (rest.Length == 2 && rest[0] == "map" && rest[1] is not ("." or ".." or "lock")))
            && !name.EndsWith(".new", StringComparison.Ordinal) && !name.EndsWith(".tmp", StringComparison.Ordinal);
    }

    private static FileStream Create(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }
        return new(path, options);
    }

    private static void Add(TarWriter tar, string name, byte[] bytes)
    {
        using var content = new MemoryStream(bytes, writable: false);
        tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = content, Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
    }
}

/// <param name="Files">Path in the folder → SHA-256 in lower-case hex.</param>
internal sealed record BackupInventory(int Format, IReadOnlyDictionary<string, string> Files);

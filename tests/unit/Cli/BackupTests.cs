using Foretier.Cli;
using Foretier.Cli.Backup;

namespace Foretier.Tests.Unit.Cli;

public sealed class BackupTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("backup").FullName;
    private string Data => Path.Combine(_folder, "data");
    private string Saved => Path.Combine(_folder, "saved.tar.gz");

    public BackupTests()
    {
        foreach (var name in new[]
        {
            "credentials.json", "agent/devices.json", "agent/map/state", "agent/map/lock", "agent/hot/journal-1", "gateway/keys.json", "gateway/hdd/catalog.db", "router/keys.json", "run.json",
        })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(Data, name))!);
            File.WriteAllText(Path.Combine(Data, name), name);
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_lost_nodes_folder_comes_back_and_what_is_there_stays_as_it_is()
    {
        Assert.Equal(["credentials.json", "agent/devices.json", "agent/map/state", "gateway/keys.json", "router/keys.json"], BackupFile.Write(Data, Saved));
        Directory.Delete(Path.Combine(Data, "agent"), recursive: true);
        File.WriteAllText(Path.Combine(Data, "router/keys.json"), "newer");

        var (written, left) = BackupFile.Restore(Saved, Data, replace: false);

        Assert.Equal(["agent/devices.json", "agent/map/state"], written);
        Assert.Equal(3, left.Count);
        Assert.Equal("agent/devices.json", File.ReadAllText(Path.Combine(Data, "agent/devices.json")));
        Assert.Equal("newer", File.ReadAllText(Path.Combine(Data, "router/keys.json")));
        BackupFile.Restore(Saved, Data, replace: true);
        Assert.Equal("router/keys.json", File.ReadAllText(Path.Combine(Data, "router/keys.json")));
    }

    [Fact]
    public void Secrets_in_it_are_for_its_owner_alone()
    {
        BackupFile.Write(Data, Saved);
        BackupFile.Restore(Saved, Path.Combine(_folder, "other"), replace: false);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Saved));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_folder, "other", "credentials.json")));
        }
    }

    [Fact]
    public void A_damaged_backup_and_an_empty_folder_are_refused_before_anything_is_written()
    {
        BackupFile.Write(Data, Saved);
        var bytes = File.ReadAllBytes(Saved);
        var target = Path.Combine(_folder, "other");
        for (var cut = 0; cut < bytes.Length; cut += 37)
        {
            File.WriteAllBytes(Saved, bytes[..cut]);
            Assert.Equal(ExitCode.NotHere, Assert.Throws<CommandException>(() => BackupFile.Restore(Saved, target, replace: true)).ExitCode);
        }
        Assert.False(Directory.Exists(target));
        Assert.Throws<CommandException>(() => BackupFile.Write(Path.Combine(_folder, "nothing"), Saved));
    }
}

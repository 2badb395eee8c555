using System.Net;
using System.Text;
using Foretier.Agent.Ingest.Identity;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Ingest;

public sealed class DeviceRegistryTests : IDisposable
{
    private static readonly DeviceName Boiler = new("acme", "boiler-1");
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-devices-").FullName;
    private readonly FakeTimeProvider _clock = new();

    private string FilePath => Path.Combine(_folder, "devices.json");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("acme/boiler-1", true)]
    [InlineData("acme/*", true)]
    [InlineData("*/*", false)]
    [InlineData("acme", false)]
    [InlineData("acme/", false)]
    [InlineData("acme/a/b", false)]
    [InlineData("acme/a b", false)]
    [InlineData(null, false)]
    public void A_user_name_is_account_and_device_or_star(string? user, bool valid) => Assert.Equal(valid, DeviceName.TryParse(user, out _));

    [Fact]
    public void A_generated_secret_works_after_a_restart_and_is_nowhere_in_the_file()
    {
        var secret = Open().Add(Boiler)!;
        Assert.Equal(SecretHash.GeneratedLength, secret.Length);
        var registry = Open();
        Assert.True(Authenticates(registry, "acme/boiler-1", secret));
        Assert.False(Authenticates(registry, "acme/boiler-1", secret + "x"));
        Assert.False(Authenticates(registry, "acme/boiler-2", secret));
        Assert.False(Authenticates(registry, "acme/*", secret));
        Assert.DoesNotContain(secret, File.ReadAllText(FilePath), StringComparison.Ordinal);
        Assert.Equal(SecretHash.Generated, registry.Find(Boiler)!.Secret!.Algorithm);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(FilePath));
        }
    }

    [Fact]
    public void A_chosen_secret_is_hashed_slowly()
    {
        var registry = Open();
        registry.Set(Boiler, "hunter2", generated: false);
        Assert.Equal((SecretHash.Chosen, 210_000), (registry.Find(Boiler)!.Secret!.Algorithm, registry.Find(Boiler)!.Secret!.Rounds));
        Assert.True(Authenticates(registry, "acme/boiler-1", "hunter2"));
        Assert.False(Authenticates(registry, "acme/boiler-1", "hunter3"));
        // The second time it is known from memory, until it changes.
        Assert.True(Authenticates(registry, "acme/boiler-1", "hunter2"));
        registry.Set(Boiler, "hunter3", generated: false);
        Assert.False(Authenticates(registry, "acme/boiler-1", "hunter2"));
    }

    [Theory]
    [InlineData("acme", "a b")]
    [InlineData("a/b", "c")]
    [InlineData("*", "*")]
    public void A_name_that_is_none_gets_no_secret(string account, string device) =>
        Assert.Throws<ArgumentException>(() => Open().Rotate(new(account, device)));

    [Fact]
    public void Adding_twice_keeps_the_first_secret_and_rotating_replaces_it()
    {
        var registry = Open();
        var first = registry.Add(Boiler)!;
        Assert.Null(registry.Add(Boiler));
        var second = registry.Rotate(Boiler);
        Assert.False(Authenticates(registry, "acme/boiler-1", first));
        Assert.True(Authenticates(registry, "acme/boiler-1", second));
    }

    [Fact]
    public void Revoking_says_so_and_holds_across_a_restart()
    {
        var registry = Open();
        var secret = registry.Add(Boiler)!;
        DeviceName? told = null;
        registry.SecretChanged += name => told = name;
        Assert.True(registry.Revoke(Boiler));
        Assert.Equal(Boiler, told);
        Assert.False(Authenticates(Open(), "acme/boiler-1", secret));
        Assert.False(registry.Revoke(Boiler));
    }

    [Fact]
    public void Setting_the_same_secret_again_disturbs_nobody()
    {
        var registry = Open();
        var secret = SecretHash.NewSecret();
        registry.Set(Boiler, secret, generated: true);
        registry.SecretChanged += _ => Assert.Fail("nothing changed");
        registry.Set(Boiler, secret, generated: true);
        Assert.True(Authenticates(registry, "acme/boiler-1", secret));
    }

    [Fact]
    public void A_device_met_through_a_concentrator_is_kept_and_cannot_log_in()
    {
        var registry = Open();
        registry.Meet(Boiler);
        registry.Save();
        var device = Assert.Single(Open().Devices);
        Assert.Equal(Boiler, device.Name);
        Assert.False(Authenticates(Open(), "acme/boiler-1", ""));
    }

    [Theory]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("""{"format":3,"devices":[]}""")]
    [InlineData("""{"format":1,"devices":[{"name":"no slash","createdAt":0,"secret":null}]}""")]
    [InlineData("""{"format":1,"devices":[{"name":"a/b","createdAt":0,"secret":{"algorithm":"md5","rounds":1,"salt":"AAAA","hash":"AAAA"}}]}""")]
    public void A_damaged_file_stops_the_start_and_is_left_alone(string content)
    {
        File.WriteAllText(FilePath, content);
        var broken = Assert.Throws<DeviceFileException>(Open);
        Assert.Contains(FilePath, broken.Message, StringComparison.Ordinal);
        Assert.Equal(content, File.ReadAllText(FilePath));
    }

    [Fact]
    public void Whichever_bit_of_the_file_flips_the_devices_are_those_written_and_the_damage_is_named()
    {
        var secret = Open().Add(Boiler)!;
        var whole = File.ReadAllBytes(FilePath);
        for (var bit = 0; bit < whole.Length * 8; bit += 7)
        {
            var flipped = (byte[])whole.Clone();
            flipped[bit / 8] ^= (byte)(1 << bit % 8);
            File.WriteAllBytes(FilePath, flipped);
            var registry = Open();
            Assert.Equal(Boiler, Assert.Single(registry.Devices).Name);
            Assert.True(Authenticates(registry, "acme/boiler-1", secret));
            Assert.Contains(FilePath, registry.Problem, StringComparison.Ordinal);
            Assert.Equal(whole, File.ReadAllBytes(FilePath));
            Assert.Null(Open().Problem);
        }
    }

    [Fact]
    public void With_both_copies_damaged_the_start_is_refused()
    {
        Open().Add(Boiler);
        foreach (var path in new[] { FilePath, FilePath + ".copy" })
        {
            var bytes = File.ReadAllBytes(path);
            bytes[bytes.AsSpan().IndexOf("boiler"u8)] ^= 1;
            File.WriteAllBytes(path, bytes);
        }
        Assert.Contains(FilePath, Assert.Throws<DeviceFileException>(Open).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Guessing_from_one_address_is_slowed_down_and_others_are_not()
    {
        var throttle = new FailureThrottle(3, TimeSpan.FromSeconds(2), _clock);
        var (guesser, other) = (IPAddress.Parse("192.0.2.1"), IPAddress.Parse("192.0.2.2"));
        for (var i = 0; i < 3; i++)
        {
            Assert.True(throttle.Allows(guesser, "acme/a"));
            throttle.Failed(guesser, "acme/a");
        }
        Assert.False(throttle.Allows(guesser, "acme/b"));
        Assert.True(throttle.Allows(other, "acme/a"));
        _clock.Advance(TimeSpan.FromSeconds(2));
        Assert.True(throttle.Allows(guesser, "acme/b"));
    }

    private DeviceRegistry Open() => DeviceRegistry.Open(FilePath, _clock);

    private static bool Authenticates(DeviceRegistry registry, string user, string secret) =>
        registry.TryAuthenticate(user, Encoding.UTF8.GetBytes(secret), out _);
}

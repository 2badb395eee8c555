using System.Text;
using Foretier.Agent.Ingest.Identity;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Ingest;

/// <summary>Who is let in, for how long, and what ends it.</summary>
public sealed class AccessTests : IDisposable
{
    private static readonly DeviceName Boiler = new("acme", "boiler-1");
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-access-").FullName;
    private readonly FakeTimeProvider _clock = new();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void After_a_rotation_the_former_secret_works_for_its_grace_and_no_longer()
    {
        var registry = Open();
        var first = registry.Add(Boiler)!;
        var closed = new List<DeviceName>();
        registry.SecretChanged += closed.Add;
        var second = registry.Rotate(Boiler, TimeSpan.FromHours(1));
        Assert.Empty(closed);
        registry = Open();
        registry.SecretChanged += closed.Add;
        Assert.NotNull(Admit(registry, first));
        Assert.NotNull(Admit(registry, second));
        registry.EndGraces();
        Assert.Empty(closed);
        _clock.Advance(TimeSpan.FromHours(1));
        Assert.Null(Admit(registry, first));
        Assert.NotNull(Admit(registry, second));
        registry.EndGraces();
        Assert.Equal([Boiler], closed);
        registry.EndGraces();
        Assert.Single(closed);
    }

    [Fact]
    public void A_rotation_without_grace_ends_the_former_secret_at_once()
    {
        var registry = Open();
        var first = registry.Add(Boiler)!;
        registry.Rotate(Boiler, TimeSpan.FromHours(1));
        registry.Rotate(Boiler);
        Assert.Null(Admit(registry, first));
    }

    [Fact]
    public void Every_change_of_credentials_or_rights_makes_an_admission_stale()
    {
        var registry = Open();
        var secret = registry.Add(Boiler)!;
        registry.PutAccount("acme", null);
        foreach (var change in new Action[]
        {
            () => registry.SetRules(Boiler, new(["v1/acme/boiler-1/t"], null)),
            () => registry.SetRules(Boiler, null),
            () => registry.PutAccount("acme", new(["v1/acme/{device}/+"], null)),
            () => registry.Set(Boiler, secret = SecretHash.NewSecret(), generated: true),
            () => registry.Revoke(Boiler),
            () => registry.Set(Boiler, secret, generated: true),
            () => registry.RemoveAccount("acme"),
            () => registry.Set(Boiler, secret, generated: true),
            () => registry.Remove(Boiler),
        })
        {
            var admission = Admit(registry, secret);
            Assert.True(admission is null || registry.IsCurrent(admission));
            change();
            Assert.False(admission is not null && registry.IsCurrent(admission));
        }
    }

    [Fact]
    public void Rules_accounts_and_expectations_survive_a_restart()
    {
        var registry = Open();
        registry.Add(Boiler);
        registry.SetRules(Boiler, new(["v1/acme/boiler-1/t"], []));
        registry.Expect(Boiler, TimeSpan.FromSeconds(60));
        registry.PutAccount("acme", new(null, ["v1/acme/{device}/+"]));
        registry = Open();
        var device = registry.Find(Boiler)!;
        Assert.Equal(["v1/acme/boiler-1/t"], device.Rules!.Publish);
        Assert.Empty(device.Rules.Subscribe!);
        Assert.Equal(60_000_000, device.Presence.Told);
        Assert.Equal(["v1/acme/{device}/+"], Assert.Single(registry.Accounts).Rules!.Subscribe);
    }

    [Fact]
    public void Removing_an_account_ends_all_its_devices_and_no_others()
    {
        var registry = Open();
        var secret = registry.Add(Boiler)!;
        registry.Add(new("acme", "*"));
        registry.Add(new("other", "x"));
        var closed = new List<string>();
        registry.SecretChanged += name => closed.Add(name.ToString());
        Assert.True(registry.RemoveAccount("acme"));
        Assert.Equal(["acme/*", "acme/boiler-1"], closed.Order(StringComparer.Ordinal));
        Assert.Null(Admit(registry, secret));
        Assert.Equal("other/x", Assert.Single(Open().Devices).Name.ToString());
        Assert.False(registry.RemoveAccount("acme"));
    }

    [Fact]
    public void Nobody_is_let_in_without_credentials_unless_an_account_is_named_for_it()
    {
        Assert.Null(Open().Admit(null, default));
        Assert.Null(Open().Admit("", default));
        var registry = DeviceRegistry.Open(Path.Combine(_folder, "devices.json"), _clock, new() { AnonymousAccount = "public" });
        var nobody = registry.Admit(null, default)!;
        Assert.True(nobody.IsAnonymous);
        Assert.True(nobody.Rights.MayPublish(new("public", "x"), "t"));
        Assert.False(nobody.Rights.MayPublish(Boiler, "t"));
        Assert.Null(nobody.Rights.Covers("v1/public/x/t"));
        // Who says who it is must prove it.
        Assert.Null(registry.Admit("public/x", default));
        Assert.Null(registry.Admit(null, "guess"u8));
    }

    private DeviceRegistry Open() => DeviceRegistry.Open(Path.Combine(_folder, "devices.json"), _clock);

    private static Admission? Admit(DeviceRegistry registry, string secret) => registry.Admit("acme/boiler-1", Encoding.UTF8.GetBytes(secret));
}

using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Node.Hosting;
using Foretier.Node.Keys;
using Foretier.Protocol;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Node;

public sealed class KeyRingTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-keys-").FullName;
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 3, 1, 0, 0, 0, TimeSpan.Zero));

    private string FilePath => Path.Combine(_folder, "keys.json");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_key_works_after_a_restart_for_its_accounts_alone_and_is_nowhere_in_the_file()
    {
        var (stored, key) = Open().Create("grafana", ["acme", "globex"], isAdmin: false, life: null);
        var caller = Open().Find(key)!;
        Assert.Equal((stored.Id, false), (caller.Name, caller.IsAdmin));
        Assert.True(caller.MayRead("acme") && caller.MayRead("globex"));
        Assert.False(caller.MayRead("initech"));
        Assert.Null(Open().Find(key + "a"));
        Assert.DoesNotContain(key, File.ReadAllText(FilePath), StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(FilePath));
        }
    }

    [Fact]
    public void A_key_ends_when_it_is_revoked_or_over()
    {
        var ring = Open();
        var (revoked, first) = ring.Create("first", [], isAdmin: true, life: null);
        var (_, second) = ring.Create("second", ["acme"], isAdmin: false, TimeSpan.FromDays(1));
        Assert.Equal("first", ring.Revoke(revoked.Id)?.Name);
        Assert.Null(ring.Revoke(revoked.Id));
        Assert.Null(ring.Find(first));
        _clock.Advance(TimeSpan.FromHours(23));
        Assert.NotNull(ring.Find(second));
        _clock.Advance(TimeSpan.FromHours(2));
        Assert.Null(ring.Find(second));
        Assert.Null(Open().Find(first));
    }

    [Theory]
    [InlineData("", "acme", false, "is no name")]
    [InlineData("k", null, false, "name at least one account")]
    [InlineData("k", "acme", true, "name none")]
    [InlineData("k", "ac me", false, "'ac me' is no account")]
    [InlineData("k", "*", false, "'*' is no account")]
    public void What_cannot_be_is_refused_by_name(string name, string? account, bool isAdmin, string says)
    {
        var ring = Open();
        var refused = Assert.Throws<ArgumentException>(() => ring.Create(name, account is null ? [] : [account], isAdmin, null));
        Assert.Contains(says, refused.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(FilePath));
    }

    [Fact]
    public async Task A_node_below_takes_over_what_it_is_told_and_keeps_it()
    {
        var top = Open();
        var known = top.Current;
        var changed = top.WaitForChangeAsync(known, CancellationToken.None);
        Assert.False(changed.IsCompleted);
        var (stored, key) = top.Create("k", ["acme"], isAdmin: false, null);
        await changed;

        var path = Path.Combine(_folder, "below.json");
        var below = KeyRing.Open(path, null, _clock);
        below.Apply(top.Current);
        Assert.Equal(stored.Id, KeyRing.Open(path, null, _clock).Find(key)?.Name);
        var written = File.GetLastWriteTimeUtc(path);
        below.Apply(top.Current with { });
        Assert.Equal(written, File.GetLastWriteTimeUtc(path));
        below.Apply(KeySet.Empty);
        Assert.Null(KeyRing.Open(path, null, _clock).Find(key));
    }

    [Fact]
    public void What_an_account_is_given_is_told_below_with_the_keys_and_kept()
    {
        var top = Open();
        var (_, key) = top.Create("k", ["acme"], isAdmin: false, null);
        var terms = new AccountTerms { Priority = 3, RetentionSeconds = 86_400, TimeZone = "Europe/Rome", Ssd = new() { BytesMax = 5, PricePerGbMonth = 0.4 } };
        top.SetTerms("acme", terms);
        var path = Path.Combine(_folder, "below.json");
        KeyRing.Open(path, null, _clock).Apply(top.Current);
        var below = KeyRing.Open(path, null, _clock);
        Assert.Equal((terms, AccountTerms.Usual), (below.TermsOf("acme"), below.TermsOf("other")));
        Assert.NotNull(below.Find(key));

        var revision = top.Current.Revision;
        top.SetTerms("acme", terms with { });
        Assert.Equal(revision, top.Current.Revision);
        top.SetTerms("acme", AccountTerms.Usual);
        Assert.Empty(Open().Current.Accounts);
        Assert.NotNull(Open().Find(key));
        // Written by a program that knew of no terms.
        File.Delete(path + ".copy");
        File.WriteAllText(path, "{\"revision\":1,\"keys\":[]}");
        Assert.Equal(AccountTerms.Usual, KeyRing.Open(path, null, _clock).TermsOf("acme"));
    }

    [Theory]
    [InlineData("no/account", 1, null, null, "is no account")]
    [InlineData("acme", 0, null, null, "priority")]
    [InlineData("acme", 1, 0L, null, "retentionSeconds")]
    [InlineData("acme", 1, null, "Mars/Olympus", "Mars/Olympus")]
    public void Terms_that_cannot_be_are_refused_by_name(string account, double priority, long? retention, string? zone, string says)
    {
        var refused = Assert.Throws<ArgumentException>(() => Open().SetTerms(account, new() { Priority = priority, RetentionSeconds = retention, TimeZone = zone }));
        Assert.Contains(says, refused.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(FilePath));
    }

    [Fact]
    public void A_damaged_file_stops_the_start_naming_it()
    {
        File.WriteAllText(FilePath, "{\"revision\":1,\"keys\":[{\"hash\":\"short\"}]}");
        Assert.Contains(FilePath, Assert.Throws<ConfigurationException>(Open).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_that_asks_too_much_is_told_to_wait_and_others_are_not()
    {
        using var limits = new KeyLimits(10);
        Caller greedy = new("greedy", ["acme"], false), modest = new("modest", ["acme"], false);
        for (var i = 0; i < 20; i++)
        {
            Assert.Null(limits.WaitOf(greedy));
        }
        // The bucket may get a drop of its own while this runs on a slow machine: it does not get a hundred.
        Assert.Contains(Enumerable.Range(0, 100), _ => limits.WaitOf(greedy) > TimeSpan.Zero);
        Assert.Null(limits.WaitOf(modest));
        Assert.Null(limits.WaitOf(Caller.Node));
    }

    private KeyRing Open() => KeyRing.Open(FilePath, null, _clock);
}

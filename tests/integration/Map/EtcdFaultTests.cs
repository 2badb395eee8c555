using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Etcdserverpb;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Node.Hosting;
using Foretier.Node.Map;
using Foretier.Router.Etcd;
using Foretier.Router.Map;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;

namespace Foretier.Tests.Map;

/// <summary>etcd as it is on a bad day: leaders die, history is compacted, strangers are refused.</summary>
public sealed class EtcdFaultTests(ITestOutputHelper output)
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Leader_is_killed_twice_and_the_watch_goes_on_with_nothing_missing_or_doubled()
    {
        await using var etcd = await RunningEtcd.StartAsync(3);
        using var cluster = EtcdCluster.Open(new() { Endpoints = etcd.Endpoints, DeadlineSeconds = 2 });
        var told = new ConcurrentQueue<long>();
        await using var follower = new EtcdFollower(cluster, "/n/", () => new(_ => { }, _ => { }), (events, _) =>
        {
            foreach (var change in events)
            {
                told.Enqueue(long.Parse(change.Kv.Value.ToStringUtf8()));
            }
        }, TimeProvider.System, NullLogger.Instance);
        follower.Start();
        await RunningEtcd.UntilAsync(() => follower.Problem is null);

        long written = 0;
        using var enough = new CancellationTokenSource();
        var writing = Task.Run(async () =>
        {
            while (!enough.IsCancellationRequested)
            {
                // Asked again after a failure it is done once: then it is there already.
                var key = $"/n/{written + 1:D9}";
                var put = new RequestOp { RequestPut = new() { Key = ByteString.CopyFromUtf8(key), Value = ByteString.CopyFromUtf8($"{written + 1}") } };
                try
                {
                    await cluster.TryAsync(new() { Key = ByteString.CopyFromUtf8(key), Target = Compare.Types.CompareTarget.Version, Version = 0 }, [put], None);
                    written++;
                }
                catch (EtcdException)
                {
                    // No leader just now.
                }
            }
        });
        for (var round = 1; round <= 2; round++)
        {
            var before = Interlocked.Read(ref written);
            await RunningEtcd.UntilAsync(() => Interlocked.Read(ref written) > before + 100);
            var leader = await LeaderAsync(etcd);
            etcd.Kill(leader);
            before = Interlocked.Read(ref written);
            await RunningEtcd.UntilAsync(() => Interlocked.Read(ref written) > before + 100);
            await etcd.RestartAsync(leader);
        }
        await enough.CancelAsync();
        await writing;
        await RunningEtcd.UntilAsync(() => told.Count >= written);

        Assert.Equal(Enumerable.Range(1, (int)written).Select(n => (long)n), told);
        Assert.Equal(1, follower.Loads);
        output.WriteLine($"{written} written, {told.Count} told, leader killed twice");
    }

    [Fact]
    public async Task Routers_go_on_with_the_last_known_map_while_etcd_is_gone_and_follow_again_when_it_is_back()
    {
        await using var etcd = await RunningEtcd.StartAsync();
        using var cluster = EtcdCluster.Open(new() { Endpoints = etcd.Endpoints, DeadlineSeconds = 1 });
        await using var store = new EtcdMapStore(cluster, TimeProvider.System, NullLogger<EtcdMapStore>.Instance);
        await RunningEtcd.UntilAsync(() => store.Problem is null);
        await store.PutAsync("edge-1", PartitionMapUpdate.Whole(MapOf("edge-1", 1)), None);

        etcd.Kill(etcd.Endpoints);
        await RunningEtcd.UntilAsync(() => store.Problem is not null);
        Assert.Contains("going on with the partition map of revision", store.Problem);
        Assert.Single(store.Current.Entries);
        var failure = await Assert.ThrowsAsync<EtcdException>(() => store.PutAsync("edge-1", PartitionMapUpdate.Whole(MapOf("edge-1", 2)), None));
        Assert.StartsWith("etcd cannot be reached at 127.0.0.1:", failure.Message);

        await etcd.RestartAsync(etcd.Endpoints);
        await RunningEtcd.UntilAsync(() => store.Problem is null);
        Assert.Equal(MapPut.Stored, await store.PutAsync("edge-1", PartitionMapUpdate.Between(MapOf("edge-1", 1), MapOf("edge-1", 2)), None));
        Assert.Equal(2, store.RevisionOf("edge-1"));
        Assert.Equal(1, store.Loads);
    }

    [Fact]
    public async Task What_was_compacted_away_meanwhile_is_read_anew()
    {
        await using var etcd = await RunningEtcd.StartAsync();
        using var cluster = EtcdCluster.Open(new() { Endpoints = etcd.Endpoints, DeadlineSeconds = 1 });
        var clock = new Held();
        await using var behind = new EtcdMapStore(cluster, clock, NullLogger<EtcdMapStore>.Instance);
        await using var ahead = new EtcdMapStore(cluster, TimeProvider.System, NullLogger<EtcdMapStore>.Instance);
        await RunningEtcd.UntilAsync(() => behind.Problem is null && ahead.Problem is null);
        await ahead.PutAsync("edge-1", PartitionMapUpdate.Whole(MapOf("edge-1", 1)), None);
        await ahead.PutAsync("edge-2", PartitionMapUpdate.Whole(MapOf("edge-2", 1)), None);
        await behind.WaitForChangeAsync(ahead.Current.Revision - 1, None);

        // One of two routers does not get through for a while; the other writes, and etcd forgets.
        clock.Hold();
        etcd.Kill(etcd.Endpoints);
        await RunningEtcd.UntilAsync(() => behind.Problem is not null);
        await etcd.RestartAsync(etcd.Endpoints);
        await RunningEtcd.UntilAsync(() => ahead.Problem is null);
        await ahead.RemoveAsync("edge-2", None);
        for (var revision = 2; revision <= 20; revision++)
        {
            await ahead.PutAsync("edge-1", PartitionMapUpdate.Whole(MapOf("edge-1", revision)), None);
        }
        using (var channel = GrpcChannel.ForAddress(etcd.Endpoints))
        {
            await new KV.KVClient(channel).CompactAsync(new() { Revision = ahead.Current.Revision, Physical = true });
        }
        clock.Release();

        await RunningEtcd.UntilAsync(() => behind.RevisionOf("edge-1") == 20);
        Assert.Equal(["edge-1"], behind.Current.Edges);
        Assert.Equal(2, behind.Loads);
        Assert.Equal(1, ahead.Loads);
    }

    [Fact]
    public async Task A_member_that_lags_behind_is_waited_for_and_nothing_is_read_anew()
    {
        await using var etcd = await RunningEtcd.StartAsync(3);
        var leader = await LeaderAsync(etcd);
        var others = etcd.Addresses.Where(address => address != leader).ToList();
        var (ends, lags) = (others[0], others[1]);
        using var cluster = EtcdCluster.Open(new() { Endpoints = $"{ends},{lags}", DeadlineSeconds = 10 });
        using var writer = EtcdCluster.Open(new() { Endpoints = leader, DeadlineSeconds = 10 });
        var clock = new Held();
        var told = 0;
        await using var follower = new EtcdFollower(cluster, "/n/", () => new(_ => { }, _ => { }), (events, _) => Interlocked.Add(ref told, events.Count), clock, NullLogger.Instance);
        follower.Start();
        await RunningEtcd.UntilAsync(() => follower.Problem is null);

        etcd.Pause(lags);
        await WriteAsync(writer, 1, 500);
        await RunningEtcd.UntilAsync(() => Volatile.Read(ref told) == 500);
        clock.Hold();
        etcd.Kill(ends);
        await RunningEtcd.UntilAsync(() => follower.Problem is not null);
        clock.Release();
        etcd.Resume(lags);

        await RunningEtcd.UntilAsync(() => follower.Problem is null);
        await WriteAsync(writer, 501, 600);
        await RunningEtcd.UntilAsync(() => Volatile.Read(ref told) == 600);
        Assert.Equal(1, follower.Loads);
    }

    [Fact]
    public async Task An_etcd_that_began_anew_is_read_anew()
    {
        await using var etcd = await RunningEtcd.StartAsync();
        using var cluster = EtcdCluster.Open(new() { Endpoints = etcd.Endpoints, DeadlineSeconds = 1 });
        await using var store = new EtcdMapStore(cluster, TimeProvider.System, NullLogger<EtcdMapStore>.Instance);
        await RunningEtcd.UntilAsync(() => store.Problem is null);
        await store.PutAsync("edge-1", PartitionMapUpdate.Whole(MapOf("edge-1", 1)), None);
        await store.PutAsync("edge-2", PartitionMapUpdate.Whole(MapOf("edge-2", 1)), None);

        etcd.Kill(etcd.Endpoints);
        await RunningEtcd.UntilAsync(() => store.Problem is not null);
        await etcd.RestartAsync(etcd.Endpoints, isEmpty: true);

        await RunningEtcd.UntilAsync(() => store.Loads == 2 && store.Problem is null);
        Assert.Empty(store.Current.Edges);
    }

    [Fact]
    public async Task Over_tls_with_certificates_user_and_password_and_strangers_are_told_why_not()
    {
        var folder = Directory.CreateTempSubdirectory("foretier-etcd-tls-").FullName;
        var files = Certificates.Make(folder);
        await using var etcd = await RunningEtcd.StartAsync(1, "https", "--cert-file", files.Server, "--key-file", files.ServerKey, "--client-cert-auth", "--trusted-ca-file", files.Ca);
        EtcdOptions Options() => new() { Endpoints = etcd.Endpoints, CaFile = files.Ca, CertificateFile = files.Client, KeyFile = files.ClientKey, DeadlineSeconds = 3 };
        await Certificates.RequireUserAsync(etcd.Endpoints, files, "foretier", "s3cret", "/foretier/");

        var known = Options();
        (known.User, known.Password) = ("foretier", "s3cret");
        using (var cluster = EtcdCluster.Open(known))
        await using (var store = new EtcdMapStore(cluster, TimeProvider.System, NullLogger<EtcdMapStore>.Instance))
        {
            await RunningEtcd.UntilAsync(() => store.Problem is null);
            Assert.Equal(MapPut.Stored, await store.PutAsync("edge-1", PartitionMapUpdate.Whole(MapOf("edge-1", 1)), None));
            Assert.Equal(1, store.RevisionOf("edge-1"));
        }

        async Task RefusedAsync(Action<EtcdOptions> change, string reason)
        {
            var wrong = Options();
            (wrong.User, wrong.Password) = ("foretier", "s3cret");
            change(wrong);
            using var cluster = EtcdCluster.Open(wrong);
            var failure = await Assert.ThrowsAsync<EtcdException>(() => cluster.GetAsync("/foretier/x", None));
            Assert.Contains(reason, failure.Message);
            Assert.DoesNotContain("s3cret", failure.Message);
        }
        await RefusedAsync(wrong => wrong.Password = "guess", "check FORETIER__ETCD__USER and __PASSWORD");
        await RefusedAsync(wrong => wrong.CaFile = null, "etcd cannot be reached");
        await RefusedAsync(wrong => wrong.CertificateFile = wrong.KeyFile = null, "etcd cannot be reached");
        using (var elsewhere = EtcdCluster.Open(known))
        {
            var outside = await Assert.ThrowsAsync<EtcdException>(() => elsewhere.GetAsync("/other/x", None));
            Assert.Contains("the user's role covers the prefix", outside.Message);
        }
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData("nonsense", null, null, "FORETIER__ETCD__ENDPOINTS 'nonsense'")]
    [InlineData("http://a:1,https://b:1", null, null, "mixes http and https")]
    [InlineData("http://a:1", "foretier", null, "FORETIER__ETCD__PASSWORD is not")]
    [InlineData("https://a:1", null, "/no/such.pem", "a certificate for etcd cannot be read")]
    public void Impossible_settings_are_named(string endpoints, string? user, string? ca, string reason)
    {
        var refused = Assert.Throws<ConfigurationException>(() => EtcdCluster.Open(new() { Endpoints = endpoints, User = user, CaFile = ca }));
        Assert.Contains(reason, refused.Message);
    }

    private static async Task WriteAsync(EtcdCluster cluster, int first, int last)
    {
        for (var n = first; n <= last; n++)
        {
            var key = ByteString.CopyFromUtf8($"/n/{n:D9}");
            await cluster.TryAsync(new() { Key = key, Target = Compare.Types.CompareTarget.Version, Version = 0 }, [new() { RequestPut = new() { Key = key } }], None);
        }
    }

    private static PartitionMap MapOf(string edge, long revision)
    {
        var id = new PartitionId("acme", "g0", 1, Window.DayOf(1_767_571_200L * Instant.Second));
        return new(revision, [new(edge, "acme", "g0", 1, ["acme/a/t"], 1)], [new(id, edge, 1, revision, revision, default, AccessPattern.Rare, Tier.Hdd, [], revision)]);
    }

    private static async Task<string> LeaderAsync(RunningEtcd etcd)
    {
        while (true)
        {
            foreach (var address in etcd.Addresses)
            {
                try
                {
                    using var channel = GrpcChannel.ForAddress(address);
                    var status = await new Maintenance.MaintenanceClient(channel).StatusAsync(new(), deadline: DateTime.UtcNow.AddSeconds(2));
                    if (status.Leader != 0 && status.Leader == status.Header.MemberId)
                    {
                        return address;
                    }
                }
                catch (RpcException)
                {
                    // Not up yet.
                }
            }
            await Task.Delay(50);
        }
    }

    /// <summary>A clock whose waits can be held up: who waits for it does not try again.</summary>
    private sealed class Held : TimeProvider
    {
        private readonly ConcurrentQueue<Action> _waiting = new();
        private volatile bool _isHeld;

        public void Hold() => _isHeld = true;

        public void Release()
        {
            _isHeld = false;
            while (_waiting.TryDequeue(out var go))
            {
                go();
            }
        }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            if (!_isHeld || dueTime == Timeout.InfiniteTimeSpan)
            {
                return base.CreateTimer(callback, state, dueTime, period);
            }
            var timer = base.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _waiting.Enqueue(() => timer.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan));
            return timer;
        }
    }
}

/// <summary>An authority with a server's and a client's certificate, as PEM files.</summary>
internal static class Certificates
{
    public sealed record Files(string Ca, string Server, string ServerKey, string Client, string ClientKey);

    public static Files Make(string folder)
    {
        string In(string name) => Path.Combine(folder, name);
        using var caKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=test authority", caKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        using var ca = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        File.WriteAllText(In("ca.pem"), ca.ExportCertificatePem());
        foreach (var name in new[] { "server", "client" })
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var own = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
            var names = new SubjectAlternativeNameBuilder();
            names.AddIpAddress(System.Net.IPAddress.Loopback);
            own.CertificateExtensions.Add(names.Build());
            own.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new("1.3.6.1.5.5.7.3.1"), new("1.3.6.1.5.5.7.3.2")], false));
            using var signed = own.Create(ca, ca.NotBefore, ca.NotAfter, RandomNumberGenerator.GetBytes(8));
            File.WriteAllText(In(name + ".pem"), signed.ExportCertificatePem());
            File.WriteAllText(In(name + ".key"), key.ExportPkcs8PrivateKeyPem());
        }
        return new(In("ca.pem"), In("server.pem"), In("server.key"), In("client.pem"), In("client.key"));
    }

    /// <summary>Turns etcd's authentication on, with one user whose role covers one prefix.</summary>
    public static async Task RequireUserAsync(string endpoint, Files files, string user, string password, string prefix)
    {
        using var handler = new SocketsHttpHandler();
        var trusted = new X509Certificate2Collection();
        trusted.ImportFromPemFile(files.Ca);
        handler.SslOptions.CertificateChainPolicy = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        handler.SslOptions.CertificateChainPolicy.CustomTrustStore.AddRange(trusted);
        handler.SslOptions.ClientCertificates = [X509Certificate2.CreateFromPemFile(files.Client, files.ClientKey)];
        using var channel = GrpcChannel.ForAddress(endpoint, new() { HttpHandler = handler });
        var auth = new Auth.AuthClient(channel);
        await auth.RoleAddAsync(new() { Name = "routers" });
        await auth.RoleGrantPermissionAsync(new()
        {
            Name = "routers",
            Perm = new() { Key = ByteString.CopyFromUtf8(prefix), RangeEnd = EtcdCluster.EndOf(prefix), PermType = Authpb.Permission.Types.Type.Readwrite },
        });
        await auth.UserAddAsync(new() { Name = "root", Password = "r00t" });
        await auth.UserGrantRoleAsync(new() { User = "root", Role = "root" });
        await auth.UserAddAsync(new() { Name = user, Password = password });
        await auth.UserGrantRoleAsync(new() { User = user, Role = "routers" });
        await auth.AuthEnableAsync(new());
    }
}

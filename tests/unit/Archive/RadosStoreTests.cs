using Foretier.Archive.Stores;

namespace Foretier.Tests.Unit.Archive;

/// <summary>The store against a real S3 server: what every store does, and what only such a server can judge.</summary>
[Collection(RadosServer.Collection)]
public sealed class RadosStoreTests : ObjectStoreContract
{
    private readonly RadosServer _server;
    private readonly S3Options _options;

    public RadosStoreTests(RadosServer server)
    {
        (_server, _options) = (server, server.Options());
        Store = new S3Store(_options);
    }

    protected override ObjectStore Store { get; }

    [Fact]
    public async Task Signatures_are_checked_and_a_wrong_secret_is_said_to_be_one()
    {
        using var store = new S3Store(_options with { Credentials = _options.Credentials with { SecretKey = "wrong" } });

        foreach (var call in new Func<Task>[]
        {
            () => store.PutAsync("k", new byte[] { 1 }, default),
            () => store.GetAsync("k", default),
            () => store.StatAsync("k", default),
            async () => await store.ListAsync("", default).ToListAsync(),
        })
        {
            var fault = await Assert.ThrowsAsync<ArchiveException>(call);
            Assert.True(fault.Kind == ArchiveFault.Denied, fault.ToString());
        }
        Assert.Empty(await Store.ListAsync("", default).ToListAsync());
    }

    [Fact]
    public async Task Over_TLS_the_server_is_trusted_by_the_authority_of_the_location_and_by_no_other()
    {
        using var trusting = new S3Store(_options with { Endpoint = _server.TlsEndpoint, AuthorityPath = _server.AuthorityPath });
        await trusting.PutAsync("k", new byte[] { 1, 2, 3 }, default);
        Assert.Equal([2, 3], await trusting.GetRangeAsync("k", 1, 2, default));
        Assert.Equal(3, (await trusting.ListAsync("", default).ToListAsync()).Single().Bytes);

        using var doubting = new S3Store(_options with { Endpoint = _server.TlsEndpoint, Attempts = 1 });
        Assert.Equal(ArchiveFault.Unreachable, (await Assert.ThrowsAsync<ArchiveException>(() => doubting.GetAsync("k", default))).Kind);
    }

    [Fact]
    public async Task Temporary_credentials_work_with_their_session_token_only()
    {
        var temporary = _server.Session;
        using var store = new S3Store(_options with { Credentials = temporary });
        await store.PutAsync("k", new byte[] { 4, 5 }, default);
        Assert.Equal([5], await store.GetRangeAsync("k", 1, 1, default));
        Assert.Equal(2, (await store.StatAsync("k", default))!.Bytes);
        Assert.Equal("k", (await store.ListAsync("", default).ToListAsync()).Single().Key);
        await store.DeleteAsync("k", default);

        using var without = new S3Store(_options with { Credentials = temporary with { SessionToken = null } });
        Assert.Equal(ArchiveFault.Denied, (await Assert.ThrowsAsync<ArchiveException>(() => without.PutAsync("k", new byte[] { 1 }, default))).Kind);
    }

    [Fact]
    public async Task A_listing_of_more_than_a_page_is_whole()
    {
        await Parallel.ForEachAsync(Enumerable.Range(0, 1_050), new ParallelOptions { MaxDegreeOfParallelism = 16 },
            async (i, cancel) => await Store.PutAsync($"p/{i:0000}", ReadOnlyMemory<byte>.Empty, cancel));

        Assert.Equal(Enumerable.Range(0, 1_050).Select(i => $"p/{i:0000}"), await Store.ListAsync("p/", default).Select(o => o.Key).ToListAsync());
    }
}

/// <summary>What was published comes back the same from a real S3 server.</summary>
[Collection(RadosServer.Collection)]
public sealed class ArchiveRoundTripOnRadosTests(RadosServer server) : ArchiveRoundTripTests(new ArchiveBench(new S3Store(server.Options())));

/// <summary>The catalog read from a real S3 server.</summary>
[Collection(RadosServer.Collection)]
public sealed class ArchiveCatalogOnRadosTests(RadosServer server) : ArchiveCatalogTests(new ArchiveBench(new S3Store(server.Options())));

/// <summary>An archive on a real S3 server put in order.</summary>
[Collection(RadosServer.Collection)]
public sealed class ArchiveTidyOnRadosTests(RadosServer server) : ArchiveTidyTests(new ArchiveBench(new S3Store(server.Options())));

/// <summary>Rollups on a real S3 server.</summary>
[Collection(RadosServer.Collection)]
public sealed class ArchiveRollupOnRadosTests(RadosServer server) : ArchiveRollupTests(new ArchiveBench(new S3Store(server.Options())));

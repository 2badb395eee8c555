using System.Security.Cryptography;
using Foretier.Archive.Stores;

namespace Foretier.Tests.Unit.Archive;

/// <summary>What every object store does; each form runs these same tests.</summary>
public abstract class ObjectStoreContract : IDisposable
{
    protected abstract ObjectStore Store { get; }

    [Fact]
    public async Task An_object_comes_back_as_it_was_put()
    {
        var content = RandomNumberGenerator.GetBytes(300_000);
        await Store.PutAsync("v1/raw/a.parquet", content, default);

        Assert.Equal(content, await Store.GetAsync("v1/raw/a.parquet", default));
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(content)), await Store.DigestAsync("v1/raw/a.parquet", default));
        Assert.Equal(300_000, (await Store.StatAsync("v1/raw/a.parquet", default))!.Bytes);
    }

    [Fact]
    public async Task An_object_may_be_empty()
    {
        await Store.PutAsync("empty", ReadOnlyMemory<byte>.Empty, default);

        Assert.Empty(await Store.GetAsync("empty", default));
        Assert.Equal(0, (await Store.StatAsync("empty", default))!.Bytes);
    }

    [Fact]
    public async Task A_stream_is_put_from_its_position_and_left_open()
    {
        using var content = new MemoryStream([1, 2, 3, 4]);
        content.Position = 1;
        await Store.PutAsync("tail", content, default);

        Assert.Equal([2, 3, 4], await Store.GetAsync("tail", default));
        Assert.True(content.CanRead);
    }

    [Fact]
    public async Task Putting_again_replaces_the_object_and_its_tag()
    {
        await Store.PutAsync("k", new byte[] { 1, 2 }, default);
        var before = await Store.StatAsync("k", default);
        await Store.PutAsync("k", new byte[] { 3, 4, 5 }, default);

        Assert.Equal([3, 4, 5], await Store.GetAsync("k", default));
        Assert.NotEqual(before!.Tag, (await Store.StatAsync("k", default))!.Tag);
    }

    [Fact]
    public async Task A_range_is_read_and_ends_with_the_object()
    {
        await Store.PutAsync("r", Enumerable.Range(0, 100).Select(i => (byte)i).ToArray(), default);

        Assert.Equal([10, 11, 12], await Store.GetRangeAsync("r", 10, 3, default));
        Assert.Equal([98, 99], await Store.GetRangeAsync("r", 98, 50, default));
        Assert.Empty(await Store.GetRangeAsync("r", 100, 10, default));
        Assert.Empty(await Store.GetRangeAsync("r", 5, 0, default));
    }

    [Fact]
    public async Task A_listing_has_every_object_below_its_prefix_in_order_with_length_and_tag()
    {
        foreach (var key in new[] { "p/b/2", "p/a=1/x%20y", "p/b/10", "pq", "q/a" })
        {
            await Store.PutAsync(key, new byte[key.Length], default);
        }
        var listed = await Store.ListAsync("p/", default).ToListAsync();

        Assert.Equal(["p/a=1/x%20y", "p/b/10", "p/b/2"], listed.Select(o => o.Key));
        Assert.Equal(listed.Select(o => (long)o.Key.Length), listed.Select(o => o.Bytes));
        Assert.Equal(await Store.StatAsync("p/b/2", default), listed[2]);
        Assert.Equal(["p/b/10", "p/b/2"], await Store.ListAsync("p/b", default).Select(o => o.Key).ToListAsync());
        Assert.Empty(await Store.ListAsync("nothing/", default).ToListAsync());
    }

    [Fact]
    public async Task What_is_not_there_is_said_to_be_missing()
    {
        Assert.Null(await Store.StatAsync("no/such", default));
        Assert.Equal(ArchiveFault.NotFound, (await Assert.ThrowsAsync<ArchiveException>(() => Store.GetAsync("no/such", default))).Kind);
        var fault = await Assert.ThrowsAsync<ArchiveException>(() => Store.GetRangeAsync("no/such", 0, 5, default));
        Assert.Equal((ArchiveFault.NotFound, "get", "no/such"), (fault.Kind, fault.Operation, fault.Key));
    }

    [Fact]
    public async Task A_deleted_object_is_gone_and_deleting_it_again_is_no_error()
    {
        await Store.PutAsync("d", new byte[] { 1 }, default);
        await Store.DeleteAsync("d", default);
        await Store.DeleteAsync("d", default);

        Assert.Null(await Store.StatAsync("d", default));
        Assert.Empty(await Store.ListAsync("d", default).ToListAsync());
    }

    [Theory]
    [InlineData("../escape")]
    [InlineData("a/../../b")]
    [InlineData("/root")]
    [InlineData("a//b")]
    [InlineData("a/.")]
    [InlineData("")]
    public async Task A_key_that_is_no_name_is_refused(string key)
    {
        var fault = await Assert.ThrowsAsync<ArchiveException>(() => Store.PutAsync(key, new byte[] { 1 }, default));
        Assert.Equal(ArchiveFault.Invalid, fault.Kind);
    }

    [Fact]
    public async Task Parallel_puts_of_one_key_leave_one_of_them_whole()
    {
        var contents = Enumerable.Range(1, 8).Select(i => Enumerable.Repeat((byte)i, 50_000 + i).ToArray()).ToArray();
        await Task.WhenAll(contents.Select(c => Store.PutAsync("race", c, default)));

        var left = await Store.GetAsync("race", default);
        Assert.Contains(contents, c => c.AsSpan().SequenceEqual(left));
    }

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing) => Store.Dispose();
}

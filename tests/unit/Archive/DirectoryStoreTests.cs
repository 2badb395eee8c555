using Foretier.Archive.Stores;

namespace Foretier.Tests.Unit.Archive;

public sealed class DirectoryStoreTests : ObjectStoreContract
{
    private readonly string _path = Directory.CreateTempSubdirectory("foretier-store-").FullName;

    public DirectoryStoreTests() => Store = new DirectoryStore(_path);

    protected override ObjectStore Store { get; }

    [Fact]
    public async Task A_put_that_fails_leaves_nothing_and_keeps_the_object_before_it()
    {
        await Store.PutAsync("k", new byte[] { 1 }, default);
        await Assert.ThrowsAsync<ArchiveException>(() => Store.PutAsync("k", new BrokenStream(), default));

        Assert.Equal([1], await Store.GetAsync("k", default));
        Assert.Equal(["k"], await Store.ListAsync("", default).Select(o => o.Key).ToListAsync());
        Assert.Single(Directory.EnumerateFiles(_path, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task What_a_dead_writer_left_is_never_listed_and_is_swept_when_the_store_opens()
    {
        var left = Path.Combine(_path, ".incoming", "1-1");
        Directory.CreateDirectory(Path.GetDirectoryName(left)!);
        await File.WriteAllTextAsync(left, "half");

        Assert.Empty(await Store.ListAsync("", default).ToListAsync());
        using var opened = new DirectoryStore(_path);
        Assert.False(File.Exists(left));
    }

    [Fact]
    public async Task A_directory_that_vanished_is_not_an_empty_archive()
    {
        Directory.Delete(_path, recursive: true);

        var fault = await Assert.ThrowsAsync<ArchiveException>(async () => await Store.ListAsync("", default).ToListAsync());
        Assert.Equal(ArchiveFault.Unreachable, fault.Kind);
        Assert.Equal(ArchiveFault.Unreachable, (await Assert.ThrowsAsync<ArchiveException>(() => Store.GetAsync("k", default))).Kind);
        Assert.Equal(ArchiveFault.Unreachable,
            (await Assert.ThrowsAsync<ArchiveException>(() => Store.PutAsync("k", new byte[] { 1 }, default))).Kind);
    }

    [Fact]
    public void A_location_is_a_path_or_a_file_address()
    {
        using var plain = ObjectStore.Open(_path);
        using var address = ObjectStore.Open("file://" + _path);
        Assert.Equal(_path, plain.ToString());
        Assert.Equal(_path, address.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("http://example.org/x")]
    [InlineData("file://host/share")]
    public void Another_location_is_refused(string location) =>
        Assert.Equal(ArchiveFault.Invalid, Assert.Throws<ArchiveException>(() => ObjectStore.Open(location)).Kind);

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (Directory.Exists(_path))
        {
            Directory.Delete(_path, recursive: true);
        }
    }

    private sealed class BrokenStream : MemoryStream
    {
        public override Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken)
        {
            destination.Write([9, 9, 9]);
            throw new IOException("the source broke");
        }
    }
}

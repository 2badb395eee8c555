using Foretier.Archive.Stores;

namespace Foretier.Tests.Unit.Archive;

public sealed class S3StoreTests : ObjectStoreContract
{
    private const string Secret = "a-secret-that-must-not-be-seen";
    private readonly FakeS3 _server = new("telemetry");

    public S3StoreTests() => Store = new S3Store(Options());

    protected override ObjectStore Store { get; }

    [Theory]
    [InlineData(503, "SlowDown")]
    [InlineData(500, "InternalError")]
    [InlineData(429, "")]
    public async Task A_passing_failure_is_tried_again(int status, string code)
    {
        _server.Faults.Enqueue((status, code));
        _server.Faults.Enqueue((status, code));
        await Store.PutAsync("k", new byte[] { 7, 8 }, default);
        _server.Faults.Enqueue((status, code));
        Assert.Equal([7, 8], await Store.GetAsync("k", default));
        _server.Faults.Enqueue((status, code));
        Assert.Equal("k", (await Store.ListAsync("", default).ToListAsync()).Single().Key);
        _server.Faults.Enqueue((status, code));
        Assert.Equal(2, (await Store.StatAsync("k", default))!.Bytes);
    }

    [Fact]
    public async Task A_lasting_failure_is_given_up_after_the_attempts()
    {
        for (var i = 0; i < 10; i++)
        {
            _server.Faults.Enqueue((503, "SlowDown"));
        }
        var fault = await Assert.ThrowsAsync<ArchiveException>(() => Store.GetAsync("k", default));

        Assert.Equal(ArchiveFault.Unreachable, fault.Kind);
        Assert.Equal(3, _server.Requests.Count);
    }

    [Theory]
    [InlineData("SignatureDoesNotMatch")]
    [InlineData("InvalidAccessKeyId")]
    public async Task Wrong_credentials_are_not_tried_again(string code)
    {
        _server.Faults.Enqueue((403, code));
        Assert.Equal(ArchiveFault.Denied, (await Assert.ThrowsAsync<ArchiveException>(() => Store.GetAsync("k", default))).Kind);
        _server.Faults.Enqueue((403, code));
        Assert.Equal(ArchiveFault.Denied, (await Assert.ThrowsAsync<ArchiveException>(() => Store.StatAsync("k", default))).Kind);
        _server.Faults.Enqueue((403, code));
        Assert.Equal(ArchiveFault.Denied,
            (await Assert.ThrowsAsync<ArchiveException>(async () => await Store.ListAsync("", default).ToListAsync())).Kind);
        Assert.Equal(3, _server.Requests.Count);
    }

    [Fact]
    public async Task A_server_that_never_answers_is_given_up()
    {
        using var store = new S3Store(Options() with { CallTimeout = TimeSpan.FromMilliseconds(50), Attempts = 1 });
        _server.Faults.Enqueue((0, ""));

        var fault = await Assert.ThrowsAsync<ArchiveException>(() => store.GetAsync("k", default));
        Assert.Equal(ArchiveFault.Unreachable, fault.Kind);
    }

    [Fact]
    public async Task A_missing_bucket_is_named()
    {
        using var store = new S3Store(Options() with { Bucket = "absent" });

        var fault = await Assert.ThrowsAsync<ArchiveException>(() => store.PutAsync("k", new byte[] { 1 }, default));
        Assert.Equal(ArchiveFault.Invalid, fault.Kind);
        Assert.Contains("absent", fault.Message, StringComparison.Ordinal);
        Assert.Equal(ArchiveFault.Invalid, (await Assert.ThrowsAsync<ArchiveException>(() => store.GetAsync("k", default))).Kind);
    }

    [Fact]
    public async Task Cancelling_is_not_a_fault_of_the_store()
    {
        _server.Faults.Enqueue((0, ""));
        using var cancel = new CancellationTokenSource();
        var reading = Store.GetAsync("k", cancel.Token);
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
    }

    [Fact]
    public async Task Keys_lie_below_the_prefix_of_the_location()
    {
        using var store = new S3Store(Options() with { Prefix = "plant/one" });
        await store.PutAsync("k", new byte[] { 1 }, default);

        Assert.Equal("k", (await store.ListAsync("", default).ToListAsync()).Single().Key);
        Assert.Equal("plant/one/k", (await Store.ListAsync("", default).ToListAsync()).Single().Key);
    }

    [Fact]
    public async Task No_secret_and_no_signature_is_in_any_message()
    {
        _server.Faults.Enqueue((403, "AccessDenied"));
        var denied = await Assert.ThrowsAsync<ArchiveException>(() => Store.GetAsync("k", default));
        _server.Dispose();
        var unreachable = await Assert.ThrowsAsync<ArchiveException>(() => Store.GetAsync("k", default));

        foreach (var text in new[] { denied.ToString(), unreachable.ToString(), Store.ToString()!, Options().ToString(), Options().Credentials.ToString() })
        {
            Assert.DoesNotContain(Secret, text, StringComparison.Ordinal);
            Assert.DoesNotContain("Signature=", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_location_names_bucket_prefix_endpoint_and_region()
    {
        var options = S3Options.Parse("s3://telemetry/plant/one?endpoint=http://minio:9000&region=eu-west-1", new("id", Secret));

        Assert.Equal(("telemetry", "plant/one", new Uri("http://minio:9000"), "eu-west-1"),
            (options.Bucket, options.Prefix, options.Endpoint, options.Region));
        Assert.Equal(new Uri("https://s3.eu-west-1.amazonaws.com"), S3Options.Parse("s3://telemetry?region=eu-west-1", new("id", Secret)).Endpoint);
    }

    [Theory]
    [InlineData("s3://B!/")]
    [InlineData("s3://telemetry?endpoint=minio:9000")]
    [InlineData("s3://telemetry?endpoint=http://u:p@minio:9000")]
    [InlineData("s3://telemetry?secret=a-secret-that-must-not-be-seen")]
    [InlineData("s3://id:a-secret-that-must-not-be-seen@telemetry")]
    public void A_wrong_location_is_refused_without_repeating_a_secret(string location)
    {
        var fault = Assert.Throws<ArchiveException>(() => S3Options.Parse(location, new("id", "x")));

        Assert.Equal(ArchiveFault.Invalid, fault.Kind);
        Assert.DoesNotContain(Secret, fault.ToString(), StringComparison.Ordinal);
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _server.Dispose();
    }

    private S3Options Options() => new()
    {
        Endpoint = _server.Endpoint,
        Bucket = "telemetry",
        Credentials = new("id", Secret),
        Attempts = 3,
        RetryDelay = TimeSpan.FromMilliseconds(1),
    };
}

using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Foretier.Node.Hosting;
using Foretier.Node.Serve;
using Foretier.Protocol.Api;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Node;

public sealed class SelfCheckTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-check").FullName;
    private readonly FakeTimeProvider _clock = new(new(2026, 6, 1, 0, 0, 0, TimeSpan.Zero));

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("http://127.0.0.1:8080", CheckStatus.Ok, "loopback")]
    [InlineData("http://0.0.0.0:8080", CheckStatus.Warn, "without TLS")]
    [InlineData("https://0.0.0.0:8443", CheckStatus.Ok, "is good until 2026-09-01")]
    public void Where_REST_is_open_is_told_and_what_protects_it(string http, CheckStatus status, string found)
    {
        var check = RestOf(http);
        Assert.Equal(status, check.Status);
        Assert.Contains(found, check.Found, StringComparison.Ordinal);
    }

    [Fact]
    public void A_certificate_of_REST_is_missed_before_it_ends()
    {
        _clock.Advance(TimeSpan.FromDays(80));
        Assert.Equal(CheckStatus.Warn, RestOf("https://0.0.0.0:8443").Status);
        _clock.Advance(TimeSpan.FromDays(20));
        Assert.Equal(CheckStatus.Fail, RestOf("https://0.0.0.0:8443").Status);
    }

    private Check RestOf(string http)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest("CN=node", key, HashAlgorithmName.SHA256).CreateSelfSigned(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero), new(2026, 9, 1, 0, 0, 0, TimeSpan.Zero));
        var file = Path.Combine(_folder, "node.crt");
        File.WriteAllText(file, certificate.ExportCertificatePem());
        return new SelfCheck(new NodeOptions { Node = "node", Data = _folder, Http = http, Tls = new() { CertificateFile = file } }, _clock).Report([], null, []).Checks.Single(check => check.Name == "REST");
    }
}

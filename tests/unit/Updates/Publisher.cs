using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Foretier.Protocol.Releases;

namespace Foretier.Tests.Unit.Updates;

/// <summary>Whoever has the private key: signs models as they lie in folders, right or wrong.</summary>
internal sealed class Publisher : IDisposable
{
    private readonly RSA _key = RSA.Create(2048);

    /// <param name="certificate">Where its certificate is written.</param>
    public Publisher(string certificate)
    {
        CertificateFile = certificate;
        var request = new CertificateRequest("CN=models", _key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var made = request.CreateSelfSigned(new(2016, 1, 1, 0, 0, 0, TimeSpan.Zero), new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        File.WriteAllText(certificate, made.ExportCertificatePem());
    }

    public string CertificateFile { get; }

    public string KeyPem => _key.ExportPkcs8PrivateKeyPem();

    /// <param name="change">Of the release, before it is signed.</param>
    public SignedRelease Sign(string folder, Func<ModelRelease, ModelRelease>? change = null)
    {
        using var manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "model.json")));
        var root = manifest.RootElement;
        var files = new[] { "model.json", "model.onnx", "golden.json" }.Select(name => (Name: name, Content: File.ReadAllBytes(Path.Combine(folder, name))))
            .Select(file => new ReleasedFile(file.Name, file.Content.Length, Convert.ToHexStringLower(SHA256.HashData(file.Content)))).ToList();
        var release = new ModelRelease(ModelRelease.FormatVersion, root.GetProperty("id").GetString()!, root.GetProperty("version").GetInt32(), root.GetProperty("contract").GetInt32(),
            root.GetProperty("onnxRuntimeMin").GetString()!, new(2050, 1, 1, 0, 0, 0, TimeSpan.Zero), files);
        return SignedRelease.Sign((change?.Invoke(release) ?? release).ToDocument(), KeyPem);
    }

    /// <summary>Signs whatever this is.</summary>
    public SignedRelease Sign(byte[] document) => new(document, _key.SignData(document, HashAlgorithmName.SHA256, RSASignaturePadding.Pss));

    public void Dispose() => _key.Dispose();
}

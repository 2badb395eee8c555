using System.Security.Cryptography;
using Foretier.Agent.Updates;
using Foretier.Core.Samples;
using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Updates;

/// <summary>A box that takes images of itself from afar; the test is its router and its installer.</summary>
internal sealed class ImageBox : IDisposable
{
    private readonly bool _ownsPublisher;
    private readonly FakeTimeProvider _clock = new(new(2026, 6, 1, 0, 0, 0, TimeSpan.Zero));
    private long _revision = 100;

    /// <param name="publisher">Whose images it takes; null: a publisher of its own.</param>
    public ImageBox(Publisher? publisher = null, string? running = "1.0.0")
    {
        Folder = Directory.CreateTempSubdirectory("foretier-image-").FullName;
        (Publisher, _ownsPublisher) = (publisher ?? new(In("agent-cert.pem")), publisher is null);
        Options = new() { ImageCertificate = Publisher.CertificateFile };
        Updates = Open(running);
    }

    public string Folder { get; }
    public Publisher Publisher { get; }
    public UpdateOptions Options { get; set; }
    public ImageUpdates Updates { get; private set; }

    /// <summary>What its health page says.</summary>
    public List<string> Problems { get; } = [];

    public BoxImage Image => Updates.Report().Image;

    /// <summary>What its installer is asked; null: nothing.</summary>
    public string? Request => File.Exists(In("updates/request")) ? File.ReadAllText(In("updates/request")).TrimEnd() : null;

    public string In(string name) => Path.Combine(Folder, name);

    /// <summary>A layer that all images have from now on, under its digest; null: none.</summary>
    public byte[]? Shared { get; set; }

    /// <summary>Files that it asked for.</summary>
    public HashSet<string> Asked { get; } = [];

    /// <summary>Signs an image whose files lie below <c>published/VERSION</c>; a layer is more than one part.</summary>
    public SignedRelease Release(string version, Func<ImageRelease, ImageRelease>? change = null) => Release(Publisher, In("published"), version, change, Shared);

    public static SignedRelease Release(Publisher publisher, string published, string version, Func<ImageRelease, ImageRelease>? change = null, byte[]? shared = null)
    {
        var folder = Directory.CreateDirectory(Path.Combine(published, version)).FullName;
        File.WriteAllText(Path.Combine(folder, "manifest.json"), $"manifest of {version}");
        File.WriteAllText(Path.Combine(folder, "signature-1"), "by the key of images");
        var layer = new byte[ReleaseDownload.PartBytesMax * 2 + 100];
        new Random(version.GetHashCode(StringComparison.Ordinal)).NextBytes(layer);
        File.WriteAllBytes(Path.Combine(folder, new string('a', 64)), layer);
        if (shared is not null)
        {
            File.WriteAllBytes(Path.Combine(folder, Convert.ToHexStringLower(SHA256.HashData(shared))), shared);
        }
        var files = Directory.GetFiles(folder).Order(StringComparer.Ordinal).Select(file => new ReleasedFile(Path.GetFileName(file), new FileInfo(file).Length,
            Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file))))).ToList();
        var release = new ImageRelease(ImageRelease.FormatVersion, ImageRelease.Agent, version, new(2027, 1, 1, 0, 0, 0, TimeSpan.Zero), files);
        return publisher.Sign((change?.Invoke(release) ?? release).ToDocument());
    }

    /// <summary>Orders an image anew, and brings what the box asks for.</summary>
    /// <param name="parts">How many parts are brought before the link breaks.</param>
    public ImageReport Order(SignedRelease release, RolloutStage stage = RolloutStage.Trial, int parts = int.MaxValue)
    {
        _revision++;
        return Again(release, stage, parts);
    }

    /// <summary>The same order once more.</summary>
    public ImageReport Again(SignedRelease release, RolloutStage stage = RolloutStage.Trial, int parts = int.MaxValue)
    {
        var report = Updates.Follow(new(_revision, _revision, stage, release));
        for (; report.Need is { } need && parts > 0; parts--)
        {
            Asked.Add(need.File);
            var content = File.ReadAllBytes(In($"published/{need.Version}/{need.File}")).AsSpan();
            content = content[(int)Math.Min(need.Offset, content.Length)..];
            report = Updates.Take(need.Version, need.File, need.Offset, content[..Math.Min(content.Length, need.Bytes)]);
        }
        return report;
    }

    /// <summary>What its installer does at last.</summary>
    public void Installer(string outcome, string reason = "")
    {
        File.WriteAllText(In("updates/outcome"), $"{outcome}\n{reason}\n");
        File.Delete(In("updates/request"));
    }

    public void Restart(string? running) => Updates = Open(running);

    public void Pass(TimeSpan time) => _clock.Advance(time);

    public void Dispose()
    {
        if (_ownsPublisher)
        {
            Publisher.Dispose();
        }
        Directory.Delete(Folder, recursive: true);
    }

    private ImageUpdates Open(string? running) => new(Options, In("updates"), running, _clock, NullLogger<ImageUpdates>.Instance) { Problems = () => Problems };
}

using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Foretier.Archive.Stores;

namespace Foretier.Tests.Unit.Archive;

/// <summary>A real S3 server, Ceph's radosgw, for as long as the tests of its collection run (scripts/s3-server).</summary>
public sealed class RadosServer : IDisposable
{
    public const string Collection = "radosgw";
    private static readonly TimeSpan StartMax = TimeSpan.FromMinutes(2);
    private readonly Process _script;
    private readonly JsonElement _ready;
    private int _stores;

    public RadosServer()
    {
        _script = Process.Start(new ProcessStartInfo(Path.Combine(Root(), "scripts", "s3-server"), ["--session"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        var line = _script.StandardOutput.ReadLineAsync().WaitAsync(StartMax).GetAwaiter().GetResult()
            ?? throw new InvalidOperationException("scripts/s3-server ended before it was ready; run it by hand to see why");
        _ready = JsonDocument.Parse(line).RootElement;
    }

    /// <summary>A server of a bucket, foretier. Its keys begin with a prefix that no other test uses.</summary>
    public S3Options Options() => new()
    {
        Endpoint = new(Of("endpoint")),
        Bucket = "foretier",
        Prefix = $"test/{Interlocked.Increment(ref _stores)}",
        Credentials = new(Of("accessKey"), Of("secretKey")),
    };

    /// <summary>Temporary credentials of the same bucket.</summary>
    public S3Credentials Session => new(Of("sessionAccessKey"), Of("sessionSecretKey"), Of("sessionToken"));
    public Uri TlsEndpoint => new(Of("tlsEndpoint"));
    public string AuthorityPath => Of("ca");

    /// <summary>Kills radosgw, and keeps it down until it is to be up again.</summary>
    public bool IsDown
    {
        get => File.Exists(DownFile);
        set
        {
            if (value)
            {
                File.WriteAllText(DownFile, "");
                using var gateway = Process.GetProcessById(int.Parse(File.ReadAllText(Path.Combine(Of("folder"), "rgw.pid")), CultureInfo.InvariantCulture));
                gateway.Kill();
            }
            else
            {
                File.Delete(DownFile);
            }
        }
    }

    private string DownFile => Path.Combine(Of("folder"), "down");

    public void Dispose()
    {
        _script.StandardInput.Close();
        if (!_script.WaitForExit(60_000))
        {
            _script.Kill(entireProcessTree: true);
        }
        _script.Dispose();
    }

    private string Of(string name) => _ready.GetProperty(name).GetString()!;

    private static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Edge.sln")))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("no Edge.sln above the tests");
        }
        return folder;
    }
}

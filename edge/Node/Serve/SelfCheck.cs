using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Foretier.Core.Tiers;
using Foretier.Node.Hosting;
using Foretier.Protocol.Api;

namespace Foretier.Node.Serve;

/// <summary>What every node can tell of itself: version, disk, files, clock, exposure, account. Each check says what to do.</summary>
public sealed class SelfCheck(NodeOptions options, TimeProvider clock)
{
    private const long FreeBytesFail = 64L << 20;
    private const double FreeShareWarn = 0.1;
    private const int OpenFilesWarn = 4096;
    private const int FilesLookedAtMax = 10_000;

    private static readonly DateTimeOffset Earliest = new(2025, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <param name="more">What only this kind of node can tell.</param>
    /// <param name="ledger">Null where it has none.</param>
    /// <param name="problems">What its health page says.</param>
    public NodeReport Report(IEnumerable<Check> more, Ledger? ledger, IEnumerable<string> problems)
    {
        List<Check> checks = [Space(), OpenFiles(), Clock(), Secrets(options.Data), Exposure(), .. more];
        if (ledger is not null)
        {
            checks.Add(new("ledger", ledger.Balanced ? CheckStatus.Ok : CheckStatus.Fail,
                ledger.Balanced ? $"balanced; {ledger.Accepted} samples accepted, {ledger.Rejected} refused" : "samples are not accounted for",
                ledger.Balanced ? null : "keep the data folder as it is, and report this with 'foretier ledger --json'"));
        }
        checks.AddRange(problems.Select(problem => new Check("health", CheckStatus.Fail, problem, "see the log of this node")));
        return new(options.Node, NodeHost.ProgramVersion, checks);
    }

    /// <summary>Files of secrets in a folder that others than their owner may read.</summary>
    public static Check Secrets(string folder)
    {
        if (OperatingSystem.IsWindows() || !Directory.Exists(folder))
        {
            return new("secret files", CheckStatus.Ok, "nothing to check");
        }
        const UnixFileMode others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        var secret = Directory.EnumerateFiles(folder).Take(FilesLookedAtMax)
            .Where(file => Path.GetFileName(file).Replace(".copy", "", StringComparison.Ordinal) is "devices.json" or "certificates.json" or "keys.json" or "credentials.json" || Path.GetExtension(file) is ".pem" or ".key" or ".pfx").ToList();
        var open = secret.Where(file => !OperatingSystem.IsWindows() && (File.GetUnixFileMode(file) & others) != 0).ToList();
        return open.Count == 0 ? new("secret files", CheckStatus.Ok, secret.Count == 0 ? "none here" : $"{secret.Count} files, for their owner alone")
            : new("secret files", CheckStatus.Fail, $"others may read {string.Join(", ", open)}", $"chmod 600 {string.Join(' ', open)}");
    }

    /// <summary>Free space of the disk a folder is on.</summary>
    public static Check SpaceOf(string folder)
    {
        try
        {
            var drive = new DriveInfo(Path.GetFullPath(folder));
            var (free, all) = (drive.AvailableFreeSpace, drive.TotalSize);
            var found = $"{Bytes(free)} of {Bytes(all)} free for {folder}";
            return free < FreeBytesFail ? new("free space", CheckStatus.Fail, found, "free space on this disk: soon nothing can be accepted")
                : free < all * FreeShareWarn ? new("free space", CheckStatus.Warn, found, "free space on this disk, or move windows down: foretier tier move --to archive --wait")
                : new("free space", CheckStatus.Ok, found);
        }
        catch (Exception failure) when (failure is IOException or ArgumentException or UnauthorizedAccessException)
        {
            return new("free space", CheckStatus.Warn, $"cannot be told for {folder}: {failure.Message}", "look with df");
        }
    }

    /// <summary>When a certificate ends.</summary>
    public static Check Expiry(string name, DateTimeOffset notAfter, DateTimeOffset now, string advice) =>
        notAfter <= now ? new(name, CheckStatus.Fail, $"ended on {notAfter:yyyy-MM-dd}", advice)
        : notAfter <= now.AddDays(30) ? new(name, CheckStatus.Warn, $"ends on {notAfter:yyyy-MM-dd}", advice)
        : new(name, CheckStatus.Ok, $"good until {notAfter:yyyy-MM-dd}");

    private Check Space() => SpaceOf(options.Data);

    private static Check OpenFiles()
    {
        const string name = "Max open files";
        var line = OperatingSystem.IsLinux() ? File.ReadLines("/proc/self/limits").FirstOrDefault(l => l.StartsWith(name, StringComparison.Ordinal)) : null;
        return !long.TryParse(line?[name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], NumberStyles.None, CultureInfo.InvariantCulture, out var limit)
            ? new("open files", CheckStatus.Ok, "no limit that could be told")
            : limit < OpenFilesWarn ? new("open files", CheckStatus.Warn, $"this process may open {limit}", "raise it: ulimit -n 65536, or LimitNOFILE=65536 of its service; each connection is one")
            : new("open files", CheckStatus.Ok, $"this process may open {limit}");
    }

    private Check Clock()
    {
        var now = clock.GetUtcNow();
        if (options.Clock is { Length: > 0 })
        {
            return new("clock", CheckStatus.Warn, $"a test clock ({options.Clock}) says {now:yyyy-MM-dd HH:mm:ss} UTC", "start without --clock outside of tests");
        }
        return now < Earliest ? new("clock", CheckStatus.Fail, $"it says {now:yyyy-MM-dd HH:mm:ss} UTC", "set the time, or let it be kept by NTP: untimed samples get this time")
            : new("clock", CheckStatus.Ok, $"{now:yyyy-MM-dd HH:mm:ss} UTC");
    }

    private Check Exposure()
    {
        if (Uri.TryCreate(options.Http, UriKind.Absolute, out var http) && http.Scheme == Uri.UriSchemeHttps)
        {
            const string advice = "put a new one into FORETIER__TLS__CERTIFICATEFILE and start this node again";
            try
            {
                using var certificate = X509Certificate2.CreateFromPem(File.ReadAllText(options.Tls.CertificateFile ?? ""));
                var end = Expiry("REST", certificate.NotAfter, clock.GetUtcNow(), advice);
                return end with { Found = $"{options.Http} with TLS; its certificate {(end.Status == CheckStatus.Ok ? "is " : "")}{end.Found}" };
            }
            catch (Exception failure) when (failure is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
            {
                return new("REST", CheckStatus.Warn, $"{options.Http} with TLS; its certificate cannot be read any more: {failure.Message}", advice);
            }
        }
        var isLocal = http is not null && (http.Host == "localhost" || (IPAddress.TryParse(http.Host, out var address) && IPAddress.IsLoopback(address)));
        return isLocal ? new("REST", CheckStatus.Ok, $"{options.Http}, on loopback alone")
            : new("REST", CheckStatus.Warn, $"{options.Http} is open to the network without TLS: keys travel readable", "listen on 127.0.0.1 behind a proxy with TLS, or keep it to a trusted network");
    }

    private static string Bytes(long bytes) => bytes >= 1L << 30 ? $"{bytes / (double)(1L << 30):0.0} GB" : $"{bytes / (double)(1L << 20):0} MB";
}

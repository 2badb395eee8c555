using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Foretier.Core.Samples;
using Foretier.Core.Segments;

namespace Foretier.Agent.Ingest;

/// <summary>
/// A bounded file of refused messages for whoever must find out why a device's data does not arrive: JSON lines with time, user, topic,
/// reason, the first bytes, and last the CRC-32C of the line before it, by which a start finds and names what the device has damaged since. When the file has grown to half the bound it becomes <c>….old</c>, replacing the one before.
/// </summary>
/// <remarks>
/// It is a help, not a record (the ledger counts): lines past some 20 a second are dropped, so that a flood of bad messages wears out no flash,
/// and it is written aside, so that a slow disk delays nobody.
/// </remarks>
internal sealed class Quarantine : IAsyncDisposable
{
    private const int PayloadBytesKept = 256;
    private const double LinesPerSecond = 20;
    private const double LinesBurst = 200;

    private static ReadOnlySpan<byte> SumMark => ",\"crc\":\""u8;

    private readonly string _path;
    private readonly long _halfBytes;
    private readonly TimeProvider _wire;
    private readonly ILogger _log;
    private readonly Channel<byte[]> _lines = Channel.CreateBounded<byte[]>(new BoundedChannelOptions(256) { SingleReader = true });
    private readonly Task _writer;
    private readonly Lock _lock = new();
    private double _tokens = LinesBurst;
    private long _tokensAt;
    private bool _broken;

    /// <param name="bytesMax">Of both files together.</param>
    /// <param name="wire">Real time, for the rate.</param>
    public Quarantine(string path, long bytesMax, TimeProvider wire, ILogger log)
    {
        _path = path;
        _halfBytes = bytesMax / 2;
        _wire = wire;
        _log = log;
        _tokensAt = wire.GetTimestamp();
        _writer = Task.Run(WriteAsync);
    }

    public void Keep(long time, string user, ReadOnlySpan<byte> topic, ReadOnlySpan<byte> payload, in Refusal refusal)
    {
        if (!TryTakeToken())
        {
            return;
        }
        var line = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(line))
        {
            json.WriteStartObject();
            json.WriteString("time"u8, Instant.Format(time));
            json.WriteString("user"u8, user);
            json.WriteString("topic"u8, Excerpt.Of(topic, 512));
            json.WriteString("reason"u8, refusal.Code);
            json.WriteString("detail"u8, refusal.Text);
            json.WriteNumber("bytes"u8, payload.Length);
            json.WriteString("payload"u8, Excerpt.Of(payload, PayloadBytesKept));
            json.Flush();
            json.WriteString("crc"u8, SumOf(line.WrittenSpan));
            json.WriteEndObject();
        }
        line.Write("\n"u8);
        _lines.Writer.TryWrite(line.WrittenSpan.ToArray());
    }

    public async ValueTask DisposeAsync()
    {
        _lines.Writer.TryComplete();
        await _writer;
    }

    private bool TryTakeToken()
    {
        lock (_lock)
        {
            _tokens = Math.Min(LinesBurst, _tokens + _wire.GetElapsedTime(_tokensAt).TotalSeconds * LinesPerSecond);
            _tokensAt = _wire.GetTimestamp();
            if (_tokens < 1)
            {
                return false;
            }
            _tokens--;
            return true;
        }
    }

    private async Task WriteAsync()
    {
        await CheckAsync(_path);
        await CheckAsync(_path + ".old");
        FileStream? file = null;
        await foreach (var line in _lines.Reader.ReadAllAsync())
        {
            try
            {
                file ??= Open();
                if (file.Length > 0 && file.Length + line.Length > _halfBytes)
                {
                    await file.DisposeAsync();
                    file = null;
                    File.Move(_path, _path + ".old", overwrite: true);
                    file = Open();
                }
                await file.WriteAsync(line);
                if (_lines.Reader.Count == 0)
                {
                    await file.FlushAsync();
                }
                _broken = false;
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                if (!_broken)
                {
                    _log.LogWarning("Refused messages cannot be kept in {Path}: {Reason}", _path, failure.Message);
                    _broken = true;
                }
            }
        }
        if (file is not null)
        {
            await file.DisposeAsync();
        }
    }

    /// <summary>Names the lines that are not as they were written. Nothing else is done: the others are good, and these may still tell something.</summary>
    private async Task CheckAsync(string path)
    {
        try
        {
            if (!File.Exists(path))
            {
                return;
            }
            List<int> damaged = [];
            var number = 0;
            await foreach (var line in File.ReadLinesAsync(path))
            {
                number++;
                if (!IsSound(Encoding.UTF8.GetBytes(line)))
                {
                    damaged.Add(number);
                }
            }
            if (damaged.Count > 0)
            {
                _log.LogWarning("{Count} lines of {Path} are damaged or were cut off: {Lines}", damaged.Count, path, string.Join(", ", damaged.Take(10)));
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            _log.LogWarning("{Path} cannot be read: {Reason}", path, failure.Message);
        }
    }

    private static bool IsSound(ReadOnlySpan<byte> line) =>
        line.LastIndexOf(SumMark) is var at and >= 0 && line[(at + SumMark.Length)..] is [.. var sum, (byte)'"', (byte)'}'] && Encoding.ASCII.GetString(sum) == SumOf(line[..at]);

    private static string SumOf(ReadOnlySpan<byte> text) => Crc32C.Compute(text).ToString("x8", CultureInfo.InvariantCulture);

    private FileStream Open()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(_path))!);
        var options = new FileStreamOptions { Mode = FileMode.Append, Access = FileAccess.Write, Share = FileShare.ReadWrite | FileShare.Delete };
        if (!OperatingSystem.IsWindows())
        {
            // Refused messages may hold anything, a secret in the wrong field too.
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }
        return new FileStream(_path, options);
    }
}

using System.Buffers;
using System.Text.Json;
using System.Threading.Channels;
using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest;

/// <summary>
/// A bounded file of refused messages for whoever must find out why a device's data does not arrive: JSON lines with time, user, topic,
/// reason and the first bytes. When the file has grown to half the bound it becomes <c>….old</c>, replacing the one before.
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

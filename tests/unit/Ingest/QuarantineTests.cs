using System.Text;
using Foretier.Agent.Ingest;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Ingest;

public sealed class QuarantineTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-quarantine-").FullName;
    private readonly FakeTimeProvider _clock = new();
    private readonly Lines _log = new();

    private string FilePath => Path.Combine(_folder, "quarantine.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_flipped_bit_is_found_at_the_next_start_and_its_line_named_wherever_it_is()
    {
        await KeepAsync("one", "two, \"quoted\" and \u00e4", "three");
        var whole = await File.ReadAllBytesAsync(FilePath);
        await KeepAsync();
        Assert.Empty(_log.Said);

        var second = Array.IndexOf(whole, (byte)'\n') + 1;
        var third = Array.IndexOf(whole, (byte)'\n', second) + 1;
        for (var at = second; at < third - 1; at++)
        {
            var flipped = whole.ToArray();
            flipped[at] ^= 1;
            // (A line end of its own would make two lines, both damaged.)
            if (flipped[at] is (byte)'\n' or (byte)'\r')
            {
                continue;
            }
            await File.WriteAllBytesAsync(FilePath, flipped);
            _log.Said.Clear();
            await KeepAsync();
            Assert.Equal($"1 lines of {FilePath} are damaged or were cut off: 2", Assert.Single(_log.Said));
        }
    }

    private async Task KeepAsync(params string[] payloads)
    {
        await using var quarantine = new Quarantine(FilePath, 1 << 20, _clock, _log);
        foreach (var payload in payloads)
        {
            quarantine.Keep(0, "acme/boiler-1", "v1/acme/boiler-1/t"u8, Encoding.UTF8.GetBytes(payload), new(RefusalCode.BadPayload, "it is not a reading", 1));
        }
    }

    private sealed class Lines : ILogger
    {
        public List<string> Said { get; } = [];
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
        public bool IsEnabled(LogLevel logLevel) => true;
        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Said.Add(formatter(state, exception));
    }
}

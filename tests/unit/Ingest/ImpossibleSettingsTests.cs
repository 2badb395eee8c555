using Foretier.Agent;

namespace Foretier.Tests.Unit.Ingest;

public sealed class ImpossibleSettingsTests
{
    private static AgentOptions Options => new() { Node = "edge-1", Data = Path.GetTempPath(), Http = "http://127.0.0.1:8081" };

    [Fact]
    public void Defaults_are_possible() => Assert.NotNull(Options.CheckedTogether());

    [Fact]
    public void Two_settings_on_one_port_are_both_named()
    {
        var options = Options;
        options.Mqtt = options.Mqtt with { Port = 8081 };
        var wrong = Assert.Throws<ArgumentException>(() => options.CheckedTogether());
        Assert.Contains("Http and Mqtt:Port are all 8081", wrong.Message, StringComparison.Ordinal);
        options.Mqtt = options.Mqtt with { Port = 1883, WebSocketPort = 1883 };
        Assert.Contains("Mqtt:Port and Mqtt:WebSocketPort", Assert.Throws<ArgumentException>(() => options.CheckedTogether()).Message, StringComparison.Ordinal);
        options.Mqtt = options.Mqtt with { Port = 0, WebSocketPort = 0 };
        options.CheckedTogether();
    }

    [Fact]
    public void More_memory_or_disk_than_there_is_is_named()
    {
        var options = Options;
        options.Hot = options.Hot with { MemoryBytesMax = long.MaxValue };
        Assert.Contains("Hot:MemoryBytesMax", Assert.Throws<ArgumentException>(() => options.CheckedTogether()).Message, StringComparison.Ordinal);
        options = Options;
        options.Hot = options.Hot with { JournalFiles = int.MaxValue, JournalFileBytes = 256 << 20 };
        Assert.Contains("Hot:JournalFiles", Assert.Throws<ArgumentException>(() => options.CheckedTogether()).Message, StringComparison.Ordinal);
    }
}

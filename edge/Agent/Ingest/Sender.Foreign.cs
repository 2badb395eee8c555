using Foretier.Agent.Ingest.Foreign;
using Foretier.Agent.Ingest.Payloads;
using Foretier.Agent.Ingest.Payloads.Sparkplug;
using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest;

internal sealed partial class Sender
{
    private readonly Draft _foreign = new();

    private Verdict PublishForeign(KnownTopic known, ForeignTopic foreign, ReadOnlySpan<byte> topic, ReadOnlySpan<byte> payload)
    {
        if (foreign.Kind == ForeignKind.Nothing)
        {
            // Acknowledged, and delivered to whoever listens: a command.
            return new(0, default, foreign.Device);
        }
        var now = Instant.Now(intake.Clock);
        _foreign.Begin(_readings, now);
        var complete = foreign.Kind switch
        {
            ForeignKind.Sparkplug => Sparkplug(foreign, payload, now),
            ForeignKind.Nested => NestedJson.Decode(payload, _foreign),
            _ => NestedJson.Availability(payload, _foreign),
        };
        var ticket = 0L;
        if (!_foreign.End(complete, out var refusal) || !TryAppend(known, now, out ticket, out refusal))
        {
            return Refuse(topic, payload, refusal);
        }
        if (_foreign.Skipped > 0)
        {
            ticket = Math.Max(ticket, Refuse(topic, payload, new(RefusalCode.UnsupportedType,
                "tables, files, lists and templates have no place in a series; the other metrics of the message were stored", _foreign.Skipped)).Ticket);
        }
        known.Device?.Seen(now);
        return new(ticket, default, foreign.Device);
    }

    private bool Sparkplug(ForeignTopic foreign, ReadOnlySpan<byte> payload, long now)
    {
        if (intake.Sparkplug.Get(foreign.Owner.Account, foreign.Edge) is not { } node)
        {
            return _foreign.Stop(RefusalCode.BadTopic, "there are more Sparkplug nodes than this agent keeps in mind");
        }
        bool complete, ask;
        lock (node)
        {
            complete = SparkplugDecoder.Decode(payload, foreign.Message, node, foreign.Edge, foreign.EdgeDevice, _foreign, out ask);
            ask = ask && node.MayAsk(now);
        }
        if (ask)
        {
            intake.Command?.Invoke(foreign.CommandTopic, SparkplugDecoder.RebirthCommand(now));
        }
        return complete;
    }
}

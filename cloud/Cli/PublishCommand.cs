using System.Buffers;
using System.CommandLine;
using System.Globalization;
using System.Text;
using Foretier.Client.Mqtt;
using Foretier.Core.Samples;

namespace Foretier.Cli;

/// <summary><c>foretier publish</c>: one message, and the broker's word on it.</summary>
internal static class PublishCommand
{
    public static Command Make()
    {
        var topic = new Argument<string>("SERIES") { Description = "account/device/measurement, or a topic (v1/account/device…)." };
        var value = new Argument<string>("VALUE") { Description = "A number, true, false, a word (a state), or a whole JSON payload." };
        var time = new Option<string?>("--time") { Description = $"When it was measured: {TimeText.Forms} (default: when it arrives).", HelpName = "TIME" };
        var unit = new Option<string?>("--unit") { Description = "SenML unit, for example Cel, W, %RH.", HelpName = "UNIT" };
        var broker = new BrokerOptions();
        var command = new Command("publish", "Publish one reading over MQTT 5, QoS 1; returns when it is safely on the edge.") { topic, value, time, unit };
        broker.AddTo(command);
        command.SetAction(CommandLine.Run(async (session, parse, cancel) =>
        {
            var at = parse.GetValue(time) is { } text ? TimeText.Parse("--time", text, session.Clock) : (long?)null;
            var name = parse.GetRequiredValue(topic);
            name = name.StartsWith("v1/", StringComparison.Ordinal) ? name : "v1/" + name;
            var payload = Payload(parse.GetRequiredValue(value), at, parse.GetValue(unit));

            var ack = default(MqttAck?);
            await using var publisher = await MqttPublisher.ConnectAsync(
                broker.Resolve(parse, "publish") with { Status = session.Terminal.Note }, a => ack = a, session.Clock, cancel).ConfigureAwait(false);
            await publisher.PublishAsync(Encoding.UTF8.GetBytes(name), payload, 0, cancel).ConfigureAwait(false);
            await publisher.DrainAsync(cancel).ConfigureAwait(false);

            var refused = ack!.Value.IsRefused;
            if (session.Terminal.Json)
            {
                session.Terminal.WriteDocument(new { topic = name, acknowledged = !refused, reasonCode = ack.Value.Reason, reason = ack.Value.Text });
            }
            else if (!refused)
            {
                session.Terminal.WriteLine($"acknowledged: {name}");
            }
            if (refused)
            {
                session.Terminal.Note($"foretier publish: the broker refused the message: {MqttReason.Describe(ack.Value.Reason, ack.Value.Text)}");
            }
            return refused ? ExitCode.Refused : ExitCode.Ok;
        }));
        return command;
    }

    /// <summary>What is sent: JSON as it stands, numbers by their text, other words as states. Not-a-number goes as it is, for the broker to refuse.</summary>
    internal static byte[] Payload(string value, long? time, string? unit)
    {
        var document = value.Length > 0 && value[0] is '{' or '[';
        if (document && (time ?? (object?)unit) is not null)
        {
            throw new CommandException(ExitCode.BadUsage, "--time and --unit do not go with a whole JSON payload", "Write them into it: {\"v\":21.5,\"t\":…,\"u\":\"Cel\"}");
        }
        var json = document || value is "true" or "false" || (value.Length > 1 && value[0] == '"') ? value
            : ReadingPayload.Number(value) ?? (double.TryParse(value, CultureInfo.InvariantCulture, out _) ? value : ReadingPayload.Text(value));
        if (time is null && unit is null)
        {
            return Encoding.UTF8.GetBytes(json);
        }
        var payload = new ArrayBufferWriter<byte>();
        ReadingPayload.Write(payload, json, time is { } micros ? ReadingPayload.Text(Instant.Format(micros)) : null, unit);
        return payload.WrittenSpan.ToArray();
    }
}

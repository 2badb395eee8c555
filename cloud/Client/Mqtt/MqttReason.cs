using System.Globalization;

namespace Foretier.Client.Mqtt;

/// <summary>Reason codes of MQTT 5.0, section 2.4; 0x80 and above are refusals.</summary>
public static class MqttReason
{
    public const byte Success = 0x00;
    public const byte FirstRefusal = 0x80;

    /// <summary>"not authorized (0x87)"</summary>
    public static string Describe(byte reason) => string.Create(CultureInfo.InvariantCulture, $"{Name(reason)} (0x{reason:X2})");

    /// <summary>"not authorized (0x87): the reason string that came with it"</summary>
    public static string Describe(byte reason, string? text) => text is { Length: > 0 } ? $"{Describe(reason)}: {text}" : Describe(reason);

    /// <summary>Refusals of a connection that pass: the server is starting, stopping, busy or full.</summary>
    internal static bool IsPassing(byte reason) => reason is 0x88 or 0x89 or 0x8B or 0x8D or 0x97 or 0x98 or 0x9F;

    private static string Name(byte reason) => reason switch
    {
        0x00 => "success",
        0x10 => "no matching subscribers",
        0x80 => "unspecified error",
        0x81 => "malformed packet",
        0x82 => "protocol error",
        0x83 => "implementation specific error",
        0x84 => "unsupported protocol version",
        0x85 => "client identifier not valid",
        0x86 => "bad user name or password",
        0x87 => "not authorized",
        0x88 => "server unavailable",
        0x89 => "server busy",
        0x8A => "banned",
        0x8B => "server shutting down",
        0x8C => "bad authentication method",
        0x8D => "keep alive timeout",
        0x8E => "session taken over",
        0x90 => "topic name invalid",
        0x91 => "packet identifier in use",
        0x93 => "receive maximum exceeded",
        0x94 => "topic alias invalid",
        0x95 => "packet too large",
        0x96 => "message rate too high",
        0x97 => "quota exceeded",
        0x98 => "administrative action",
        0x99 => "payload format invalid",
        0x9A => "retain not supported",
        0x9B => "QoS not supported",
        0x9C => "use another server",
        0x9D => "server moved",
        0x9F => "connection rate exceeded",
        _ => "reason",
    };
}

/// <summary>The broker said no to the connection itself; trying again in the same way will not help.</summary>
public sealed class MqttRefusedException(byte reason, string? text)
    : Exception($"the MQTT broker refused the connection: {MqttReason.Describe(reason, text)}")
{
    public byte Reason { get; } = reason;

    /// <summary>The reason string that the broker sent, if any.</summary>
    public string? Text { get; } = text;
}

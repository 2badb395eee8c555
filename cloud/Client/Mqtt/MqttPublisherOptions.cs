namespace Foretier.Client.Mqtt;

/// <summary>Where and as whom to publish.</summary>
public sealed record MqttPublisherOptions
{
    public required string Host { get; init; }

    /// <summary>Default 1883.</summary>
    public int Port { get; init; } = 1883;

    /// <summary><c>account/device</c>, or <c>account/*</c> for a concentrator; null = none.</summary>
    public string? User { get; init; }
    public string? Secret { get; init; }

    /// <summary>Free to choose, unique on the broker.</summary>
    public required string ClientId { get; init; }

    /// <summary>Messages in flight, 1..65535; the broker may allow fewer. Default 100.</summary>
    public int Window { get; init; } = 100;

    /// <summary>How long the line may be silent, 2 s..18 h. Default 30 s.</summary>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the first connection may take to come about; later ones are tried for ever. Default: one try.</summary>
    public TimeSpan StartPatience { get; init; }

    /// <summary>Told when the connection is lost and when it is back.</summary>
    public Action<string>? Status { get; init; }
}

/// <summary>The broker's word on one message.</summary>
/// <param name="Tag">What the publisher was given with the message.</param>
/// <param name="Reason">MQTT 5 reason code.</param>
/// <param name="Text">The broker's reason string, if any.</param>
public readonly record struct MqttAck(long Tag, byte Reason, string? Text)
{
    public bool IsRefused => Reason >= MqttReason.FirstRefusal;
}

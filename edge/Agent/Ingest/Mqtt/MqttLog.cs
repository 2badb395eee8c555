using MQTTnet.Diagnostics.Logger;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>Lets MQTTnet's errors be seen, at debug level: a stranger's broken connection is no error of ours.</summary>
internal sealed class MqttLog(ILogger log) : IMqttNetLogger
{
    public bool IsEnabled => log.IsEnabled(LogLevel.Debug);

    public void Publish(MqttNetLogLevel logLevel, string source, string message, object[] parameters, Exception exception)
    {
        if (logLevel is MqttNetLogLevel.Error or MqttNetLogLevel.Warning)
        {
            log.LogDebug(exception, "{Source}: {Message} [{Parameters}]", source, message, string.Join(", ", parameters ?? []));
        }
    }
}

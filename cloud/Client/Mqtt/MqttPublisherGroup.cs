namespace Foretier.Client.Mqtt;

/// <summary>
/// Several publishers as one. A broker acknowledges when its journal has synced and allows so many messages in flight on a connection:
/// one connection alone is bound to their quotient. Messages of one lane keep their order, those of different lanes need not.
/// </summary>
public sealed class MqttPublisherGroup : IAsyncDisposable
{
    private readonly List<MqttPublisher> _publishers = [];
    private readonly Lock _lock = new();

    private MqttPublisherGroup()
    {
    }

    /// <param name="options">Of each connection; the client id gets a number.</param>
    /// <param name="connections">How many.</param>
    /// <param name="acknowledged">Told of each message, in order within a lane, one at a time; it must not block.</param>
    /// <param name="clock">Measures waits.</param>
    /// <param name="cancel">Ends the attempt to connect.</param>
    /// <inheritdoc cref="MqttPublisher.ConnectAsync"/>
    public static async Task<MqttPublisherGroup> ConnectAsync(
        MqttPublisherOptions options, int connections, Action<MqttAck> acknowledged, TimeProvider clock, CancellationToken cancel)
    {
        var group = new MqttPublisherGroup();
        try
        {
            for (var i = 0; i < connections; i++)
            {
                var one = options with
                {
                    ClientId = connections == 1 ? options.ClientId : $"{options.ClientId}-{i + 1}",
                    // They lose their broker together: one of them says so.
                    Status = i == 0 ? options.Status : null,
                };
                group._publishers.Add(await MqttPublisher.ConnectAsync(one, ack =>
                {
                    lock (group._lock)
                    {
                        acknowledged(ack);
                    }
                }, clock, cancel).ConfigureAwait(false));
            }
            return group;
        }
        catch
        {
            await group.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc cref="MqttPublisher.PublishAsync"/>
    public ValueTask PublishAsync(int lane, ReadOnlyMemory<byte> topic, ReadOnlyMemory<byte> payload, long tag, CancellationToken cancel) =>
        _publishers[lane % _publishers.Count].PublishAsync(topic, payload, tag, cancel);

    /// <inheritdoc cref="MqttPublisher.DrainAsync"/>
    public Task DrainAsync(CancellationToken cancel) => Task.WhenAll(_publishers.Select(publisher => publisher.DrainAsync(cancel)));

    public async ValueTask DisposeAsync()
    {
        foreach (var publisher in _publishers)
        {
            await publisher.DisposeAsync().ConfigureAwait(false);
        }
    }
}

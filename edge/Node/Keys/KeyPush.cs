using System.Net.Http.Json;
using Foretier.Node.Hosting;
using Foretier.Node.Link;
using Microsoft.Extensions.Logging;

namespace Foretier.Node.Keys;

/// <summary>Tells every node that dials in the API keys, at once and whenever they change.</summary>
public sealed class KeyPush
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(2);

    private readonly KeyRing _ring;
    private readonly TimeProvider _clock;
    private readonly ILogger<KeyPush> _log;

    public KeyPush(LinkHub hub, KeyRing ring, TimeProvider clock, ILogger<KeyPush> log)
    {
        (_ring, _clock, _log) = (ring, clock, log);
        hub.Opened += link => _ = TellAsync(link);
    }

    private async Task TellAsync(LinkedNode link)
    {
        try
        {
            while (true)
            {
                var keys = _ring.Current;
                try
                {
                    using var limit = CancellationTokenSource.CreateLinkedTokenSource(link.Ended);
                    limit.CancelAfter(Deadline);
                    using var response = await link.Http.PutAsJsonAsync("internal/v1/keys", keys, NodeJson.Options, limit.Token).ConfigureAwait(false);
                    response.EnsureSuccessStatusCode();
                }
                catch (Exception error) when (!link.Ended.IsCancellationRequested && error is HttpRequestException or IOException or OperationCanceledException)
                {
                    _log.LogWarning("{Node} was not told the API keys: {Reason}; it goes on with those it knows, and is told again soon", link.Name, error.Message);
                    await Task.Delay(Retry, _clock, link.Ended).ConfigureAwait(false);
                    continue;
                }
                await _ring.WaitForChangeAsync(keys, link.Ended).ConfigureAwait(false);
            }
        }
        catch (Exception ended) when (ended is OperationCanceledException or HttpRequestException or IOException)
        {
            // The link is over; the next one begins anew.
        }
    }
}

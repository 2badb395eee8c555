using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Foretier.Agent.Hot;
using Foretier.Core.Partitions;
using Foretier.Node.Hosting;
using Foretier.Protocol.Shipping;

namespace Foretier.Agent.Ship;

/// <summary>
/// Sends what the hot store has flushed to the gateway, newest window first, and notes each receipt durably. One batch is on the way at a
/// time. A batch that was received although its receipt was lost is found when the gateway is asked how far it is, or is sent again,
/// which the gateway takes for what it is.
/// </summary>
public sealed class Shipper : IAsyncDisposable
{
    private readonly HotStore _store;
    private readonly ShipOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly HttpClient _http;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    // What the gateway said it has, until the first batch of the window is sent; null while it has to be asked.
    private Dictionary<Window, long>? _unmet;
    private HashSet<Window> _met = [];

    // Windows that cannot be shipped, and why; they are tried again after the next failure or restart.
    private readonly Dictionary<Window, string> _stuck = [];
    private ShipStatus _status = new(false, 0, 0, 0, null);

    /// <param name="handler">Sends the requests; null for the network.</param>
    public Shipper(HotStore store, ShipOptions options, TimeProvider clock, ILogger<Shipper> log, HttpMessageHandler? handler = null)
    {
        (_store, _options, _clock, _log) = (store, options, clock, log);
        _http = new(handler ?? new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
        {
            BaseAddress = new($"{options.Url.AbsoluteUri.TrimEnd('/')}/internal/v1/edges/{Uri.EscapeDataString(store.Node)}/"),
        };
        _http.DefaultRequestHeaders.Authorization = new("Bearer", options.Token);
        _loop = Task.Run(RunAsync);
    }

    public ShipStatus Status => Volatile.Read(ref _status) with { WindowsLeft = _store.Unshipped().Count };

    /// <summary>Completes when the loop ends, which before <see cref="DisposeAsync"/> it does only by a defect.</summary>
    public Task Completion => _loop;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAny(_loop);
        _http.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        var wait = _options.RetryMin;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var wanted = _store.ShipWanted.Next;
                while (_store.Unshipped().FirstOrDefault(work => !_stuck.ContainsKey(work.Window)) is { Version: > 0 } work)
                {
                    await ShipAsync(work.Window, _stop.Token);
                    wait = _options.RetryMin;
                }
                await wanted.WaitAsync(_stop.Token);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException or JsonException
                or HotStoreUnavailableException)
            {
                if (_status.LastError is null)
                {
                    _log.LogWarning("Shipping to {Url} failed, it is tried again: {Reason}", _options.Url, e.Message);
                }
                Update(_status with { Connected = false, LastError = e.Message });
                (_unmet, _met) = (null, []);
                _stuck.Clear();
                await PauseAsync(wait);
                wait = TimeSpan.FromTicks(Math.Min(wait.Ticks * 2, _options.RetryMax.Ticks));
            }
        }
    }

    private async Task PauseAsync(TimeSpan wait)
    {
        try
        {
            await Task.Delay(wait, _clock, _stop.Token);
        }
        catch (OperationCanceledException)
        {
            // The loop sees it.
        }
    }

    private async Task ShipAsync(Window window, CancellationToken cancel)
    {
        try
        {
            _unmet ??= await AskAsync(cancel);
            if (_met.Add(window))
            {
                await _store.MeetGatewayAsync(window, _unmet.GetValueOrDefault(window), cancel);
            }
            if (await _store.NextShipAsync(window, _options.BatchBytesMax, cancel) is { } pending)
            {
                await SendAsync(pending, cancel);
            }
        }
        catch (InvalidDataException e)
        {
            _stuck[window] = e.Message;
            _log.LogCritical("{Window} cannot be shipped: {Reason}", window, e.Message);
            Update(_status with { LastError = e.Message });
        }
    }

    private async Task<Dictionary<Window, long>> AskAsync(CancellationToken cancel)
    {
        using var response = await _http.GetAsync("windows", cancel);
        await ThrowIfNotTakenAsync(response, cancel);
        var windows = await response.Content.ReadFromJsonAsync<List<GatewayWindow>>(NodeJson.Options, cancel);
        return (windows ?? []).ToDictionary(window => window.Window, window => window.Through);
    }

    private async Task SendAsync(PendingShip pending, CancellationToken cancel)
    {
        var batch = pending.Batch;
        var bytes = batch.ToBytes();
        await _store.MarkSendingAsync(batch.Window, batch.Through, cancel);
        using var content = new ByteArrayContent(bytes);
        content.Headers.ContentType = new("application/octet-stream");
        using var request = new HttpRequestMessage(HttpMethod.Put, $"windows/{batch.Window}/batches/{batch.After}-{batch.Through}") { Content = content };
        request.Headers.TryAddWithoutValidation("Content-Digest", $"sha-256={ShipBatch.DigestOf(bytes)}");
        using var response = await _http.SendAsync(request, cancel);
        await ThrowIfNotTakenAsync(response, cancel);
        var receipt = await response.Content.ReadFromJsonAsync<ShipReceipt>(NodeJson.Options, cancel);
        if (receipt is null || receipt.Through < batch.Through)
        {
            throw new HttpRequestException($"the gateway acknowledged {batch.Window} through {receipt?.Through} instead of {batch.Through}");
        }
        _store.NoteErasedBelow(batch.Window, receipt.Deleted);
        await _store.MarkShippedAsync(batch.Window, batch.Through, pending.Unique, cancel);
        Update(_status with { Connected = true, Batches = _status.Batches + 1, Bytes = _status.Bytes + bytes.Length, LastError = null });
    }

    /// <summary>Any refusal, a gap too, ends the round: the gateway is asked anew how far it is, and shipping goes on from there.</summary>
    private static async Task ThrowIfNotTakenAsync(HttpResponseMessage response, CancellationToken cancel)
    {
        if (response.IsSuccessStatusCode)
        {
            return;
        }
        var body = await response.Content.ReadAsStringAsync(cancel);
        var hint = response.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden ? " (is the link token right?)" : "";
        throw new HttpRequestException($"the gateway answered {(int)response.StatusCode}{hint}: {body[..Math.Min(body.Length, 300)]}", null, response.StatusCode);
    }

    private void Update(ShipStatus status) => Volatile.Write(ref _status, status);

    private sealed record GatewayWindow(Window Window, long Through);
}

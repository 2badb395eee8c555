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
/// time, as large as the link takes in a few seconds. A batch that was received although its receipt was lost is found when the gateway is
/// asked how far it is, or is sent again, which the gateway takes for what it is.
/// </summary>
/// <remarks>
/// The gateway is asked after every failure and every few minutes. Of every window that it ever acknowledged it says how far it has it: where that
/// is less (it lost a disk, or was set back), and where it says that what it has is damaged, what is still here is sent again, and what is not is
/// named as missing until it turns up.
/// </remarks>
public sealed class Shipper : IAsyncDisposable
{
    private readonly HotStore _store;
    private readonly ShipOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly HttpClient _http;
    private readonly LinkPace _pace;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    // What the gateway said it has; null while it has to be asked.
    private Dictionary<Window, long>? _held;
    private long _askedAt;
    private long? _sentAt;
    private readonly HashSet<Window> _met = [];

    // Windows that cannot be shipped, and why; they are tried again after the next failure, comparison or restart.
    private readonly Dictionary<Window, string> _stuck = [];
    private ShipStatus _status = new(false, 0, 0, 0, null, []);

    /// <param name="handler">Sends the requests; null for the network.</param>
    public Shipper(HotStore store, ShipOptions options, TimeProvider clock, ILogger<Shipper> log, HttpMessageHandler? handler = null)
    {
        (_store, _options, _clock, _log) = (store, options, clock, log);
        _pace = new(options.BytesPerSecondMax, options.BatchTime, options.BatchBytesMax, clock);
        _http = new(handler ?? new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5), ConnectTimeout = TimeSpan.FromSeconds(10) })
        {
            BaseAddress = new($"{options.Url.AbsoluteUri.TrimEnd('/')}/internal/v1/edges/{Uri.EscapeDataString(store.Node)}/"),
            // However slow the link: a request ends when nothing moves any more (SilenceMax).
            Timeout = Timeout.InfiniteTimeSpan,
        };
        _http.DefaultRequestHeaders.Authorization = new("Bearer", options.Token);
        _loop = Task.Run(RunAsync);
    }

    public ShipStatus Status => Volatile.Read(ref _status) with { WindowsLeft = _store.Unshipped().Count };

    /// <summary>Why something is not at the gateway, for the health page.</summary>
    public IEnumerable<string> Problems => _status is var status && status.LastError is { } error ? status.Missing.Prepend(error) : status.Missing;

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
                if (_held is null)
                {
                    await CompareAsync(_stop.Token);
                    wait = _options.RetryMin;
                }
                while (UntilComparison() > TimeSpan.Zero && UntilDue() <= TimeSpan.Zero
                    && _store.Unshipped().FirstOrDefault(work => !_stuck.ContainsKey(work.Window)) is { Version: > 0 } work)
                {
                    await ShipAsync(work.Window, _stop.Token);
                    wait = _options.RetryMin;
                }
                await WaitAsync(wanted);
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
                _held = null;
                _pace.Failed();
                await PauseAsync(wait);
                wait = TimeSpan.FromTicks(Math.Min(wait.Ticks * 2, _options.RetryMax.Ticks));
            }
        }
    }

    private TimeSpan UntilComparison() => _options.CompareEvery - _clock.GetElapsedTime(_askedAt);

    /// <summary>How long little may still wait for more; nothing or less where it is time, or there is enough.</summary>
    private TimeSpan UntilDue() => _options.CoalesceFor == TimeSpan.Zero || _sentAt is not { } sent || _store.UnshippedBytes() >= _options.BatchBytesMax
        ? TimeSpan.Zero : _options.CoalesceFor - _clock.GetElapsedTime(sent);

    /// <summary>Waits for something to do: new flushes, the time of those that wait for more, or that of the next comparison.</summary>
    private async Task WaitAsync(Task wanted)
    {
        var (compare, due) = (UntilComparison(), UntilDue());
        if (compare <= TimeSpan.Zero)
        {
            _held = null;
            return;
        }
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        var time = due > TimeSpan.Zero && due < compare && _store.Unshipped().Count > 0 ? due : compare;
        await Task.WhenAny(wanted, Task.Delay(time, _clock, enough.Token));
        await enough.CancelAsync();
        _stop.Token.ThrowIfCancellationRequested();
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

    /// <summary>Asks what the gateway has, and holds it against all that it ever acknowledged.</summary>
    private async Task CompareAsync(CancellationToken cancel)
    {
        var held = await AskAsync(cancel);
        (_held, _askedAt) = (held, _clock.GetTimestamp());
        _met.Clear();
        _stuck.Clear();
        foreach (var window in _store.ShippedWindows())
        {
            await MeetAsync(window, cancel);
        }
        if (!_status.Missing.SequenceEqual(_stuck.Values))
        {
            _log.LogCritical("The gateway lacks what it had acknowledged: {Missing}", _stuck.Count == 0 ? "nothing any more" : string.Join("; ", _stuck.Values));
        }
        Update(_status with { Connected = true, LastError = null, Missing = [.. _stuck.Values] });
    }

    private async Task MeetAsync(Window window, CancellationToken cancel)
    {
        try
        {
            await _store.MeetGatewayAsync(window, _held!.GetValueOrDefault(window), cancel);
            _met.Add(window);
        }
        catch (InvalidDataException e)
        {
            _stuck[window] = e.Message;
        }
    }

    private async Task ShipAsync(Window window, CancellationToken cancel)
    {
        try
        {
            if (!_met.Contains(window))
            {
                await _store.MeetGatewayAsync(window, _held!.GetValueOrDefault(window), cancel);
                _met.Add(window);
            }
            if (await _store.NextShipAsync(window, _pace.BatchBytes, cancel) is { } pending)
            {
                await SendAsync(pending, cancel);
            }
        }
        catch (InvalidDataException e)
        {
            _stuck[window] = e.Message;
            _log.LogCritical("{Window} cannot be shipped: {Reason}", window, e.Message);
            Update(_status with { Missing = [.. _stuck.Values] });
        }
    }

    private async Task<Dictionary<Window, long>> AskAsync(CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "windows");
        var windows = await AskAsync<List<GatewayWindow>>(request, _ => { }, cancel) ?? [];
        var held = windows.ToDictionary(window => window.Window, window => window.Through);
        foreach (var (window, _, again) in windows.Where(window => window.Again is not null && _store.HasAllAfter(window.Window, window.Again.Value)))
        {
            using var offer = new HttpRequestMessage(HttpMethod.Post, $"windows/{window}/again/{again}");
            held[window] = (await AskAsync<ShipReceipt>(offer, _ => { }, cancel))!.Through;
        }
        return held;
    }

    private async Task SendAsync(PendingShip pending, CancellationToken cancel)
    {
        var batch = pending.Batch;
        var bytes = batch.ToBytes();
        await _store.MarkSendingAsync(batch.Window, batch.Through, cancel);
        var began = _clock.GetTimestamp();
        using var request = new HttpRequestMessage(HttpMethod.Put, $"windows/{batch.Window}/batches/{batch.After}-{batch.Through}");
        request.Headers.TryAddWithoutValidation("Content-Digest", $"sha-256={ShipBatch.DigestOf(bytes)}");
        var receipt = await AskAsync<ShipReceipt>(request, moved =>
        {
            request.Content = new PacedContent(bytes, _pace, moved);
            request.Content.Headers.ContentType = new("application/octet-stream");
        }, cancel);
        if (receipt is null || receipt.Through < batch.Through)
        {
            throw new HttpRequestException($"the gateway acknowledged {batch.Window} through {receipt?.Through} instead of {batch.Through}");
        }
        _sentAt = _clock.GetTimestamp();
        _pace.Arrived(bytes.Length, _clock.GetElapsedTime(began, _sentAt.Value));
        _store.NoteErasedBelow(batch.Window, receipt.Deleted);
        await _store.MarkShippedAsync(batch.Window, batch.Through, pending.Unique, cancel);
        Update(_status with { Connected = true, Batches = _status.Batches + 1, Bytes = _status.Bytes + bytes.Length, LastError = null });
    }

    /// <param name="fill">Adds the content, with what to call as it moves.</param>
    private async Task<T?> AskAsync<T>(HttpRequestMessage request, Action<Action> fill, CancellationToken cancel)
    {
        using var silence = new CancellationTokenSource(_options.SilenceMax);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, silence.Token);
        fill(() => silence.CancelAfter(_options.SilenceMax));
        try
        {
            using var response = await _http.SendAsync(request, both.Token);
            await ThrowIfNotTakenAsync(response, both.Token);
            return await response.Content.ReadFromJsonAsync<T>(NodeJson.Options, both.Token);
        }
        catch (OperationCanceledException) when (silence.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            throw new HttpRequestException($"nothing moved between the gateway and this edge for {_options.SilenceMax.TotalSeconds:0} s");
        }
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

    private sealed record GatewayWindow(Window Window, long Through, long? Again = null);
}

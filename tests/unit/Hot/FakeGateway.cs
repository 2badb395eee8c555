using System.Net;
using System.Net.Http.Json;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Node.Hosting;
using Foretier.Protocol.Shipping;

namespace Foretier.Tests.Unit.Hot;

/// <summary>A gateway by the letter of the protocol: takes batches once, in order, and keeps what they say.</summary>
internal sealed class FakeGateway : HttpMessageHandler
{
    private readonly Dictionary<Window, long> _through = [];
    private readonly Dictionary<(string Series, long Time), (double Value, string? State)> _samples = [];
    private readonly Lock _gate = new();

    public bool IsDown { get; set; }

    /// <summary>Called with the number of the batch (from 1); true: it is taken, but the answer is lost.</summary>
    public Func<int, bool> LosesReceipt { get; set; } = _ => false;
    public int Batches { get; private set; }
    public int Requests { get; private set; }
    public List<ShipBatch> Taken { get; } = [];

    public Dictionary<(string Series, long Time), (double Value, string? State)> Samples
    {
        get
        {
            lock (_gate)
            {
                return new(_samples);
            }
        }
    }

    public long Through(Window window)
    {
        lock (_gate)
        {
            return _through.GetValueOrDefault(window);
        }
    }

    public void SetBack(Window window, long through)
    {
        lock (_gate)
        {
            _through[window] = through;
        }
    }

    /// <summary>The same gateway for another shipper: handlers are disposed with their client.</summary>
    public HttpMessageHandler Connection() => new Wire(this);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Requests++;
        if (IsDown)
        {
            throw new HttpRequestException("connection refused");
        }
        if (request.Headers.Authorization?.Parameter != "token")
        {
            return new(HttpStatusCode.Unauthorized);
        }
        var parts = request.RequestUri!.AbsolutePath.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (request.Method == HttpMethod.Get)
        {
            lock (_gate)
            {
                return new(HttpStatusCode.OK)
                {
                    Content = JsonContent.Create(_through.Select(t => new { window = t.Key.ToString(), through = t.Value }).ToList()),
                };
            }
        }
        var bytes = await request.Content!.ReadAsByteArrayAsync(cancellationToken);
        var batch = ShipBatch.Parse(bytes);
        if (request.Headers.GetValues("Content-Digest").Single() != $"sha-256={ShipBatch.DigestOf(bytes)}"
            || parts[^1] != $"{batch.After}-{batch.Through}" || parts[^3] != batch.Window.ToString())
        {
            return new(HttpStatusCode.UnprocessableEntity);
        }
        lock (_gate)
        {
            return Take(batch);
        }
    }

    private HttpResponseMessage Take(ShipBatch batch)
    {
        Batches++;
        var held = _through.GetValueOrDefault(batch.Window);
        if (batch.After > held)
        {
            return new(HttpStatusCode.Conflict) { Content = JsonContent.Create(new { code = "gap", through = held }) };
        }
        if (batch.Through > held)
        {
            Taken.Add(batch);
            foreach (var (version, tombstone, segment) in batch.Tombstones.Select(t => (t.Version, Tombstone: (ShippedTombstone?)t, Segment: (ShippedSegment?)null))
                .Concat(batch.Segments.Select(s => (s.Version, Tombstone: (ShippedTombstone?)null, Segment: (ShippedSegment?)s)))
                .Where(one => one.Version > held).OrderBy(one => one.Version).ThenBy(one => one.Segment is null ? 0 : 1))
            {
                if (segment is null)
                {
                    foreach (var key in _samples.Keys.Where(key => key.Series == tombstone!.Series && tombstone.Range.Contains(key.Time)).ToList())
                    {
                        _samples.Remove(key);
                    }
                    continue;
                }
                var samples = new SampleColumns();
                Segment.Open(segment.Bytes).Decode(samples);
                for (var i = 0; i < samples.Count; i++)
                {
                    _samples[(segment.Series, samples.Times[i])] = (samples.Values[i], samples.StateAt(i));
                }
            }
            _through[batch.Window] = held = batch.Through;
        }
        return LosesReceipt(Batches) ? throw new HttpRequestException("connection reset")
            : new(HttpStatusCode.OK) { Content = JsonContent.Create(new ShipReceipt(held, 0, 0), options: NodeJson.Options) };
    }

    private sealed class Wire(FakeGateway gateway) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            gateway.SendAsync(request, cancellationToken);
    }
}

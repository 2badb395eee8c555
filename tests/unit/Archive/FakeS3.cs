using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Foretier.Tests.Unit.Archive;

/// <summary>Enough of an S3 server, in this process, to talk to a client over real HTTP and to fail on demand. It checks no signatures.</summary>
internal sealed class FakeS3 : IDisposable
{
    private readonly HttpListener _listener = new();
    private readonly ConcurrentDictionary<string, byte[]> _objects = new();
    private readonly string _bucket;
    private readonly Task _serving;
    private long _bytesSent;

    public FakeS3(string bucket)
    {
        _bucket = bucket;
        using (var probe = new TcpListener(IPAddress.Loopback, 0))
        {
            probe.Start();
            Endpoint = new($"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}");
        }
        _listener.Prefixes.Add(Endpoint + "");
        _listener.Start();
        _serving = Task.Run(ServeAsync);
    }

    public Uri Endpoint { get; }
    public ConcurrentQueue<string> Requests { get; } = [];

    /// <summary>Of all answers so far.</summary>
    public long BytesSent => Interlocked.Read(ref _bytesSent);

    /// <summary>Before every answer.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>Answers to give before the true one: a status and an S3 code; status 0 never answers.</summary>
    public ConcurrentQueue<(int Status, string Code)> Faults { get; } = [];

    public void Dispose()
    {
        _listener.Close();
        _serving.Wait();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                var context = await _listener.GetContextAsync();
                _ = Task.Run(() => AnswerAsync(context));
            }
        }
        catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
        {
            // Closed.
        }
    }

    private async Task AnswerAsync(HttpListenerContext context)
    {
        var request = context.Request;
        Requests.Enqueue($"{request.HttpMethod} {request.RawUrl}");
        var body = new MemoryStream();
        await request.InputStream.CopyToAsync(body);
        await Task.Delay(Delay);
        if (Faults.TryDequeue(out var fault))
        {
            if (fault.Status != 0)
            {
                await SendAsync(context, fault.Status, Error(fault.Code));
            }
            return;
        }
        var path = Uri.UnescapeDataString(request.RawUrl!.Split('?')[0]).TrimStart('/').Split('/', 2);
        var key = path.Length > 1 ? path[1] : "";
        if (path[0] != _bucket)
        {
            await SendAsync(context, 404, Error("NoSuchBucket"));
        }
        else if (key.Length == 0)
        {
            await SendAsync(context, 200, Listing(request.QueryString["prefix"] ?? "", request.QueryString["encoding-type"] == "url"));
        }
        else if (request.HttpMethod == "PUT")
        {
            _objects[key] = body.ToArray();
            await SendAsync(context, 200, []);
        }
        else if (request.HttpMethod == "DELETE")
        {
            _objects.TryRemove(key, out _);
            await SendAsync(context, 204, []);
        }
        else if (!_objects.TryGetValue(key, out var content))
        {
            await SendAsync(context, 404, request.HttpMethod == "HEAD" ? [] : Error("NoSuchKey"));
        }
        else
        {
            context.Response.Headers["ETag"] = Tag(content);
            context.Response.Headers["Last-Modified"] = "Thu, 09 Mar 2017 00:00:00 GMT";
            if (request.Headers["Range"] is { } range)
            {
                var ends = range["bytes=".Length..].Split('-').Select(int.Parse).ToArray();
                context.Response.Headers["Content-Range"] = $"bytes {ends[0]}-{Math.Min(content.Length - 1, ends[1])}/{content.Length}";
                await (ends[0] >= content.Length
                    ? SendAsync(context, 416, Error("InvalidRange"))
                    : SendAsync(context, 206, content[ends[0]..Math.Min(content.Length, ends[1] + 1)]));
            }
            else
            {
                await SendAsync(context, 200, content, headOnly: request.HttpMethod == "HEAD");
            }
        }
    }

    private byte[] Listing(string prefix, bool encoded)
    {
        var xml = new StringBuilder("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsTruncated>false</IsTruncated>");
        foreach (var (key, content) in _objects.Where(o => o.Key.StartsWith(prefix, StringComparison.Ordinal)))
        {
            xml.Append($"<Contents><Key>{(encoded ? Uri.EscapeDataString(key).Replace("%2F", "/", StringComparison.Ordinal) : key)}</Key>")
                .Append($"<LastModified>2017-03-09T00:00:00.000Z</LastModified><ETag>{Tag(content)}</ETag><Size>{content.Length}</Size></Contents>");
        }
        return Encoding.UTF8.GetBytes(xml.Append("</ListBucketResult>").ToString());
    }

    private static string Tag(byte[] content) => $"\"{Convert.ToHexStringLower(SHA256.HashData(content))[..32]}\"";

    private static byte[] Error(string code) => Encoding.UTF8.GetBytes($"<Error><Code>{code}</Code><Message>as asked</Message></Error>");

    private async Task SendAsync(HttpListenerContext context, int status, byte[] content, bool headOnly = false)
    {
        Interlocked.Add(ref _bytesSent, headOnly ? 0 : content.Length);
        try
        {
            context.Response.StatusCode = status;
            context.Response.ContentLength64 = content.Length;
            if (!headOnly)
            {
                await context.Response.OutputStream.WriteAsync(content);
            }
            context.Response.Close();
        }
        catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException)
        {
            // The client has gone.
        }
    }
}

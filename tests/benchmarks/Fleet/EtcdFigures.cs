using System.Globalization;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace Foretier.Tests.Benchmarks.Fleet;

/// <summary>A key of etcd with its value.</summary>
internal readonly record struct EtcdPair(string Key, byte[] Value);

/// <summary>What an etcd says of itself and of the maps in it, and a way to put keys there, over its JSON gateway.</summary>
internal sealed class EtcdFigures : IDisposable
{
    public const string MapPrefix = "/foretier/map/";
    private const int PageKeys = 2_000, OperationsMax = 120, BytesMax = 500_000;

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(30) };

    /// <summary>The member that leads, of those that answer; null while none says so.</summary>
    public async Task<string?> LeaderAsync(IEnumerable<string> members)
    {
        foreach (var member in members)
        {
            try
            {
                var status = await AskAsync(member, "maintenance/status", new { });
                if (status.TryGetProperty("leader", out var leader) && leader.GetString() == status.GetProperty("header").GetProperty("member_id").GetString())
                {
                    return member;
                }
            }
            catch (Exception error) when (error is HttpRequestException or TaskCanceledException)
            {
                // It is not there.
            }
        }
        return null;
    }

    /// <summary>Every key of the maps.</summary>
    public async Task<List<EtcdPair>> MapsAsync(string member)
    {
        List<EtcdPair> pairs = [];
        var next = Encoding.UTF8.GetBytes(MapPrefix);
        while (true)
        {
            var page = await AskAsync(member, "kv/range", new { key = next, range_end = Encoding.UTF8.GetBytes(MapPrefix[..^1] + (char)('/' + 1)), limit = PageKeys });
            if (!page.TryGetProperty("kvs", out var keys))
            {
                return pairs;
            }
            pairs.AddRange(keys.EnumerateArray().Select(key => new EtcdPair(Encoding.UTF8.GetString(key.GetProperty("key").GetBytesFromBase64()), key.GetProperty("value").GetBytesFromBase64())));
            if (!page.TryGetProperty("more", out var more) || !more.GetBoolean())
            {
                return pairs;
            }
            next = [.. Encoding.UTF8.GetBytes(pairs[^1].Key), 0];
        }
    }

    /// <returns>Bytes of keys and values.</returns>
    public async Task<long> PutAsync(string member, IEnumerable<EtcdPair> pairs)
    {
        var (all, bytes, batch) = (0L, 0, new List<object>());
        async Task SendAsync()
        {
            if (batch.Count > 0)
            {
                await AskAsync(member, "kv/txn", new { success = batch });
            }
            (bytes, batch) = (0, []);
        }
        foreach (var pair in pairs)
        {
            batch.Add(new { requestPut = new { key = Encoding.UTF8.GetBytes(pair.Key), value = pair.Value } });
            var size = pair.Key.Length + pair.Value.Length;
            all += size;
            bytes += size;
            if (batch.Count == OperationsMax || bytes >= BytesMax)
            {
                await SendAsync();
            }
        }
        await SendAsync();
        return all;
    }

    /// <summary>Everything below the maps' prefix that begins so.</summary>
    public Task DeleteMapsAsync(string member, string beginning) => AskAsync(member, "kv/deleterange", new
    {
        key = Encoding.UTF8.GetBytes(MapPrefix + beginning),
        range_end = Encoding.UTF8.GetBytes((MapPrefix + beginning)[..^1] + (char)((MapPrefix + beginning)[^1] + 1)),
    });

    /// <summary>Of all members together: bytes that clients sent and were sent, and of one the bytes of its database.</summary>
    public async Task<(double Received, double Sent, double Database)> TrafficAsync(IEnumerable<string> members)
    {
        var (received, sent, database) = (0.0, 0.0, 0.0);
        foreach (var member in members)
        {
            foreach (var line in (await _http.GetStringAsync(new Uri(member + "/metrics"))).Split('\n'))
            {
                double Value() => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture);
                received += line.StartsWith("etcd_network_client_grpc_received_bytes_total ", StringComparison.Ordinal) ? Value() : 0;
                sent += line.StartsWith("etcd_network_client_grpc_sent_bytes_total ", StringComparison.Ordinal) ? Value() : 0;
                database = line.StartsWith("etcd_mvcc_db_total_size_in_bytes ", StringComparison.Ordinal) ? Value() : database;
            }
        }
        return (received, sent, database);
    }

    public void Dispose() => _http.Dispose();

    private async Task<JsonElement> AskAsync(string member, string path, object question)
    {
        using var answer = await _http.PostAsJsonAsync(new Uri($"{member}/v3/{path}"), question);
        answer.EnsureSuccessStatusCode();
        return await answer.Content.ReadFromJsonAsync<JsonElement>();
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using Foretier.Tests.Benchmarks.Segments;

namespace Foretier.Tests.Benchmarks.Query;

/// <summary>A server that has the data and answers questions over one kept connection.</summary>
/// <param name="name">Where the questions go.</param>
/// <param name="root">Its address.</param>
/// <param name="key">Of its interface; null where none is needed.</param>
/// <param name="ping">An address that does nothing.</param>
/// <param name="pids">The processes that work for an answer.</param>
internal sealed class Contestant(string name, Uri root, string? key, string ping, IReadOnlyList<int> pids,
    Func<BenchQuestion, string> pathOf, Func<JsonElement, BenchQuestion, Dictionary<(string Series, long Start), double>> valuesOf) : IDisposable
{
    private readonly HttpClient _http = Client(root, key);

    internal static readonly TimeSpan Short = TimeSpan.FromSeconds(3);

    public string Name => name;

    /// <summary>How long it is asked before it is measured.</summary>
    public TimeSpan WarmUp { get; private init; } = Short;

    public static Contestant Of(Peer peer, PeerServer server) => new(peer.Name, server.Root, null, peer.Ping, [server.Pid], peer.PathOf, peer.ValuesOf);

    public static Contestant Foretier(string name, Uri root, string key, IReadOnlyList<int> pids, TimeSpan? warmUp = null) =>
        new(name, root, key, "/readyz", pids, ForetierPath, ForetierValues) { WarmUp = warmUp ?? Short };

    /// <summary>Its answer, as values by series and start of step.</summary>
    public Dictionary<(string Series, long Start), double> Ask(BenchQuestion question)
    {
        using var body = Get(pathOf(question));
        using var document = JsonDocument.Parse(body);
        return valuesOf(document.RootElement, question);
    }

    /// <summary>Asks one after the other, for as long as is given.</summary>
    /// <param name="question">Null: the ping.</param>
    public Figures Time(IReadOnlyList<BenchQuestion>? question, TimeSpan time)
    {
        var paths = question?.Select(pathOf).ToList() ?? [ping];
        var times = new List<double>();
        var before = ServerClock.Seconds(pids);
        for (var all = Stopwatch.StartNew(); all.Elapsed < time || times.Count < paths.Count;)
        {
            var started = Stopwatch.GetTimestamp();
            Get(paths[times.Count % paths.Count]).Dispose();
            times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }
        return new((ServerClock.Seconds(pids) - before) * 1000, times);
    }

    public void Dispose() => _http.Dispose();

    private MemoryStream Get(string path)
    {
        using var answer = _http.Send(new(HttpMethod.Get, path));
        var body = new MemoryStream();
        answer.Content.CopyTo(body, null, CancellationToken.None);
        body.Position = 0;
        return answer.IsSuccessStatusCode ? body
            : throw new InvalidOperationException($"{name} answered {(int)answer.StatusCode} to {path}: {System.Text.Encoding.UTF8.GetString(body.ToArray())}");
    }

    private static HttpClient Client(Uri root, string? key)
    {
        var client = new HttpClient { BaseAddress = root, Timeout = TimeSpan.FromMinutes(2) };
        client.DefaultRequestHeaders.Authorization = key is null ? null : new AuthenticationHeaderValue("Bearer", key);
        return client;
    }

    private static string ForetierPath(BenchQuestion question)
    {
        var series = question.Series.Count == 0 ? "acme/*/m.v" : string.Join(',', question.Series.Select(s => $"acme/{s}/m.v"));
        return string.Create(CultureInfo.InvariantCulture, $"/api/v1/query?series={series}&from={question.From}&to={question.To}&fn={question.Function}")
            + (question.Step == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"&step={question.Step / 1000}s")) + (question.Series.Count == 0 ? "&by=measurement" : "");
    }

    private static Dictionary<(string Series, long Start), double> ForetierValues(JsonElement answer, BenchQuestion question)
    {
        if (answer.GetProperty("meta").GetProperty("partial").GetBoolean())
        {
            throw new InvalidOperationException("a partial answer");
        }
        var values = new Dictionary<(string, long), double>();
        foreach (var result in answer.GetProperty("results").EnumerateArray())
        {
            var device = result.GetProperty("series").GetString()!.Split('/')[1];
            foreach (var point in result.GetProperty("points").EnumerateArray())
            {
                values[(device == "*" ? "" : device, point[0].GetInt64())] = point[1].GetDouble();
            }
        }
        return values;
    }
}

/// <summary>What some questions cost.</summary>
/// <param name="Cpu">Of the server, ms in all.</param>
/// <param name="Times">Of each until its last byte, ms.</param>
internal sealed record Figures(double Cpu, List<double> Times)
{
    public double CpuEach => Cpu / Times.Count;

    public Figures And(Figures more) => new(Cpu + more.Cpu, [.. Times, .. more.Times]);

    /// <param name="share">0 to 1.</param>
    public double Percentile(double share) => Times.Order().ElementAt(Math.Min(Times.Count - 1, (int)(Times.Count * share)));
}

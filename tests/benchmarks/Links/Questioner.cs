using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;

namespace Foretier.Tests.Benchmarks.Links;

/// <summary>What came of a question.</summary>
internal enum Outcome
{
    /// <summary>All that was acknowledged before the time that it names (its watermark), and nothing that was not sent.</summary>
    Whole,

    /// <summary>Not all, but what is lacking lies in the ranges that it names.</summary>
    Partial,

    /// <summary>Nobody there, or an error that says so.</summary>
    None,
}

/// <summary>An answer that is wrong and does not say so.</summary>
internal sealed class WrongAnswerException(string message) : Exception(message);

/// <summary>Asks a node for a device's readings, and holds each answer against what the device sent.</summary>
internal sealed class Questioner(Host place, SteadyDevice device, bool withHistory, int seed)
{
    private const long RecentMilliseconds = 60_000, AheadMilliseconds = 60_000;
    private readonly Random _random = new(seed);

    public Host Place => place;
    public SteadyDevice Device => device;

    /// <summary>One of the questions people ask: the last minute or a day of samples, or how many there are and the last one's number.</summary>
    /// <exception cref="WrongAnswerException">The answer is.</exception>
    public async Task<Outcome> AskAsync()
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        var (from, to) = device.HistoryRange;
        var day = from + _random.Next((int)((to - from) / 86_400_000)) * 86_400_000L;
        return (await (_random.Next(withHistory ? 4 : 2) switch
        {
            0 => AskAsync(SteadyDevice.Live, true, now - RecentMilliseconds, now + AheadMilliseconds),
            1 => AskLiveAsync(),
            2 => AskAsync(SteadyDevice.History, true, day, day + 86_400_000),
            _ => AskAsync(SteadyDevice.History, false, from, to),
        })).Outcome;
    }

    /// <summary>Asks for all that this node is asked for.</summary>
    /// <param name="time">Epoch ms.</param>
    /// <returns>Whether it has all that was acknowledged before that time.</returns>
    public async Task<bool> HasAllAsync(long time)
    {
        var live = await AskLiveAsync();
        var history = withHistory ? await AskAsync(SteadyDevice.History, false, device.HistoryRange.From, device.HistoryRange.To) : live;
        return live.Outcome == Outcome.Whole && history.Outcome == Outcome.Whole && Math.Min(live.Watermark, history.Watermark) >= time;
    }

    /// <summary>All samples of a measurement, as many as there are.</summary>
    public async Task<IReadOnlyList<(long Time, double Value)>> AllAsync(string measurement)
    {
        var answer = await place.GetAsync($"api/v1/query?series={device.Name}/{measurement}&fn=raw&from={(measurement == SteadyDevice.History ? device.HistoryRange.From : device.Begin - 1_000)}&to={DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() + AheadMilliseconds}");
        return answer.GetProperty("meta").GetProperty("partial").GetBoolean() ? throw new WrongAnswerException($"{place.Name} still answers in part: {answer.GetProperty("meta")}")
            : [.. answer.GetProperty("results").EnumerateArray().SelectMany(result => result.GetProperty("points").EnumerateArray()).Select(point => (point[0].GetInt64(), point[1].GetDouble()))];
    }

    private Task<(Outcome Outcome, double Watermark)> AskLiveAsync() => AskAsync(SteadyDevice.Live, false, device.Begin - 1_000, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() + AheadMilliseconds);

    private async Task<(Outcome Outcome, double Watermark)> AskAsync(string glob, bool raw, long from, long to)
    {
        var before = device.Acknowledged;
        var question = $"{device.Name}/{glob}&fn={(raw ? "raw" : "count,max")}&from={from}&to={to}";
        string text;
        try
        {
            using var response = await place.Http.GetAsync($"api/v1/query?series={question}");
            text = await response.Content.ReadAsStringAsync();
            if (response.StatusCode == HttpStatusCode.NotFound)
            {
                throw Wrong(question, $"says that there is nothing, of {before} that were acknowledged: {text}");
            }
            if (response.StatusCode == HttpStatusCode.InternalServerError)
            {
                throw Wrong(question, $"fails: {text}");
            }
            if (!response.IsSuccessStatusCode)
            {
                return (Outcome.None, 0);
            }
        }
        catch (Exception error) when (error is HttpRequestException or OperationCanceledException)
        {
            return (Outcome.None, 0);
        }
        using var answer = JsonDocument.Parse(text);
        var meta = answer.RootElement.GetProperty("meta");
        var missing = meta.GetProperty("missing").EnumerateArray().Select(range => (From: Time(range, "from"), To: Time(range, "to"))).ToList();
        if (meta.GetProperty("partial").GetBoolean() != missing.Count > 0 || missing.Exists(range => range.From < from || range.To > to || range.From >= range.To))
        {
            throw Wrong(question, $"does not say rightly what is missing: {meta}");
        }
        var watermark = Time(meta, "watermark");
        var expected = device.Of(glob, from, to, Math.Min(before, device.AcknowledgedBefore(watermark)));
        var mayLack = expected.Where(reading => missing.Exists(range => reading.Time >= range.From && reading.Time < range.To)).Select(reading => reading.Value).ToHashSet();
        var results = answer.RootElement.GetProperty("results");
        if (raw)
        {
            CheckSamples(question, results, expected, mayLack, from, to);
        }
        else
        {
            CheckSummary(question, results, expected, mayLack, device.Of(glob, from, to, device.Sent));
        }
        return (missing.Count == 0 ? Outcome.Whole : Outcome.Partial, watermark);
    }

    private void CheckSamples(string question, JsonElement results, IReadOnlyList<Reading> expected, HashSet<int> mayLack, long from, long to)
    {
        var seen = new HashSet<int>();
        foreach (var result in results.EnumerateArray())
        {
            var measurement = result.GetProperty("series").GetString()!.Split('/')[2];
            foreach (var point in result.GetProperty("points").EnumerateArray())
            {
                var (time, value) = (point[0].GetInt64(), point[1].GetDouble());
                if (device.Find(measurement, time) is not { } number || number != value || time < from || time >= to)
                {
                    throw Wrong(question, $"has {value} at {time}, which was not sent or not asked for");
                }
                if (!seen.Add(number))
                {
                    throw Wrong(question, $"has reading {number} twice");
                }
            }
        }
        if (expected.Where(reading => !seen.Contains(reading.Value) && !mayLack.Contains(reading.Value)).ToList() is [var first, ..] lacking)
        {
            throw Wrong(question, $"lacks {lacking.Count} of {expected.Count} acknowledged readings, the first is number {first.Value} at {first.Time}, and does not say so");
        }
    }

    private void CheckSummary(string question, JsonElement results, IReadOnlyList<Reading> expected, HashSet<int> mayLack, IReadOnlyList<Reading> possible)
    {
        IEnumerable<double> Of(string fn) => results.EnumerateArray().Where(result => result.GetProperty("fn").GetString() == fn)
            .SelectMany(result => result.GetProperty("points").EnumerateArray()).Select(point => point[1].GetDouble());
        var (count, last) = (Of("count").Sum(), Of("max").DefaultIfEmpty(-1).Max());
        if (count < expected.Count - mayLack.Count || count > possible.Count)
        {
            throw Wrong(question, $"counts {count}; {expected.Count} were acknowledged, {mayLack.Count} may lack, {possible.Count} were sent");
        }
        if (last > possible.Select(reading => reading.Value).DefaultIfEmpty(-1).Max() || (mayLack.Count == 0 && last < expected.Select(reading => reading.Value).DefaultIfEmpty(-1).Max()))
        {
            throw Wrong(question, $"has {last} for the last reading");
        }
    }

    private WrongAnswerException Wrong(string question, string what) => new($"{place.Name}, asked for {question}, {what}");

    private static double Time(JsonElement range, string end) =>
        (DateTimeOffset.Parse(range.GetProperty(end).GetString()!, CultureInfo.InvariantCulture) - DateTimeOffset.UnixEpoch).TotalMilliseconds;
}

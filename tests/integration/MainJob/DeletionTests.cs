using System.Text.Json;
using Xunit.Abstractions;

namespace Foretier.Tests.Integration.MainJob;

/// <summary>A range is deleted while it is hot, when the gateway has it, and when the archive has it: no answer has it any more.</summary>
public sealed class DeletionTests(ITestOutputHelper output)
{
    private const long Start = 1_489_017_600;

    [Fact]
    public async Task What_is_deleted_is_in_no_answer_whatever_tier_has_it_and_may_come_again()
    {
        await using var here = new Installation(output);
        await here.StartAsync();
        var left = Enumerable.Range(0, 5_000).ToDictionary(i => Start + i * 30L, i => i % 700 / 10.0);
        await ImportAsync(here, left);

        await DeleteAsync(here, left, 1);
        await HasAsync(here, left);
        await MoveAsync(here, "hdd");
        await HasAsync(here, left);
        await DeleteAsync(here, left, 3);
        await HasAsync(here, left);
        await MoveAsync(here, "hdd");
        await MoveAsync(here, "archive");
        await HasAsync(here, left);
        await DeleteAsync(here, left, 5);
        await HasAsync(here, left);

        var again = new Dictionary<long, double> { [Start + 5 * 3600 + 60] = 7, [Start + 3600 + 60] = 8 };
        await ImportAsync(here, again);
        foreach (var (time, value) in again)
        {
            left[time] = value;
        }
        await HasAsync(here, left);
        await MoveAsync(here, "hdd");
        await HasAsync(here, left);
        await MoveAsync(here, "archive");
        await HasAsync(here, left);
        await here.StopAsync();
        await here.StartAsync();
        await HasAsync(here, left);
    }

    private static async Task ImportAsync(Installation here, Dictionary<long, double> samples)
    {
        var csv = Path.Combine(here.Folder, $"{samples.Count}.csv");
        await File.WriteAllLinesAsync(csv, samples.Select(s => FormattableString.Invariant($"t,{s.Key},{s.Value}")).Prepend("sensor,time,value"));
        var (exit, _, error) = await here.RunAsync("import", csv, "--series-column", "sensor", "--device", "home", "--json");
        Assert.True(exit == 0, error);
    }

    private static async Task DeleteAsync(Installation here, Dictionary<long, double> left, int hour)
    {
        var (exit, _, error) = await here.RunAsync("series", "delete", "acme/home/t", "--from", $"2017-03-09T0{hour}:00:00Z", "--to", $"2017-03-09T0{hour + 1}:00:00Z", "--json");
        Assert.True(exit == 0, error);
        foreach (var time in left.Keys.Where(time => (time - Start) / 3600 == hour).ToList())
        {
            left.Remove(time);
        }
    }

    private static async Task MoveAsync(Installation here, string tier)
    {
        var (exit, _, error) = await here.RunAsync("tier", "move", "--to", tier, "--before", "2030-01-01", "--wait", "--json");
        Assert.True(exit == 0, error);
    }

    private static async Task HasAsync(Installation here, Dictionary<long, double> left)
    {
        await Installation.EventuallyAsync("answers without what was deleted", async () =>
        {
            var reply = await here.GetAsync("api/v1/query?series=acme/home/t&from=2017-03-09&to=2017-03-12&fn=count");
            return !reply.GetProperty("meta").GetProperty("partial").GetBoolean()
                && reply.GetProperty("results").EnumerateArray().Sum(r => r.GetProperty("points")[0][1].GetDouble()) == left.Count;
        });
        var raw = await here.GetAsync("api/v1/query?series=acme/home/t&from=2017-03-09&to=2017-03-12&fn=raw");
        Assert.Equal(left.OrderBy(s => s.Key).Select(s => (s.Key * 1000, s.Value)),
            raw.GetProperty("results")[0].GetProperty("points").EnumerateArray().Select(p => (p[0].GetInt64(), p[1].GetDouble())));
        var hourly = await here.GetAsync("api/v1/query?series=acme/home/t&from=2017-03-09&to=2017-03-12&fn=sum&step=1h");
        var hours = left.GroupBy(s => s.Key / 3600 * 3600).OrderBy(g => g.Key).ToList();
        var points = hourly.GetProperty("results")[0].GetProperty("points").EnumerateArray().ToList();
        Assert.Equal(hours.Select(h => h.Key * 1000), points.Select(p => p[0].GetInt64()));
        Assert.All(hours.Zip(points), hour => Assert.Equal(hour.First.Sum(s => s.Value), hour.Second[1].GetDouble(), 1e-9));
        Assert.True((await here.GetAsync("api/v1/ledger")).GetProperty("balanced").GetBoolean());
    }
}

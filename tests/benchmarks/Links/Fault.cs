namespace Foretier.Tests.Benchmarks.Links;

/// <summary>Something that goes wrong for a while, and is over when <paramref name="RunAsync"/> ends.</summary>
/// <param name="Name">With whom it befalls.</param>
/// <param name="RunAsync">Does it, and undoes it.</param>
/// <param name="Touches">Whether answers of a node, about the device of an edge (1, 2), may be late, partial or none. All others stay whole.</param>
internal sealed record Fault(string Name, Func<Task> RunAsync, Func<Host, int, bool> Touches);

/// <summary>All of them, in the order of a seed.</summary>
internal static class Faults
{
    private static readonly Weather Satellite = new(TimeSpan.FromMilliseconds(300), 0.02);
    private static readonly Weather Slow = new(TimeSpan.FromMilliseconds(20), 0, 256_000 / 8);

    public static IReadOnlyList<Fault> Of(Fleet fleet, Random random, int scale)
    {
        TimeSpan Seconds(int seconds) => TimeSpan.FromSeconds(Math.Max(1, seconds * scale / 100));
        var faults = new List<Fault>
        {
            OnUplink("uplink cut, 2 s", async up =>
            {
                up.Plug(false);
                await Task.Delay(TimeSpan.FromSeconds(2));
                up.Plug(true);
            }),
            OnUplink("uplink cut, long", async up =>
            {
                up.Plug(false);
                await Task.Delay(Seconds(120));
                up.Plug(true);
            }),
            OnUplink("satellite, 600 ms, 2 % loss", up => InWeatherAsync(up, Satellite, Satellite, Seconds(45))),
            OnUplink("slow, 256 kbit/s", up => InWeatherAsync(up, Slow, Slow, Seconds(45))),
            OnUplink("half-open, nothing arrives above", up => InWeatherAsync(up, Weather.Silence, Weather.Fine, Seconds(40))),
            OnUplink("half-open, nothing arrives either way", up => InWeatherAsync(up, Weather.Silence, Weather.Silence, Seconds(40))),
            OnUplink("flapping", async up =>
            {
                for (var time = 0; time < 6; time++)
                {
                    up.Plug(false);
                    await Task.Delay(random.Next(500, 4_000));
                    up.Plug(true);
                    await Task.Delay(random.Next(500, 6_000));
                }
            }),
            new("gateway-1 killed", () => KillAsync(fleet.Gateway, Seconds(5)), (place, _) => !fleet.Edges.Contains(place)),
            new("gateway-1 paused", () => PauseAsync(fleet.Gateway, Seconds(25)), (place, _) => !fleet.Edges.Contains(place)),
        };
        var router = fleet.Routers[random.Next(2)];
        faults.Add(new($"{router.Name} killed", () => KillAsync(router, Seconds(5)), (place, _) => place == router));
        var other = fleet.Routers[random.Next(2)];
        faults.Add(new($"{other.Name} paused", () => PauseAsync(other, Seconds(25)), (place, _) => place == other));
        faults.Add(new("etcd leader killed", async () => await KillAsync(await fleet.EtcdLeaderAsync(), Seconds(15)), (_, _) => false));
        faults.Add(new("etcd leader paused", async () => await PauseAsync(await fleet.EtcdLeaderAsync(), Seconds(15)), (_, _) => false));
        return [.. faults.OrderBy(_ => random.Next())];

        Fault OnUplink(string what, Func<Uplink, Task> run)
        {
            var which = random.Next(3);
            return which < 2
                ? new($"edge-{which + 1}: {what}", () => run(fleet.EdgeUplinks[which]), (place, edge) => edge == which + 1 && !fleet.Edges.Contains(place))
                : new($"site: {what}", () => run(fleet.SiteUplink), (place, _) => fleet.Routers.Contains(place));
        }
    }

    private static async Task InWeatherAsync(Uplink uplink, Weather up, Weather down, TimeSpan lasts)
    {
        uplink.Become(up, down);
        await Task.Delay(lasts);
        uplink.Become(Weather.Fine, Weather.Fine);
    }

    private static async Task KillAsync(Host host, TimeSpan downFor)
    {
        host.Kill();
        await Task.Delay(downFor);
        await host.StartAsync();
    }

    private static async Task PauseAsync(Host host, TimeSpan lasts)
    {
        host.Pause();
        await Task.Delay(lasts);
        host.Resume();
    }
}

using Foretier.Core.Query;
using Foretier.Core.Tiers;
using Foretier.Node.Hosting;
using Foretier.Node.Keys;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Foretier.Tests.Unit.Node;

/// <summary>A node of any kind on a free port of loopback, with a folder of its own, that holds what the test puts into <see cref="Source"/>.</summary>
internal sealed class TestNode : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-node").FullName;

    private TestNode(TimeProvider clock, string[] settings)
    {
        string[] args = ["--Foretier:Node", "n", "--Foretier:Data", _folder, "--Foretier:Http", "http://127.0.0.1:0", "--Foretier:Link:Token", "between-us",
            "--Foretier:Keys:RequestsPerSecond", "0", .. settings];
        App = NodeHost.CreateBuilder<NodeOptions>(args, out var options).Build();
        Options = options;
        Source = new("n", Catalog);
        var health = new SourceHealth(clock);
        health.Own(Source.Node);
        Answerer = new(Catalog, node => node == Source.Node ? Source : null, health, clock);
        Keys = App.Services.GetRequiredService<KeyRing>();
    }

    public WebApplication App { get; }
    public NodeOptions Options { get; }
    public Catalog Catalog { get; } = new();
    public MemorySource Source { get; }
    public Answerer Answerer { get; }
    public KeyRing Keys { get; }
    public HttpClient Http { get; } = new();

    /// <param name="map">Maps what of the interface the test is about.</param>
    /// <param name="clock">Of the answers; null: the machine's.</param>
    /// <param name="settings">More of the command line.</param>
    public static async Task<TestNode> StartAsync(Action<TestNode> map, TimeProvider? clock = null, params string[] settings)
    {
        var node = new TestNode(clock ?? TimeProvider.System, settings);
        map(node);
        await node.App.StartAsync();
        node.Http.BaseAddress = new(node.App.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        return node;
    }

    /// <summary>From now on requests come from who may do this.</summary>
    public void ComeAs(string name, bool isAdmin = false, params string[] accounts) =>
        Http.DefaultRequestHeaders.Authorization = new("Bearer", Keys.Create(name, accounts, isAdmin, null).Key);

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await App.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}

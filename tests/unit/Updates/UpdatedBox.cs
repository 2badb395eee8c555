using Foretier.Agent.Allocate;
using Foretier.Agent.Updates;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Predict.Models;
using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;
using Foretier.Tests.Unit.Predict;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using static Foretier.Tests.Unit.Predict.Days;

namespace Foretier.Tests.Unit.Updates;

/// <summary>A box that forecasts by the hour, on a clock that stands still between them; its router brings what it asks for out of a folder.</summary>
internal sealed class UpdatedBox : IAsyncDisposable
{
    private const int Series = 12;
    private readonly Func<string, ChildOptions, CancellationToken, Task<IInference>>? _start;
    private readonly FakeTimeProvider _clock = new(Instant.ToDateTimeOffset(Monday));
    private readonly Random _random = new(7);
    private readonly double[] _level = new double[Series];
    private MapRefresh _map;
    private long _revision = 100;

    /// <param name="shipped">What came with the program, version 2.</param>
    /// <param name="start">Null: models run in this process.</param>
    public UpdatedBox(Nature shipped, Func<string, ChildOptions, CancellationToken, Task<IInference>>? start = null)
    {
        _start = start ?? ((folder, _, _) => Failure is { } failure && !folder.Contains("shipped", StringComparison.Ordinal) ? throw failure
            : Task.FromResult<IInference>(OnnxInference.Load(ModelFolder.Open(folder))));
        Folder = Directory.CreateTempSubdirectory("foretier-updates-").FullName;
        Publisher = new(In("model-cert.pem"));
        Options = new() { Certificate = Publisher.CertificateFile, ShadowHours = 27, ProbationHours = 27 };
        TinyModel.Write(In("shipped/volume-lstm"), 2, shipped);
        Array.Fill(_level, 20);
        (Updates, _map) = Open();
    }

    public string Folder { get; }
    public Publisher Publisher { get; }
    public UpdateOptions Options { get; set; }
    public ModelUpdates Updates { get; private set; }

    /// <summary>How every model from afar fails from now on; null: it does not. (Where models run in this process.)</summary>
    public InferenceException? Failure { get; set; }

    /// <summary>Samples an hour of a series, given its level: how busy it is that day.</summary>
    public Func<double, int> Count { get; set; } = level => (int)level;

    /// <summary>How it stands.</summary>
    public BoxModel Model => Updates.Report().Models.Single();

    public string Reason => Model.Refused[0].Reason;

    public string In(string name) => Path.Combine(Folder, name);

    /// <summary>Fills four weeks of history, and forecasts for the first time.</summary>
    public async Task BeginAsync()
    {
        for (var hour = -672; hour < 0; hour++)
        {
            Observe(Monday + hour * Instant.Hour);
        }
        await _map.RefreshAsync(CancellationToken.None);
    }

    public async Task PassAsync(int hours)
    {
        for (var hour = 0; hour < hours; hour++)
        {
            Observe(Instant.Floor(Instant.Now(_clock), Instant.Hour));
            _clock.Advance(TimeSpan.FromHours(1));
            await _map.RefreshAsync(CancellationToken.None);
        }
    }

    /// <summary>Orders a model, and brings what the box asks for until it asks for no more and has tested it.</summary>
    /// <param name="files">Where what is brought lies; null: nothing is brought.</param>
    /// <param name="parts">How many parts are brought before the link breaks.</param>
    public async Task<ModelReport> OrderAsync(SignedRelease release, string? files, RolloutStage stage = RolloutStage.Trial, bool now = false, int parts = int.MaxValue)
    {
        var report = Updates.Follow(new([new(++_revision, stage, release, now)]));
        for (; files is not null && report.Need is { } need && parts > 0; parts--)
        {
            var file = Path.Combine(files, need.File);
            var content = File.Exists(file) ? File.ReadAllBytes(file).AsSpan() : [];
            var part = content[(int)Math.Min(need.Offset, content.Length)..];
            report = Updates.Take(need.Id, need.Version, need.File, need.Offset, part[..Math.Min(part.Length, need.Bytes)]);
        }
        await Updates.Tested;
        return Updates.Report();
    }

    /// <summary>Signs what lies in a folder, orders it, and lets the box have it.</summary>
    public Task<ModelReport> PublishAsync(int version, Nature nature, bool now = false)
    {
        var folder = TinyModel.Write(In($"published-{version}"), version, nature);
        return OrderAsync(Publisher.Sign(folder), folder, now: now);
    }

    public async Task RestartAsync()
    {
        await _map.DisposeAsync();
        await Updates.DisposeAsync();
        (Updates, _map) = Open();
    }

    public async ValueTask DisposeAsync()
    {
        await _map.DisposeAsync();
        await Updates.DisposeAsync();
        Publisher.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    private (ModelUpdates, MapRefresh) Open()
    {
        var updates = new ModelUpdates(Options, In("models"), new() { Directory = In("shipped") }, _clock, NullLogger<ModelUpdates>.Instance, _start);
        return (updates, new(new() { Directory = In("map"), Node = "edge-1" }, new Catalog(), (_, _, _) => Task.CompletedTask, _ => null, _clock, NullLogger<MapRefresh>.Instance,
            updates.StartServingAsync, afterwards: updates.AfterCycleAsync));
    }

    /// <summary>Series that are as busy today as yesterday, more or less: what a mean of four weeks knows little of.</summary>
    private void Observe(long hour)
    {
        for (var series = 0; series < Series; series++)
        {
            if (hour % Instant.Day == 0)
            {
                _level[series] = Math.Clamp(_level[series] * Math.Exp(_random.NextDouble() - 0.5), 5, 100);
            }
            _map.Observe($"acme/d{series}/m", hour, Count(_level[series]));
        }
    }
}

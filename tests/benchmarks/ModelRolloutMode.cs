using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Foretier.Archive.Stores;
using Foretier.Client.Mqtt;
using Foretier.Protocol.Releases;
using Foretier.Tests.Benchmarks.Ingest;
using Foretier.Tests.Unit.Archive;
using Foretier.Tests.Unit.Updates;

namespace Foretier.Tests.Benchmarks;

/// <summary>Models on a running fleet: published, compared, promoted, sent back; and all that no box may take.</summary>
internal sealed class ModelRolloutMode : IDisposable
{
    private const string Usage = """
        usage: scripts/model-rollout [--boxes N] [--rate N] [--series N] [--seed N] [--s3]
          Starts a router, a gateway and --boxes agents (default 5) on clocks that run --rate times as fast (default 360: an hour in ten seconds), whose own model
          is a poor one; gives each four weeks of --series series (default 16) and publishes to all of them all the time. Then: a large
          model to the canary, whose gateway is killed in the middle and which goes on where it was; a better one to the canary, to all, until it serves past its probation; a bad one that is let serve at once and goes back by itself; unsigned, changed, expired, too new, too old, cut off, damaged, crossing,
          slow, hungry and crashing ones, each refused by every box with its reason; a rollback. At the end every acknowledged sample is asked for.
          --s3   the archive is on a real S3 server (scripts/s3-server), which is away for a while, too, while the large model is fetched; else a folder.
          About ten minutes on two quiet cores. Prints 'N passed, N failed'.
        Exit code 0 where nothing failed, 1 otherwise, 2 for bad usage.
        """;

    private const string Shipped = "models/volume-lstm";
    private static readonly DateTimeOffset _begin = new(2026, 6, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-models-").FullName;
    private readonly Dictionary<string, int> _options;
    private readonly Publisher _publisher, _stranger;
    private readonly RadosServer? _s3;
    private readonly ObjectStore _archive;
    private readonly string _place;
    private readonly List<Broker> _boxes = [];
    private readonly Stopwatch _elapsed = Stopwatch.StartNew();
    private readonly CancellationTokenSource _done = new();
    private Func<Task> _startGateway = () => Task.CompletedTask;
    private Broker? _gateway;
    private HttpClient _http = new();
    private long _acknowledged;
    private int _passed, _failed, _version = 10;

    private ModelRolloutMode(Dictionary<string, int> options, bool onS3)
    {
        _options = options;
        if (onS3)
        {
            _s3 = new();
            var s3 = _s3.Options();
            // What the nodes, started by this process, find it by.
            Environment.SetEnvironmentVariable("AWS_ACCESS_KEY_ID", s3.Credentials.AccessKey);
            Environment.SetEnvironmentVariable("AWS_SECRET_ACCESS_KEY", s3.Credentials.SecretKey);
            (_place, _archive) = ($"s3://{s3.Bucket}/{s3.Prefix}?endpoint={s3.Endpoint}", new S3Store(s3));
        }
        else
        {
            (_place, _archive) = (In("archive"), new DirectoryStore(In("archive")));
        }
        (_publisher, _stranger) = (new(In("model-cert.pem")), new(In("stranger.pem")));
    }

    public static async Task<int> RunAsync(IReadOnlyList<string> args)
    {
        var options = new Dictionary<string, int> { ["--boxes"] = 5, ["--rate"] = 360, ["--series"] = 16, ["--seed"] = 1 };
        var onS3 = false;
        for (var i = 0; i < args.Count; i++)
        {
            if (args[i] == "--s3")
            {
                onS3 = true;
                continue;
            }
            if (i + 1 == args.Count || !options.ContainsKey(args[i]) || !int.TryParse(args[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number < 1)
            {
                Console.Error.WriteLine(Usage);
                return args[i] is "--help" or "-h" ? 0 : 2;
            }
            options[args[i++]] = number;
        }
        using var mode = new ModelRolloutMode(options, onS3);
        await mode.RunAsync();
        Console.WriteLine($"{mode._passed} passed, {mode._failed} failed");
        return mode._failed == 0 ? 0 : 1;
    }

    /// <summary>A setting: each node starts at the time that the others have come to.</summary>
    private (string, string) Clock() => ("CLOCK", FormattableString.Invariant($"{_begin + Now:yyyy-MM-dd'T'HH:mm:ss'Z'}@{_options["--rate"]}"));

    private TimeSpan Now => _elapsed.Elapsed * _options["--rate"];

    private string In(string name) => Path.Combine(_folder, name);

    private async Task RunAsync()
    {
        TinyModel.Write(In("own/volume-lstm"), 2, Nature.AlwaysTen);
        CopyFolder(Path.Combine(LoneNode.Root(), "models/access-ranker"), In("own/access-ranker"));
        var (routerPort, gatewayPort) = (Broker.FreePort(), Broker.FreePort());
        using var router = new Broker(await LoneNode.StartAsync("Router", routerPort, [("NODE", "router-1"), ("DATA", In("router")), ("ARCHIVE", _place), Clock()]), 0, null, null) { HttpPort = routerPort };
        _startGateway = async () => _gateway = new Broker(await LoneNode.StartAsync("Gateway", gatewayPort, [("NODE", "gateway-1"), ("DATA", In("gateway")), ("SITE", "site-1"), ("ARCHIVE", _place),
            ("UPSTREAM", $"http://127.0.0.1:{routerPort}"), ("MODELS__DIRECTORY", "none"), Clock()]), 0, null, null);
        await _startGateway();
        _http = LoneNode.Client(router);
        _http.Timeout = TimeSpan.FromMinutes(2);
        for (var box = 1; box <= _options["--boxes"]; box++)
        {
            _boxes.Add(await LoneAgent.StartAsync(In($"box-{box}"), ("NODE", $"edge-{box}"), ("UPSTREAM", $"http://127.0.0.1:{gatewayPort}"), ("MODELS__DIRECTORY", In("own")),
                ("UPDATES__CERTIFICATE", _publisher.CertificateFile), ("UPDATES__SHADOWHOURS", "9"), ("UPDATES__PROBATIONHOURS", "9"), ("UPDATES__ANSWERWITHIN", "00:00:20"), ("UPDATES__LABELS__0", box == 1 ? "canary" : "rest"), Clock()));
        }
        var readings = _boxes.Select((box, i) => PublishAsync(box, i + 1)).ToList();
        try
        {
            await CutOffAsync();
            await BetterAsync();
            await WorseAsync();
            await HostileAsync();
            await RollbackAsync();
        }
        finally
        {
            await _done.CancelAsync();
        }
        await Task.WhenAll(readings);
        await CheckAsync($"ingest: {_acknowledged} samples were acknowledged, and all are there", TimeSpan.FromMinutes(3), async () => await CountAsync() == _acknowledged);
        await CheckAsync("every hop's account balances", TimeSpan.FromMinutes(1), async () => (await GetAsync("api/v1/ledger")).GetProperty("balanced").GetBoolean());
        await CheckAsync("the fleet is listed: every box connected, with version and model", TimeSpan.FromMinutes(1), async () =>
            (await GetAsync("api/v1/fleet")).GetProperty("boxes").EnumerateArray().Count(box => box.GetProperty("role").GetString() == "edge" && box.GetProperty("connected").GetBoolean()
                && box.GetProperty("model").ValueKind == JsonValueKind.String) == _boxes.Count);
    }

    private async Task BetterAsync()
    {
        CopyFolder(Path.Combine(LoneNode.Root(), Shipped), In("better"));
        var manifest = In("better/model.json");
        File.WriteAllText(manifest, File.ReadAllText(manifest).Replace("\"version\": 2", "\"version\": 3", StringComparison.Ordinal));
        await PublishAsync(_publisher.Sign(In("better")), In("better"), "canary");
        await CheckAsync("published for the canary, it is on trial there and nowhere else", TimeSpan.FromMinutes(3), async () =>
            (await BoxesAsync()).Count(box => Phase(box) == "shadow") == 1 && Phase((await BoxesAsync()).Single(box => box.GetProperty("node").GetString() == "edge-1")) == "shadow");
        await ChangeAsync(new { stage = "trial", labels = Array.Empty<string>() });
        await AllAsync("promoted to all, every box compares it", TimeSpan.FromMinutes(3), model => Phase(model) == "shadow" || Serving(model) == 3);
        await AllAsync("better, it serves on every box", TimeSpan.FromMinutes(8), model => Serving(model) == 3);
        await AllAsync("past its probation it stays", TimeSpan.FromMinutes(8), model => Serving(model) == 3 && !Has(model.GetProperty("serving"), "probationUntil"));
    }

    /// <summary>A model of many parts, while whose way is cut.</summary>
    private async Task CutOffAsync()
    {
        // (Twice as much in memory, of the 32 MB that the process has that tries it.)
        const int LicenceBytes = 5_000_000;
        var folder = TinyModel.Write(In("large"), ++_version, Nature.LikeYesterday, manifest => new(manifest) { ["licence"] = new string('x', LicenceBytes) });
        await PublishAsync(_publisher.Sign(folder), folder, "canary");
        var fetched = new List<long>();
        async Task<bool> IsPastAsync(double share)
        {
            var box = (await BoxesAsync()).FirstOrDefault(one => one.GetProperty("node").GetString() == "edge-1");
            if (box.ValueKind != JsonValueKind.Object || Phase(box) != "fetching")
            {
                return fetched.Count > 0;
            }
            fetched.Add(Model(box).GetProperty("trial").GetProperty("bytes").GetInt64());
            return fetched[^1] > share * LicenceBytes;
        }
        await CheckAsync("a large model begins to come to the canary", TimeSpan.FromMinutes(3), () => IsPastAsync(0.05), every: TimeSpan.FromMilliseconds(20));
        _gateway!.Process.Kill();
        await _gateway.Process.WaitForExitAsync();
        _gateway.Dispose();
        if (_s3 is not null)
        {
            _s3.IsDown = true;
        }
        await Task.Delay(TimeSpan.FromSeconds(3));
        await _startGateway();
        if (_s3 is not null)
        {
            // Linked again, it asks for what cannot be read yet.
            await Task.Delay(TimeSpan.FromSeconds(3));
            _s3.IsDown = false;
        }
        var cut = fetched.LastOrDefault();
        fetched.Clear();
        await CheckAsync(_s3 is null ? "cut off by its gateway's end, it goes on" : "cut off by its gateway's end and the archive's, it goes on", TimeSpan.FromMinutes(5),
            async () => await IsPastAsync(1) || (await BoxesAsync()).Exists(box => Phase(box) is "testing" or "shadow"), every: TimeSpan.FromMilliseconds(20));
        await CheckAsync(string.Create(CultureInfo.InvariantCulture, $"from where it was: {cut} bytes, then {fetched.DefaultIfEmpty(cut).Min()}"), TimeSpan.Zero, () => Task.FromResult(cut is > 0 and < LicenceBytes && fetched.TrueForAll(bytes => bytes >= cut)));
        await CheckAsync("and is on trial once it is there", TimeSpan.FromMinutes(3), async () => (await BoxesAsync()).Count(box => Phase(box) == "shadow") == 1);
        await ChangeAsync(new { stage = "stopped" });
        await AllAsync("stopped, it is dropped", TimeSpan.FromMinutes(2), model => Phase(model) == "" && Serving(model) == 2);
    }

    private async Task WorseAsync()
    {
        var folder = TinyModel.Write(In("worse"), 4, Nature.Exaggerates);
        await PublishAsync(_publisher.Sign(folder), folder);
        await AllAsync("a degraded model that passes its test is compared", TimeSpan.FromMinutes(3), model => Phase(model) == "shadow");
        await ChangeAsync(new { stage = "trial", now = true });
        await AllAsync("let serve at once, it serves", TimeSpan.FromMinutes(2), model => Serving(model) == 4);
        await AllAsync("and goes back by itself, everywhere, with its reason", TimeSpan.FromMinutes(8), model => Serving(model) == 3 && Reason(model, 4)?.Contains("bad on probation", StringComparison.Ordinal) == true);
    }

    private async Task HostileAsync()
    {
        await RefusedAsync("unsigned", "not signed", signed: release => release with { Signature = [] });
        await RefusedAsync("changed after signing", "or was changed since", signed: release => release with { Document = [.. release.Document, (byte)' '] });
        await RefusedAsync("signed by a stranger", "not signed by a key that this box trusts", signed: _ => _stranger.Sign(In($"hostile-{_version}")));
        await RefusedAsync("expired", "has expired on 2016-01-01", change: release => release with { Expires = new(2016, 1, 1, 0, 0, 0, TimeSpan.Zero) });
        await RefusedAsync("of another contract", "keeps version 2 of its contract", change: release => release with { Contract = 2 });
        await RefusedAsync("for a newer runtime", "asks for ONNX Runtime 99.0", change: release => release with { OnnxRuntimeMin = "99.0" });
        await RefusedAsync("older than what was there", "is not newer than 4", version: 1);
        await RefusedAsync("cut off in the archive", "ends after 100 of its", tamper: bytes => bytes[..100]);
        await RefusedAsync("damaged in the archive", "is not what was signed", tamper: bytes => [.. bytes[..60], (byte)(bytes[60] ^ 4), .. bytes[61..]]);
        await RefusedAsync("with quantiles that cross", "its quantiles cross", nature: Nature.Crosses);
        await RefusedAsync("with numbers that are none", "not finite", nature: Nature.NotANumber);
        await RefusedAsync("of another shape", "other tensors than", nature: Nature.OtherShape);
        await RefusedAsync("that is slow", "it gave no answer within", nature: Nature.Slow);
        await RefusedAsync("that takes too much memory", "MB of memory", nature: Nature.Hungry);
        await RefusedAsync("that crashes", "ended by signal", nature: Nature.Crashes);
        await AllAsync("through all of it version 3 serves, and nothing else is on trial", TimeSpan.FromMinutes(1), model => Serving(model) == 3 && Phase(model) == "");
    }

    private async Task RollbackAsync()
    {
        await ChangeAsync(new { stage = "rolledBack", version = 3 });
        await AllAsync("rolled back from above, every box is where it began", TimeSpan.FromMinutes(2), model => Serving(model) == 2);
    }

    /// <param name="tamper">Of model.onnx in the archive, after it was published.</param>
    private async Task RefusedAsync(string what, string reason, Nature nature = Nature.LikeYesterday, int? version = null, Func<ModelRelease, ModelRelease>? change = null,
        Func<SignedRelease, SignedRelease>? signed = null, Func<byte[], byte[]>? tamper = null)
    {
        var number = version ?? ++_version;
        var folder = TinyModel.Write(In($"hostile-{number}"), number, nature);
        var release = _publisher.Sign(folder, change);
        release = signed?.Invoke(release) ?? release;
        await PublishAsync(release, folder, percent: tamper is null ? 100 : 0);
        if (tamper is not null)
        {
            var key = string.Create(CultureInfo.InvariantCulture, $"v1/models/volume-lstm/{number}/model.onnx");
            await _archive.PutAsync(key, tamper(await _archive.GetAsync(key, CancellationToken.None)), CancellationToken.None);
            await ChangeAsync(new { stage = "trial", percent = 100 });
        }
        await AllAsync($"a model {what} is refused", TimeSpan.FromMinutes(4), model => Refusal(model, release.Digest)?.Contains(reason, StringComparison.Ordinal) == true && Serving(model) == 3);
    }

    private async Task PublishAsync(SignedRelease release, string folder, string? label = null, int percent = 100)
    {
        using var response = await _http.PostAsJsonAsync("api/v1/models", new
        {
            document = release.Document,
            signature = release.Signature,
            files = Directory.GetFiles(folder).Select(file => new { name = Path.GetFileName(file), content = File.ReadAllBytes(file) }),
            percent,
            labels = label is null ? Array.Empty<string>() : [label],
        });
        if (!response.IsSuccessStatusCode)
        {
            throw new InvalidOperationException($"not published: {await response.Content.ReadAsStringAsync()}");
        }
    }

    private async Task ChangeAsync(object change)
    {
        using var response = await _http.PutAsJsonAsync("api/v1/models/volume-lstm/rollout", change);
        if (!response.IsSuccessStatusCode)
        {
            throw new InvalidOperationException($"not changed: {await response.Content.ReadAsStringAsync()}");
        }
    }

    private Task AllAsync(string what, TimeSpan within, Func<JsonElement, bool> isSo) => CheckAsync(what, within, async () =>
    {
        var boxes = await BoxesAsync();
        return boxes.Count == _boxes.Count && boxes.TrueForAll(box => isSo(Model(box)));
    });

    private async Task CheckAsync(string what, TimeSpan within, Func<Task<bool>> isSo, TimeSpan? every = null)
    {
        var began = Stopwatch.GetTimestamp();
        var took = TimeSpan.Zero;
        bool isDone;
        while (!(isDone = await isSo()) && took < within)
        {
            await Task.Delay(every ?? TimeSpan.FromMilliseconds(500));
            took = Stopwatch.GetElapsedTime(began);
        }
        (_passed, _failed) = isDone ? (_passed + 1, _failed) : (_passed, _failed + 1);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(isDone ? "ok   " : "WRONG")} {what} ({took.TotalSeconds:0} s)"));
        if (!isDone)
        {
            Console.WriteLine(string.Join('\n', (await BoxesAsync()).Select(box => "      " + box.GetRawText())));
        }
    }

    private async Task<JsonElement> GetAsync(string path) => JsonDocument.Parse(await _http.GetStringAsync(path)).RootElement;

    private async Task<List<JsonElement>> BoxesAsync() => [.. (await GetAsync("api/v1/models")).GetProperty("boxes").EnumerateArray()];

    private static JsonElement Model(JsonElement box) => box.TryGetProperty("models", out var models) ? models[0] : box;

    private static bool Has(JsonElement of, string name) => of.TryGetProperty(name, out var value) && value.ValueKind is not JsonValueKind.Null;

    private static int Serving(JsonElement model) => Has(model, "serving") ? model.GetProperty("serving").GetProperty("version").GetInt32() : 0;

    private static string Phase(JsonElement box) => Has(Model(box), "trial") ? Model(box).GetProperty("trial").GetProperty("phase").GetString()! : "";

    private static string? Reason(JsonElement model, int version) => model.GetProperty("refused").EnumerateArray()
        .Where(refused => refused.GetProperty("version").GetInt32() == version).Select(refused => refused.GetProperty("reason").GetString()).FirstOrDefault();

    private static string? Refusal(JsonElement model, string digest) => model.GetProperty("refused").EnumerateArray()
        .Where(refused => refused.GetProperty("digest").GetString() == digest).Select(refused => refused.GetProperty("reason").GetString()).FirstOrDefault();

    private async Task<long> CountAsync()
    {
        var from = (_begin - TimeSpan.FromDays(40)).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        var answer = await GetAsync($"api/v1/query?series=acme/*/m&from={from}&to=now&fn=count");
        return answer.GetProperty("results").EnumerateArray().Sum(result => result.GetProperty("points").EnumerateArray().Sum(point => (long)point[1].GetDouble()));
    }

    /// <summary>Four weeks at once, then each hour as it ends: as many samples as yesterday, more or less.</summary>
    private async Task PublishAsync(Broker box, int number)
    {
        var random = new Random(_options["--seed"] * 100 + number);
        await using var publisher = await MqttPublisher.ConnectAsync(box.Mqtt($"readings-{number}", 100), _ => { }, TimeProvider.System, CancellationToken.None);
        var levels = Enumerable.Repeat(20.0, _options["--series"]).ToArray();
        for (var hour = -28 * 24; !_done.IsCancellationRequested; hour++)
        {
            var sent = 0;
            for (var series = 0; series < levels.Length; series++)
            {
                levels[series] = hour % 24 == 0 ? Math.Clamp(levels[series] * Math.Exp(random.NextDouble() - 0.5), 5, 60) : levels[series];
                var count = Math.Max(1, (int)(levels[series] * (1 + 0.5 * Math.Sin(hour * Math.PI / 12)) + random.NextDouble() * 3));
                var start = (_begin + TimeSpan.FromHours(hour)).ToUnixTimeMilliseconds();
                var text = new StringBuilder("[");
                for (var i = 0; i < count; i++)
                {
                    text.Append(i == 0 ? "" : ",").Append(CultureInfo.InvariantCulture, $"[{start + i * (3_600_000L / count)},{random.Next(100)}]");
                }
                await publisher.PublishAsync(Encoding.ASCII.GetBytes(FormattableString.Invariant($"v1/acme/box{number}-{series}/m")), Encoding.ASCII.GetBytes(text.Append(']').ToString()), 0, CancellationToken.None);
                sent += count;
            }
            if (hour >= 0 || hour % 24 == 0)
            {
                await publisher.DrainAsync(CancellationToken.None);
            }
            Interlocked.Add(ref _acknowledged, sent);
            while (hour >= 0 && Now < TimeSpan.FromHours(hour + 1) && !_done.IsCancellationRequested)
            {
                await Task.Delay(100);
            }
        }
        await publisher.DrainAsync(CancellationToken.None);
    }

    private static void CopyFolder(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var name in new[] { "model.json", "model.onnx", "golden.json" })
        {
            File.Copy(Path.Combine(from, name), Path.Combine(to, name), overwrite: true);
        }
    }

    public void Dispose()
    {
        _boxes.ForEach(box => box.Dispose());
        _gateway?.Dispose();
        _archive.Dispose();
        _s3?.Dispose();
        _http.Dispose();
        _done.Dispose();
        _publisher.Dispose();
        _stranger.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}

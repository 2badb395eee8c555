using System.Net.Http.Headers;
using System.Text.Json;
using Foretier.Core.Tiers;
using Foretier.Protocol.Api;
using Refit;

namespace Foretier.Client;

/// <summary>
/// The typed client: asks a router (or a gateway or agent about what it holds) over REST.
/// Thread-safe; make one and keep it.
/// </summary>
/// <example><code>
/// using var foretier = new ForetierClient(new Uri("http://127.0.0.1:8080"), apiKey);
/// var reply = await foretier.QueryAsync(new() { Series = "acme/*/temperature", From = "-6h", Step = "1h", Fn = "avg" });
/// </code></example>
public sealed class ForetierClient : IDisposable
{
    private readonly HttpClient _http;
    private readonly IForetierApi _api;

    /// <param name="server">Where it listens, <c>http://127.0.0.1:8080</c>.</param>
    /// <param name="apiKey">Sent as bearer token.</param>
    /// <param name="transport">Instead of sockets, for tests.</param>
    public ForetierClient(Uri server, string? apiKey, HttpMessageHandler? transport = null)
    {
        Server = server;
        // Moving a tier may take long; callers end what they no longer want by their token.
        _http = new(transport ?? new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(10) })
        {
            BaseAddress = server,
            Timeout = Timeout.InfiniteTimeSpan,
        };
        if (!string.IsNullOrEmpty(apiKey))
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", apiKey);
        }
        _api = RestService.For<IForetierApi>(_http, new RefitSettings(new SystemTextJsonContentSerializer(ApiJson.Options))
        {
            ExceptionFactory = ReadProblemAsync,
        });
    }

    public Uri Server { get; }

    /// <exception cref="ServerRefusedException">The server refused, and says why.</exception>
    /// <exception cref="ServerUnreachableException">No answer.</exception>
    public Task<QueryReply> QueryAsync(QueryParameters parameters, CancellationToken cancel = default) =>
        AskAsync(() => _api.QueryAsync(parameters, cancel));

    /// <summary>The answer's JSON as it arrives; the caller disposes it.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<Stream> QueryDocumentAsync(QueryParameters parameters, CancellationToken cancel = default) =>
        AskAsync(() => _api.QueryDocumentAsync(parameters, cancel));

    /// <summary>The plan of a query, what it was expected to cost and what it did cost.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<JsonElement> ExplainAsync(QueryParameters parameters, CancellationToken cancel = default) =>
        AskAsync(() => _api.ExplainAsync(parameters, cancel));

    /// <param name="glob">Pattern; null = all.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<SeriesReply> SeriesAsync(string? glob = null, CancellationToken cancel = default) =>
        AskAsync(() => _api.SeriesAsync(glob, cancel));

    /// <summary>Deletes what was accepted of a series in [from, to) until now, on every tier; for good.</summary>
    /// <param name="series">account/device/measurement</param>
    /// <param name="from">RFC 3339, epoch, now, -6h.</param>
    /// <param name="to">The same; not in it.</param>
    /// <param name="cancel">Ends the wait; what was written down goes on.</param>
    /// <exception cref="ForetierException">An edge that has samples of it is away, or it is unknown.</exception>
    public Task<DeletionReply> DeleteSamplesAsync(string series, string from, string to, CancellationToken cancel = default) =>
        series.Split('/') is [var account, var device, var measurement]
            ? AskAsync(() => _api.DeleteSamplesAsync(account, device, measurement, from, to, cancel))
            : throw new ArgumentException($"'{series}' is not account/device/measurement", nameof(series));

    /// <summary>Declares the kind or the unit of a series, on the edge that takes it in.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<SeriesEntry> ChangeSeriesAsync(SeriesChange change, CancellationToken cancel = default) =>
        AskAsync(() => _api.ChangeSeriesAsync(change, cancel));

    /// <inheritdoc cref="QueryAsync"/>
    public Task<LedgerReply> LedgerAsync(CancellationToken cancel = default) => AskAsync(() => _api.LedgerAsync(cancel));

    /// <summary>What is expected of a series in the next 24 hours, beside what came in the last 48.</summary>
    /// <param name="series">account/device/measurement</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<ForecastReply> ForecastAsync(string series, CancellationToken cancel = default) => AskAsync(() => _api.ForecastAsync(series, cancel));

    /// <summary>When edges were not counting samples, of those that can be asked now.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<GapsReply> GapsAsync(CancellationToken cancel = default) => AskAsync(() => _api.GapsAsync(cancel));

    /// <summary>How forecasts came out, at every edge.</summary>
    /// <param name="days">Over the last 1 to 90 days.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<ScorecardReply> ScorecardAsync(int days, CancellationToken cancel = default) => AskAsync(() => _api.ScorecardAsync(days, cancel));

    /// <summary>The predictive partition map, or the part of it that a series pattern, an edge and a range name; null = all.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<MapReply> MapAsync(string? series = null, string? edge = null, string? from = null, string? to = null, CancellationToken cancel = default) =>
        AskAsync(() => _api.MapAsync(series, edge, from, to, cancel));

    /// <summary>Forgets an edge that was taken out of service: its part of the map, and that it is not connected. What it shipped stays.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<EdgeReply> ForgetEdgeAsync(string edge, CancellationToken cancel = default) => AskAsync(() => _api.ForgetEdgeAsync(edge, cancel));

    /// <inheritdoc cref="QueryAsync"/>
    public Task<TierReply> TierAsync(CancellationToken cancel = default) => AskAsync(() => _api.TierAsync(cancel));

    /// <summary>How the edges wear their flash.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<FlashReply> FlashAsync(CancellationToken cancel = default) => AskAsync(() => _api.FlashAsync(cancel));

    /// <inheritdoc cref="QueryAsync"/>
    public Task<TierMoveReply> MoveAsync(TierMoveRequest request, CancellationToken cancel = default) =>
        AskAsync(() => _api.MoveAsync(request, cancel));

    /// <inheritdoc cref="QueryAsync"/>
    public Task<DevicesReply> DevicesAsync(CancellationToken cancel = default) => AskAsync(() => _api.DevicesAsync(cancel));

    /// <summary>Gives a device (or <c>*</c>, a concentrator) of an account its secret; the same again changes nothing.</summary>
    /// <param name="account">Whose it is.</param>
    /// <param name="device">Its name, or <c>*</c>.</param>
    /// <param name="secret">Null: the server makes one up.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<DeviceSecretReply> PutDeviceAsync(string account, string device, string? secret, CancellationToken cancel = default) =>
        RotateDeviceAsync(account, device, secret, TimeSpan.Zero, cancel);

    /// <summary>The same, with a time for which the secret before goes on to work.</summary>
    /// <inheritdoc cref="PutDeviceAsync"/>
    public Task<DeviceSecretReply> RotateDeviceAsync(string account, string device, string? secret, TimeSpan grace, CancellationToken cancel = default) =>
        AskAsync(() => _api.PutDeviceAsync(account, device, new(secret) { GraceSeconds = grace.TotalSeconds }, cancel));

    /// <summary>Changes the topic rules of a device, or how often it is expected.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<DeviceEntry> ChangeDeviceAsync(string account, string device, DeviceChange change, CancellationToken cancel = default) =>
        AskAsync(() => _api.ChangeDeviceAsync(account, device, change, cancel));

    /// <summary>Takes every credential of a device away, at once. What it has published stays.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task RemoveDeviceAsync(string account, string device, CancellationToken cancel = default) =>
        DoAsync(() => _api.RemoveDeviceAsync(account, device, null, null, cancel));

    /// <summary>Forgets a device with its credentials and rules. What it has published stays.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task ForgetDeviceAsync(string account, string device, CancellationToken cancel = default) =>
        DoAsync(() => _api.RemoveDeviceAsync(account, device, true, null, cancel));

    /// <summary>Revokes one certificate of a device, at once.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task RevokeCertificateAsync(string account, string device, string serial, CancellationToken cancel = default) =>
        DoAsync(() => _api.RemoveDeviceAsync(account, device, null, serial, cancel));

    /// <summary>Makes a one-time token of each edge, with which the device may get a client certificate.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<EnrolmentsReply> OpenEnrolmentAsync(string account, string device, CancellationToken cancel = default) =>
        AskAsync(() => _api.OpenEnrolmentAsync(account, device, cancel));

    /// <summary>What every node finds when it looks at itself.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<DoctorReply> DoctorAsync(CancellationToken cancel = default) => AskAsync(() => _api.DoctorAsync(cancel));

    /// <inheritdoc cref="QueryAsync"/>
    public Task<AccountsReply> AccountsAsync(CancellationToken cancel = default) => AskAsync(() => _api.AccountsAsync(cancel));

    /// <summary>Makes an account, or changes the rules its devices go by.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<AccountEntry> PutAccountAsync(string account, AccountRules rules, CancellationToken cancel = default) =>
        AskAsync(() => _api.PutAccountAsync(account, rules, cancel));

    /// <summary>Removes an account with all its devices; what they have published stays.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task RemoveAccountAsync(string account, CancellationToken cancel = default) =>
        DoAsync(() => _api.RemoveAccountAsync(account, cancel));

    /// <summary>Gives an account other terms: what is left out is the usual again.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<AccountTermsReply> SetTermsAsync(string account, AccountTerms terms, CancellationToken cancel = default) =>
        AskAsync(() => _api.SetTermsAsync(account, terms, cancel));

    /// <summary>The API keys there are; the keys themselves only their holders have.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<KeysReply> KeysAsync(CancellationToken cancel = default) => AskAsync(() => _api.KeysAsync(cancel));

    /// <summary>Makes an API key: for reading the data of some accounts, or for everything.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<KeyMadeReply> MakeKeyAsync(KeyRequest request, CancellationToken cancel = default) => AskAsync(() => _api.MakeKeyAsync(request, cancel));

    /// <summary>Ends an API key, at once.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<KeyEntry> RevokeKeyAsync(string id, CancellationToken cancel = default) => AskAsync(() => _api.RevokeKeyAsync(id, cancel));

    /// <summary>Every box: version, model, health, flash life left, last seen.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<FleetReply> FleetAsync(CancellationToken cancel = default) => AskAsync(() => _api.FleetAsync(cancel));

    /// <summary>The models in the archive, and how every box stands with them.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<ModelsReply> ModelsAsync(CancellationToken cancel = default) => AskAsync(() => _api.ModelsAsync(cancel));

    /// <summary>Publishes a signed model, and begins to roll it out.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<ModelEntry> PublishModelAsync(ModelUpload upload, CancellationToken cancel = default) => AskAsync(() => _api.PublishModelAsync(upload, cancel));

    /// <summary>Changes which boxes are to have which version of a model.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<ModelEntry> ChangeRolloutAsync(string id, RolloutChange change, CancellationToken cancel = default) => AskAsync(() => _api.ChangeRolloutAsync(id, change, cancel));

    /// <summary>The agent's images in the archive, and how every box stands with the one that is rolled out.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<ImagesReply> ImagesAsync(CancellationToken cancel = default) => AskAsync(() => _api.ImagesAsync(cancel));

    /// <summary>Publishes a signed image, or says which of its files are to be sent first.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<ImageUploadReply> PublishImageAsync(ImageUpload upload, CancellationToken cancel = default) => AskAsync(() => _api.PublishImageAsync(upload, cancel));

    /// <summary>Sends a file of an image.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task PutImageFileAsync(string version, string file, string sha256, Stream content, CancellationToken cancel = default) =>
        DoAsync(() => _api.PutImageFileAsync(version, file, sha256, content, cancel));

    /// <summary>Changes which boxes are to run which image.</summary>
    /// <inheritdoc cref="QueryAsync"/>
    public Task<ImagesReply> ChangeImageRolloutAsync(ImageChange change, CancellationToken cancel = default) => AskAsync(() => _api.ChangeImageRolloutAsync(change, cancel));

    public void Dispose() => _http.Dispose();

    private static async ValueTask<Exception?> ReadProblemAsync(HttpResponseMessage response)
    {
        if (response.IsSuccessStatusCode)
        {
            return null;
        }
        var body = await response.Content.ReadAsStringAsync().ConfigureAwait(false);
        return new ServerRefusedException(Problem.Read(response.StatusCode, response.ReasonPhrase, body));
    }

    private Task DoAsync(Func<Task> ask) => AskAsync(async () =>
    {
        await ask().ConfigureAwait(false);
        return true;
    });

    private async Task<T> AskAsync<T>(Func<Task<T>> ask)
    {
        try
        {
            return await ask().ConfigureAwait(false);
        }
        catch (ApiRequestException e) when (e.InnerException is HttpRequestException or IOException)
        {
            throw new ServerUnreachableException(Server, e.InnerException.Message, e);
        }
        catch (ApiRequestException e) when (e.InnerException is OperationCanceledException cancelled)
        {
            throw new OperationCanceledException(cancelled.Message, e, cancelled.CancellationToken);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new ServerUnreachableException(Server, e.Message, e);
        }
        catch (ApiException e)
        {
            // A success whose body is no document of ours: something else listens there.
            throw new ServerUnreachableException(Server, "the answer is not one of Foretier's: " + (e.InnerException?.Message ?? e.Message), e);
        }
    }
}

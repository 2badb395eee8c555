using System.Text.Json;
using Foretier.Core.Tiers;
using Refit;

namespace Foretier.Protocol.Api;

/// <summary>
/// The REST interface, v1. The router serves it over everything it can reach, a gateway or an agent over what it holds itself.
/// </summary>
/// <remarks>
/// Times travel as text (RFC 3339, epoch, <c>now</c>, <c>-6h</c>) and are read by the server, whose clock decides what "now" is.
/// A <see cref="DateTimeOffset"/> parameter would lose its sub-seconds on the way through Refit.
/// </remarks>
public interface IForetierApi
{
    [Get("/api/v1/query")]
    Task<QueryReply> QueryAsync([Query] QueryParameters parameters, CancellationToken cancel);

    /// <summary>The same answer as the server wrote it, for those who pass it on; it is read as it arrives.</summary>
    [Get("/api/v1/query")]
    Task<Stream> QueryDocumentAsync([Query] QueryParameters parameters, CancellationToken cancel);

    [Get("/api/v1/explain")]
    Task<JsonElement> ExplainAsync([Query] QueryParameters parameters, CancellationToken cancel);

    [Get("/api/v1/series")]
    Task<SeriesReply> SeriesAsync([Query] string? series, CancellationToken cancel);

    [Patch("/api/v1/series")]
    Task<SeriesEntry> ChangeSeriesAsync([Body] SeriesChange change, CancellationToken cancel);

    /// <param name="from">RFC 3339, epoch, now, -6h.</param>
    /// <param name="to">The same; the range is half-open.</param>
    [Delete("/api/v1/series/{account}/{device}/{measurement}")]
    Task<DeletionReply> DeleteSamplesAsync(string account, string device, string measurement, [Query] string from, [Query] string to, CancellationToken cancel);

    [Get("/api/v1/ledger")]
    Task<LedgerReply> LedgerAsync(CancellationToken cancel);

    [Get("/api/v1/forecast")]
    Task<ForecastReply> ForecastAsync([Query] string series, CancellationToken cancel);

    [Get("/api/v1/gaps")]
    Task<GapsReply> GapsAsync(CancellationToken cancel);

    [Get("/api/v1/scorecard")]
    Task<ScorecardReply> ScorecardAsync([Query] int days, CancellationToken cancel);

    /// <param name="series">A series or a pattern; null = all.</param>
    /// <param name="edge">Of one edge; null = of all.</param>
    /// <param name="from">Windows that end after it: RFC 3339, epoch, now, -6h; null = all.</param>
    /// <param name="to">Windows that begin before it.</param>
    [Get("/api/v1/map")]
    Task<MapReply> MapAsync([Query] string? series, [Query] string? edge, [Query] string? from, [Query] string? to, CancellationToken cancel);

    [Delete("/api/v1/map/{edge}")]
    Task<EdgeReply> ForgetEdgeAsync(string edge, CancellationToken cancel);

    [Get("/api/v1/tier")]
    Task<TierReply> TierAsync(CancellationToken cancel);

    [Get("/api/v1/flash")]
    Task<FlashReply> FlashAsync(CancellationToken cancel);

    [Post("/api/v1/tier/move")]
    Task<TierMoveReply> MoveAsync([Body] TierMoveRequest request, CancellationToken cancel);

    [Get("/api/v1/devices")]
    Task<DevicesReply> DevicesAsync(CancellationToken cancel);

    /// <param name="device">Device name, or <c>*</c> for a concentrator that speaks for every device of the account.</param>
    [Put("/api/v1/devices/{account}/{device}")]
    Task<DeviceSecretReply> PutDeviceAsync(string account, string device, [Body] DeviceSecret secret, CancellationToken cancel);

    [Patch("/api/v1/devices/{account}/{device}")]
    Task<DeviceEntry> ChangeDeviceAsync(string account, string device, [Body] DeviceChange change, CancellationToken cancel);

    /// <param name="remove">Null: revoke it. True: forget it. Its data stays in both cases.</param>
    /// <param name="certificate">Null, or the serial number of the one certificate to revoke.</param>
    [Delete("/api/v1/devices/{account}/{device}")]
    Task RemoveDeviceAsync(string account, string device, [Query] bool? remove, [Query] string? certificate, CancellationToken cancel);

    [Post("/api/v1/devices/{account}/{device}/enrolment")]
    Task<EnrolmentsReply> OpenEnrolmentAsync(string account, string device, CancellationToken cancel);

    [Get("/api/v1/doctor")]
    Task<DoctorReply> DoctorAsync(CancellationToken cancel);

    [Get("/api/v1/accounts")]
    Task<AccountsReply> AccountsAsync(CancellationToken cancel);

    [Put("/api/v1/accounts/{account}")]
    Task<AccountEntry> PutAccountAsync(string account, [Body] AccountRules rules, CancellationToken cancel);

    [Delete("/api/v1/accounts/{account}")]
    Task RemoveAccountAsync(string account, CancellationToken cancel);

    [Put("/api/v1/accounts/{account}/terms")]
    Task<AccountTermsReply> SetTermsAsync(string account, [Body] AccountTerms terms, CancellationToken cancel);

    [Get("/api/v1/keys")]
    Task<KeysReply> KeysAsync(CancellationToken cancel);

    [Post("/api/v1/keys")]
    Task<KeyMadeReply> MakeKeyAsync([Body] KeyRequest request, CancellationToken cancel);

    [Delete("/api/v1/keys/{id}")]
    Task<KeyEntry> RevokeKeyAsync(string id, CancellationToken cancel);

    [Get("/api/v1/fleet")]
    Task<FleetReply> FleetAsync(CancellationToken cancel);

    [Get("/api/v1/models")]
    Task<ModelsReply> ModelsAsync(CancellationToken cancel);

    [Post("/api/v1/models")]
    Task<ModelEntry> PublishModelAsync([Body] ModelUpload upload, CancellationToken cancel);

    [Put("/api/v1/models/{id}/rollout")]
    Task<ModelEntry> ChangeRolloutAsync(string id, [Body] RolloutChange change, CancellationToken cancel);

    [Get("/api/v1/images")]
    Task<ImagesReply> ImagesAsync(CancellationToken cancel);

    [Post("/api/v1/images")]
    Task<ImageUploadReply> PublishImageAsync([Body] ImageUpload upload, CancellationToken cancel);

    /// <param name="sha256">Of the content, hexadecimal: what is something else by then is refused.</param>
    [Put("/api/v1/images/{version}/{file}")]
    Task PutImageFileAsync(string version, string file, [Query] string sha256, [Body] Stream content, CancellationToken cancel);

    [Put("/api/v1/images/rollout")]
    Task<ImagesReply> ChangeImageRolloutAsync([Body] ImageChange change, CancellationToken cancel);
}

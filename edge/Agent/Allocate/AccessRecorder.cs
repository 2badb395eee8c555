using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Predict.Access;

namespace Foretier.Agent.Allocate;

/// <summary>The edge's data source, with every question that reaches it, from here or from above, noted in the access log.</summary>
internal sealed class AccessRecorder(IDataSource source, AccessLog log, TimeProvider clock) : IDataSource
{
    public string Node => source.Node;

    public Task<FetchResult> FetchAsync(FetchRequest request, CancellationToken cancel)
    {
        var now = Instant.Now(clock);
        foreach (var series in request.Series)
        {
            log.Record(series, request.Raw ? 0 : request.Step, now);
        }
        return source.FetchAsync(request, cancel);
    }
}

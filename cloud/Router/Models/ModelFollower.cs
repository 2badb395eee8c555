using System.Globalization;
using Foretier.Node.Link;
using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;
using Foretier.Router.Releases;

namespace Foretier.Router.Models;

/// <summary>Tells every box what is wanted of its models, and keeps how it stands with them.</summary>
internal sealed class ModelFollower(CatalogFollower nodes, ModelRegistry registry, TimeProvider clock, ILogger<ModelFollower> log)
{
    private readonly BoxFollower<ModelOrders, ModelReport> _boxes = new(nodes, new()
    {
        Path = "models",
        Orders = (node, before) => new(before is null ? [] : [.. registry.Models.Select(model => model.OrderFor(node, before.Labels)).OfType<ModelOrder>()]),
        Need = report => report.Need is not { } need ? null
            : new(string.Create(CultureInfo.InvariantCulture, $"{need.Id}/{need.Version}/{need.File}?offset={need.Offset}"), cancel => registry.ReadAsync(need, cancel)),
        IsBusy = report => report.Models.Any(model => model.Trial?.Phase == TrialPhase.Testing),
        Changed = () => registry.Changed,
    }, clock, log);

    /// <summary>How every box stands that was heard of since the start.</summary>
    public IReadOnlyList<BoxModels> Boxes => [.. _boxes.Boxes.Select(box => new BoxModels(box.Node, box.Connected, new(box.At), box.Report.Labels, box.Report.Models))];
}

using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest.Foreign;

/// <summary>What is taken besides topics of this product's own.</summary>
public sealed record IngestOptions
{
    public const string Zigbee2Mqtt = "zigbee2mqtt";
    public const string Tasmota = "tasmota";

    /// <summary>Template → account: <c>zigbee2mqtt</c> takes its topics of that name, <c>tasmota</c> those under <c>tele/</c>. Default none.</summary>
    public Dictionary<string, string> Templates { get; init; } = new(StringComparer.OrdinalIgnoreCase);

    /// <exception cref="ArgumentException">A value is impossible; the message names it.</exception>
    public IngestOptions Validated()
    {
        foreach (var (template, account) in Templates)
        {
            if (!template.Equals(Zigbee2Mqtt, StringComparison.OrdinalIgnoreCase) && !template.Equals(Tasmota, StringComparison.OrdinalIgnoreCase))
            {
                throw new ArgumentException($"Ingest:Templates:{template} is no template: there are {Zigbee2Mqtt} and {Tasmota}");
            }
            if (!SeriesKey.IsValidPart(account))
            {
                throw new ArgumentException($"Ingest:Templates:{template} must name an account, and '{account}' is none");
            }
        }
        return this;
    }

    internal string? AccountOf(string template) =>
        Templates.FirstOrDefault(t => t.Key.Equals(template, StringComparison.OrdinalIgnoreCase)).Value;
}

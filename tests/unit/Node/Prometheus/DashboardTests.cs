using System.Text.Json;
using System.Text.RegularExpressions;
using Foretier.Node.Prometheus.Promql;

namespace Foretier.Tests.Unit.Node.Prometheus;

/// <summary>The Grafana dashboard that comes with the product asks for what there is.</summary>
public partial class DashboardTests
{
    private static readonly string Root = House.LayeringTests.Root;

    [Fact]
    public void Every_expression_is_promql_and_every_metric_one_that_a_node_has()
    {
        using var dashboard = JsonDocument.Parse(File.ReadAllText(Path.Combine(Root, "cloud", "Router", "Grafana", "foretier.json")));
        var expressions = dashboard.RootElement.GetProperty("panels").EnumerateArray().Where(panel => panel.TryGetProperty("targets", out _))
            .SelectMany(panel => panel.GetProperty("targets").EnumerateArray()).Select(target => target.GetProperty("expr").GetString()!).ToList();
        Assert.True(expressions.Count > 10);
        var instruments = Directory.EnumerateFiles(Path.Combine(Root, "edge"), "*.cs", SearchOption.AllDirectories)
            .SelectMany(file => Instrument().Matches(File.ReadAllText(file)).Select(match => match.Groups[1].Value.Replace('.', '_'))).ToHashSet();
        foreach (var expression in expressions)
        {
            Parser.Parse(expression);
            foreach (var metric in Metric().Matches(expression).Select(match => match.Value))
            {
                Assert.True(instruments.Contains(metric) || (metric.EndsWith("_total", StringComparison.Ordinal) && instruments.Contains(metric[..^6])), $"{metric} is no metric of any node");
            }
        }
    }

    [GeneratedRegex("\"(foretier\\.[a-z.]+)\"")]
    private static partial Regex Instrument();

    [GeneratedRegex("foretier_[a-z_]+")]
    private static partial Regex Metric();
}

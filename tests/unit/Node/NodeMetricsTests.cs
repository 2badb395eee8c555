using System.Diagnostics.Metrics;
using Foretier.Core.Tiers;
using Foretier.Node.Serve;

namespace Foretier.Tests.Unit.Node;

public sealed class NodeMetricsTests
{
    [Fact]
    public void Instruments_of_the_meter_are_written_with_their_sums_last_values_and_tags()
    {
        using var metrics = new NodeMetrics("edge-\"1", TimeProvider.System);
        using var meter = new Meter(NodeMetrics.Name);
        using var other = new Meter("Other");
        var counter = meter.CreateCounter<long>("foretier.test.refused", "{message}", "Why\nnot.");
        counter.Add(2, new KeyValuePair<string, object?>("reason", "a"));
        counter.Add(3, new KeyValuePair<string, object?>("reason", "a"));
        counter.Add(1, new KeyValuePair<string, object?>("reason", "b"));
        other.CreateCounter<long>("foretier.test.stranger").Add(1);
        var took = meter.CreateHistogram<double>("foretier.test.took.seconds");
        took.Record(0.5);
        took.Record(0.25);
        var level = 7;
        meter.CreateObservableGauge("foretier.test.level", () => level);
        var text = metrics.Write();
        Assert.Contains("# HELP foretier_test_refused_total Why\\nnot.\n# TYPE foretier_test_refused_total counter\n"
            + "foretier_test_refused_total{reason=\"a\"} 5\nforetier_test_refused_total{reason=\"b\"} 1\n", text, StringComparison.Ordinal);
        Assert.Contains("foretier_test_took_seconds_sum 0.75\nforetier_test_took_seconds_count 2\n", text, StringComparison.Ordinal);
        Assert.Contains("\nforetier_test_level 7\n", text, StringComparison.Ordinal);
        Assert.Contains("node=\"edge-\\\"1\"", text, StringComparison.Ordinal);
        Assert.DoesNotContain("stranger", text, StringComparison.Ordinal);
        level = 8;
        Assert.Contains("\nforetier_test_level 8\n", metrics.Write(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_tag_that_an_observer_tells_no_more_is_gone()
    {
        using var metrics = new NodeMetrics("edge-1", TimeProvider.System);
        using var meter = new Meter(NodeMetrics.Name);
        var devices = new List<string> { "a", "b" };
        meter.CreateObservableGauge("foretier.test.gone", () => devices.Select(d => new Measurement<long>(1, new KeyValuePair<string, object?>("device", d))));
        Assert.Contains("foretier_test_gone{device=\"b\"} 1", metrics.Write(), StringComparison.Ordinal);
        devices.Remove("b");
        var text = metrics.Write();
        Assert.Contains("foretier_test_gone{device=\"a\"} 1", text, StringComparison.Ordinal);
        Assert.DoesNotContain("device=\"b\"", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_ledger_is_told_with_its_reasons()
    {
        using var metrics = new NodeMetrics("edge-1", TimeProvider.System);
        metrics.Observe(() => new Ledger { Node = "edge-1", Received = 5, Accepted = 3, Unique = 3, Held = 3, Rejected = 2, RejectedBy = new Dictionary<string, long> { ["bad_time"] = 2 } });
        var text = metrics.Write();
        Assert.Contains("\nforetier_samples_received_total 5\n", text, StringComparison.Ordinal);
        Assert.Contains("foretier_samples_rejected_total{reason=\"bad_time\"} 2\n", text, StringComparison.Ordinal);
        Assert.Contains("\nforetier_ledger_balanced 1\n", text, StringComparison.Ordinal);
    }
}

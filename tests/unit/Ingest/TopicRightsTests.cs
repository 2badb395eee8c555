using Foretier.Agent.Ingest.Identity;

namespace Foretier.Tests.Unit.Ingest;

public sealed class TopicRightsTests
{
    private static readonly DeviceName Boiler = new("acme", "boiler-1");
    private static readonly DeviceName Valve = new("acme", "valve-2");
    private static readonly DeviceName Concentrator = new("acme", "*");

    [Fact]
    public void By_default_a_device_has_its_own_topics_and_a_concentrator_its_account()
    {
        var own = TopicRights.Of(Boiler);
        Assert.True(own.MayPublish(Boiler, "t"));
        Assert.True(own.MayPublish(Boiler, null));
        Assert.False(own.MayPublish(Valve, "t"));
        Assert.False(own.MayPublish(new("other", "boiler-1"), "t"));
        var all = TopicRights.Of(Concentrator);
        Assert.True(all.MayPublish(Valve, "t"));
        Assert.False(all.MayPublish(new("other", "x"), "t"));
    }

    [Theory]
    [InlineData("v1/acme/boiler-1", "acme/boiler-1")]
    [InlineData("v1/acme/boiler-1/+", "acme/boiler-1")]
    [InlineData("v1/acme/boiler-1/#", "acme/boiler-1")]
    [InlineData("#", null)]
    [InlineData("v1/#", null)]
    [InlineData("v1/acme/#", null)]
    [InlineData("v1/acme/+/t", null)]
    [InlineData("v1/acme/valve-2/t", null)]
    [InlineData("v1/other/boiler-1/t", null)]
    [InlineData("v1/+/boiler-1/t", null)]
    public void A_device_hears_itself(string filter, string? covered) => Assert.Equal(covered, TopicRights.Of(Boiler).Covers(filter)?.ToString());

    [Theory]
    [InlineData("v1/acme/#", "acme/*")]
    [InlineData("v1/acme/+/t", "acme/*")]
    [InlineData("v1/acme/valve-2/t", "acme/valve-2")]
    [InlineData("v1/#", null)]
    [InlineData("v1/other/#", null)]
    public void A_concentrator_hears_its_account(string filter, string? covered) => Assert.Equal(covered, TopicRights.Of(Concentrator).Covers(filter)?.ToString());

    [Fact]
    public void Own_rules_go_before_those_of_the_account_and_those_before_the_default()
    {
        var account = new TopicRules(["v1/acme/{device}/temperature"], ["v1/acme/+/state"]);
        var rights = TopicRights.Of(Boiler, account);
        Assert.True(rights.MayPublish(Boiler, "temperature"));
        Assert.False(rights.MayPublish(Boiler, "pressure"));
        Assert.False(rights.MayPublish(Boiler, null));
        Assert.Equal("acme/*", rights.Covers("v1/acme/+/state")?.ToString());
        Assert.Equal("acme/valve-2", rights.Covers("v1/acme/valve-2/state")?.ToString());
        Assert.Null(rights.Covers("v1/acme/valve-2/#"));
        Assert.Null(rights.Covers("v1/acme/boiler-1/temperature"));

        rights = TopicRights.Of(Boiler, account, new(["v1/acme/valve-2/+"], []));
        Assert.True(rights.MayPublish(Valve, "anything"));
        Assert.False(rights.MayPublish(Boiler, "temperature"));
        Assert.Null(rights.Covers("v1/acme/valve-2/state"));

        Assert.True(TopicRights.Of(Concentrator, account).MayPublish(Valve, "pressure"));
    }

    [Theory]
    [InlineData("#", true)]
    [InlineData("v1/acme", true)]
    [InlineData("v1/other/x/y", true)]
    [InlineData("v1/+/x/y", true)]
    [InlineData("v1/acme/x/#", false)]
    [InlineData("v1/acme/#/y", true)]
    [InlineData("v1/acme/x/y/z", true)]
    [InlineData("v1/acme/x y/z", true)]
    public void A_rule_that_reaches_too_far_is_refused_by_name(string pattern, bool isConcentrator)
    {
        var wrong = Assert.Throws<ArgumentException>(() => new TopicRules([pattern], null).Checked("acme", isConcentrator));
        Assert.Contains($"'{pattern}'", wrong.Message, StringComparison.Ordinal);
    }
}

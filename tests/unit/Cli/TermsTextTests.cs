using System.CommandLine;
using Foretier.Cli;
using Foretier.Cli.Ask;
using Foretier.Core.Tiers;

namespace Foretier.Tests.Unit.Cli;

public class TermsTextTests
{
    [Fact]
    public void What_is_told_changes_and_the_rest_stays()
    {
        var terms = Change(AccountTerms.Usual, "--priority 3 --retention 90d --time-zone Europe/Rome --budget hdd=1.5GB ssd=200MB --price ssd=0.4 --price archive=0.02");
        Assert.Equal(new()
        {
            Priority = 3,
            RetentionSeconds = 90 * 86_400,
            TimeZone = "Europe/Rome",
            Ssd = new() { BytesMax = 200_000_000, PricePerGbMonth = 0.4 },
            Hdd = new() { BytesMax = 1_500_000_000 },
            Archive = new() { PricePerGbMonth = 0.02 },
        }, terms);
        Assert.Equal("priority 3, 90 days, Europe/Rome, ssd at most 200 MB at 0.4, hdd at most 1.5 GB, archive at 0.02", TermsText.Shown(terms));

        terms = Change(terms, "--retention default --budget ssd=default");
        Assert.Equal((3, null, "Europe/Rome", new TierTerms { PricePerGbMonth = 0.4 }), (terms.Priority, terms.RetentionSeconds, terms.TimeZone, terms.Ssd));
        terms = Change(terms, "--priority default --time-zone default --budget hdd=default --price ssd=default archive=default");
        Assert.Equal((AccountTerms.Usual, "usual"), (terms, TermsText.Shown(terms)));
    }

    [Theory]
    [InlineData("--priority many", "--priority: 'many'")]
    [InlineData("--priority 1000", "priority must lie within")]
    [InlineData("--retention soon", "--retention: 'soon'")]
    [InlineData("--time-zone Mars/Olympus", "Mars/Olympus")]
    [InlineData("--budget 5GB", "does not begin with ssd=")]
    [InlineData("--budget hdd=lots", "'lots' is not a size")]
    [InlineData("--budget archive=5GB", "the archive has a price")]
    [InlineData("--price ssd=-1", "pricePerGbMonth")]
    public void What_cannot_be_is_bad_usage_that_names_it(string told, string says)
    {
        var wrong = Assert.Throws<CommandException>(() => Change(AccountTerms.Usual, told));
        Assert.Equal(ExitCode.BadUsage, wrong.ExitCode);
        Assert.Contains(says, wrong.Message, StringComparison.Ordinal);
    }

    private static AccountTerms Change(AccountTerms before, string told)
    {
        var options = new TermsText.Options();
        var command = new RootCommand();
        foreach (var option in options.All)
        {
            command.Add(option);
        }
        return TermsText.Change(before, command.Parse(told), options);
    }
}

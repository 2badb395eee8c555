using System.CommandLine;
using System.Globalization;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Cli.Ask;

/// <summary>What an account is given, on the command line: options that change it, and a line that tells it.</summary>
internal static class TermsText
{
    private const string Usual = "default";

    private static readonly (string Name, double Bytes)[] Units = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("KB", 1e3), ("B", 1)];

    /// <summary>The options, each a change of one thing.</summary>
    internal sealed record Options
    {
        public Option<string?> Priority { get; } = Text("--priority", "N", "How much a second that its readers wait counts, against 1 of others: 0.01 to 100.");
        public Option<string?> Retention { get; } = Text("--retention", "DURATION", "How long its samples are of interest, such as 90d: older ones are not kept ready or brought. Deletes nothing.");
        public Option<string?> Zone { get; } = Text("--time-zone", "ZONE", "Clock that its habits follow, such as Europe/Rome.");
        public Option<string[]> Budget { get; } = Several("--budget", "TIER=BYTES", "What may be reserved for it on ssd, or brought ahead of its readers to hdd, such as hdd=500GB.");
        public Option<string[]> Price { get; } = Several("--price", "TIER=N", "What a GB costs a month on ssd, hdd or archive, such as ssd=0.4.");

        public IEnumerable<Option> All => [Priority, Retention, Zone, Budget, Price];
    }

    /// <summary>Terms with what is told changed, and the rest as before.</summary>
    /// <exception cref="CommandException">Something told cannot be; the message names it.</exception>
    public static AccountTerms Change(AccountTerms before, ParseResult parse, Options options)
    {
        var terms = before;
        if (parse.GetValue(options.Priority) is { } priority)
        {
            terms = terms with { Priority = priority == Usual ? 1 : Number("--priority", priority) };
        }
        if (parse.GetValue(options.Retention) is { } retention)
        {
            terms = terms with
            {
                RetentionSeconds = retention == Usual ? null : Question.TryDuration(retention, out var micros) ? micros / Instant.Second
                    : throw Wrong($"--retention: '{retention}' is not a duration; use for example 90d, 24h, or {Usual}"),
            };
        }
        if (parse.GetValue(options.Zone) is { } zone)
        {
            terms = terms with { TimeZone = zone == Usual ? null : zone };
        }
        foreach (var (tier, text) in (parse.GetValue(options.Budget) ?? []).Select(each => Split("--budget", each)))
        {
            terms = With(terms, tier, terms.On(tier) with { BytesMax = text == Usual ? null : Bytes(text) });
        }
        foreach (var (tier, text) in (parse.GetValue(options.Price) ?? []).Select(each => Split("--price", each)))
        {
            terms = With(terms, tier, terms.On(tier) with { PricePerGbMonth = text == Usual ? null : Number("--price", text) });
        }
        try
        {
            return terms.Validated();
        }
        catch (ArgumentException wrong)
        {
            throw Wrong(wrong.Message);
        }
    }

    /// <summary>Such as <c>priority 3, 90d, Europe/Rome, ssd at most 2 GB at 0.4</c>.</summary>
    public static string Shown(AccountTerms? terms)
    {
        if (terms is null || terms == AccountTerms.Usual)
        {
            return "usual";
        }
        List<string> told = [];
        void Tell(bool isTold, FormattableString text) => told.AddRange(isTold ? [text.ToString(CultureInfo.InvariantCulture)] : []);
        Tell(terms.Priority != 1, $"priority {terms.Priority}");
        Tell(terms.RetentionSeconds is not null, $"{(terms.RetentionSeconds ?? 0) / 86_400.0:0.##} days");
        Tell(terms.TimeZone is not null, $"{terms.TimeZone}");
        foreach (var tier in new[] { Tier.Ssd, Tier.Hdd, Tier.Archive })
        {
            var on = terms.On(tier);
            var name = tier.ToString().ToLowerInvariant();
            Tell(on != TierTerms.Usual, $"{name}{(on.BytesMax is { } bytes ? " at most " + Size(bytes) : "")}{(on.PricePerGbMonth is { } price ? string.Create(CultureInfo.InvariantCulture, $" at {price}") : "")}");
        }
        return string.Join(", ", told);
    }

    private static AccountTerms With(AccountTerms terms, Tier tier, TierTerms on) => tier switch
    {
        Tier.Ssd => terms with { Ssd = on },
        Tier.Hdd => terms with { Hdd = on },
        _ => terms with { Archive = on },
    };

    private static (Tier Tier, string Text) Split(string option, string text) => text.Split('=') switch
    {
        ["ssd", var rest] => (Tier.Ssd, rest),
        ["hdd", var rest] => (Tier.Hdd, rest),
        ["archive", var rest] => (Tier.Archive, rest),
        _ => throw Wrong($"{option}: '{text}' does not begin with ssd=, hdd= or archive="),
    };

    private static double Number(string option, string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
        ? number : throw Wrong($"{option}: '{text}' is not a number");

    private static long Bytes(string text)
    {
        var (name, bytes) = Units.FirstOrDefault(unit => text.EndsWith(unit.Name, StringComparison.Ordinal), (Name: "", Bytes: 1.0));
        return double.TryParse(text[..^name.Length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) && number * bytes < 1L << 60
            ? (long)(number * bytes) : throw Wrong($"--budget: '{text}' is not a size; use for example 500MB, 2GB, or {Usual}");
    }

    private static string Size(long bytes)
    {
        var (name, unit) = Units.First(unit => bytes >= unit.Bytes || unit.Bytes == 1);
        return string.Create(CultureInfo.InvariantCulture, $"{bytes / unit:0.##} {name}");
    }

    private static CommandException Wrong(string message) => new(ExitCode.BadUsage, message);

    private static Option<string?> Text(string name, string value, string description) => new(name) { Description = $"{description} ('{Usual}' = the usual)", HelpName = value };

    private static Option<string[]> Several(string name, string value, string description) =>
        new(name) { Description = $"{description} (repeat it for more; 'ssd={Usual}' = the usual)", HelpName = value, AllowMultipleArgumentsPerToken = true };
}

using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Foretier.Cli;

/// <summary>Numbers on the command line, within their bounds; anything else is bad usage, told in one line.</summary>
internal static class NumberText
{
    public static Option<int> Option(string name, string description, int standard, int min, int max) => new(name)
    {
        Description = description,
        HelpName = "N",
        DefaultValueFactory = _ => standard,
        CustomParser = result => Parse(result, name, min, max),
    };

    public static int Parse(ArgumentResult result, string name, int min, int max) =>
        int.TryParse(result.Tokens[0].Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max
            ? number
            : ServerOptions.Refuse<int>(result, string.Create(CultureInfo.InvariantCulture, $"{name}: '{result.Tokens[0].Value}' is not a number from {min} to {max}"));

    public static double? ParsePositive(ArgumentResult result, string name) =>
        double.TryParse(result.Tokens[0].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number > 0 && double.IsFinite(number)
            ? number
            : ServerOptions.Refuse<double?>(result, $"{name}: '{result.Tokens[0].Value}' is not a number above 0");
}

using System.Text.RegularExpressions;

namespace Foretier.Node.Prometheus;

/// <summary>How a matcher compares.</summary>
public enum MatchKind
{
    Equal,
    NotEqual,
    Matches,
    NotMatches,
}

/// <summary>A condition on one label, such as <c>device=~"boiler-.*"</c>. A missing label counts as empty; patterns match the whole value.</summary>
public sealed class Matcher
{
    private readonly Regex? _pattern;

    private Matcher(MatchKind kind, string label, string value, Regex? pattern) => (Kind, Label, Value, _pattern) = (kind, label, value, pattern);

    public MatchKind Kind { get; }
    public string Label { get; }
    public string Value { get; }

    /// <exception cref="PromException">The pattern is no regular expression, or one that could take for ever.</exception>
    public static Matcher Of(MatchKind kind, string label, string value)
    {
        if (kind is MatchKind.Equal or MatchKind.NotEqual)
        {
            return new(kind, label, value, null);
        }
        try
        {
            // Time linear in the text whatever the pattern: what anyone may ask must not hold up a node.
            return new(kind, label, value, new($"^(?:{value})$", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant | RegexOptions.Singleline));
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw PromException.BadData($"'{value}' is not a pattern that can be matched here (RE2 syntax without back references): {e.Message}");
        }
    }

    public bool Matches(LabelSet labels)
    {
        var value = labels[Label];
        return Kind switch
        {
            MatchKind.Equal => value == Value,
            MatchKind.NotEqual => value != Value,
            MatchKind.Matches => _pattern!.IsMatch(value),
            _ => !_pattern!.IsMatch(value),
        };
    }
}

using System.Globalization;
using System.Text;

namespace Foretier.Node.Prometheus.Promql;

internal enum TokenKind
{
    End,
    Name,
    Number,
    Duration,
    Text,
    Sign,
}

/// <param name="At">Position in the text, for errors.</param>
/// <param name="Number">Of a number; of a duration its ms.</param>
internal readonly record struct Token(TokenKind Kind, string Text, int At, double Number = 0);

/// <summary>Cuts a PromQL text into tokens.</summary>
internal static class Lexer
{
    private static readonly string[] Signs = ["=~", "!~", "==", "!=", ">=", "<=", "(", ")", "{", "}", "[", "]", ",", "=", "+", "-", "*", "/", "%", "^", ">", "<", ":", "@"];

    /// <exception cref="PromException">A character or a text that is none of PromQL's.</exception>
    public static List<Token> Read(string text)
    {
        var tokens = new List<Token>();
        for (var at = 0; ;)
        {
            while (at < text.Length && char.IsWhiteSpace(text[at]))
            {
                at++;
            }
            var token = at == text.Length ? new(TokenKind.End, "", at) : Next(text, ref at);
            tokens.Add(token);
            if (token.Kind == TokenKind.End)
            {
                return tokens;
            }
        }
    }

    private static Token Next(string text, ref int at)
    {
        var start = at;
        var c = text[at];
        if (char.IsAsciiLetter(c) || c == '_')
        {
            while (at < text.Length && (char.IsAsciiLetterOrDigit(text[at]) || text[at] is '_' or ':'))
            {
                at++;
            }
            var name = text[start..at];
            return name.ToUpperInvariant() switch
            {
                "INF" => new(TokenKind.Number, name, start, double.PositiveInfinity),
                "NAN" => new(TokenKind.Number, name, start, double.NaN),
                _ => new(TokenKind.Name, name, start),
            };
        }
        if (char.IsAsciiDigit(c) || (c == '.' && at + 1 < text.Length && char.IsAsciiDigit(text[at + 1])))
        {
            return NumberOrDuration(text, ref at);
        }
        if (c is '"' or '\'' or '`')
        {
            return new(TokenKind.Text, Quoted(text, ref at), start);
        }
        foreach (var sign in Signs)
        {
            if (string.CompareOrdinal(text, at, sign, 0, sign.Length) == 0)
            {
                at += sign.Length;
                return new(TokenKind.Sign, sign, start);
            }
        }
        throw PromException.BadData($"'{c}' at position {at + 1} is nothing of PromQL");
    }

    private static Token NumberOrDuration(string text, ref int at)
    {
        var start = at;
        while (at < text.Length && (char.IsAsciiLetterOrDigit(text[at]) || text[at] == '.' || (text[at] is '+' or '-' && text[at - 1] is 'e' or 'E')))
        {
            at++;
        }
        var word = text[start..at];
        if (double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
        {
            return new(TokenKind.Number, word, start, number);
        }
        return PromTime.TryDuration(word, out var ms) ? new(TokenKind.Duration, word, start, ms)
            : throw PromException.BadData($"'{word}' at position {start + 1} is neither a number nor a duration such as 5m or 1h30m");
    }

    private static string Quoted(string text, ref int at)
    {
        var (quote, start, value) = (text[at], at, new StringBuilder());
        for (at++; at < text.Length && text[at] != quote; at++)
        {
            if (text[at] == '\\' && quote != '`' && at + 1 < text.Length)
            {
                value.Append(text[++at] switch { 'n' => '\n', 't' => '\t', 'r' => '\r', var other => other });
            }
            else
            {
                value.Append(text[at]);
            }
        }
        return at++ < text.Length ? value.ToString() : throw PromException.BadData($"the text that begins at position {start + 1} has no end");
    }
}

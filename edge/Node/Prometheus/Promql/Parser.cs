namespace Foretier.Node.Prometheus.Promql;

/// <summary>Reads the part of PromQL that is answered here; what else PromQL has is refused by name.</summary>
internal sealed class Parser
{
    private const int DepthMax = 64;

    private static readonly Dictionary<string, Func<double, double>> ElementFunctions = new()
    {
        ["abs"] = Math.Abs,
        ["ceil"] = Math.Ceiling,
        ["floor"] = Math.Floor,
        ["round"] = value => Math.Floor(value + 0.5),
        ["sqrt"] = Math.Sqrt,
        ["exp"] = Math.Exp,
        ["ln"] = Math.Log,
    };

    private readonly List<Token> _tokens;
    private int _at, _depth;

    private Parser(List<Token> tokens) => _tokens = tokens;

    private Token Current => _tokens[_at];

    /// <exception cref="PromException">It is no PromQL, or a part that is not answered here.</exception>
    public static Expr Parse(string text)
    {
        var parser = new Parser(Lexer.Read(text));
        var expr = parser.Expression(0);
        return parser.Current.Kind != TokenKind.End ? throw parser.Unexpected("an operator or the end")
            : expr is RangeExpr ? throw PromException.BadData("a range such as metric[5m] has to stand in a function such as rate()") : expr;
    }

    /// <summary>A selector by itself, such as a <c>match[]</c> parameter.</summary>
    public static IReadOnlyList<Matcher> Matchers(string text) => Parse(text) is SelectorExpr { OffsetMs: 0 } selector ? selector.Matchers
        : throw PromException.BadData($"'{text}' is not a selector such as metric{{device=\"boiler-1\"}}");

    private Expr Expression(int priority)
    {
        if (++_depth > DepthMax)
        {
            throw PromException.BadData($"the expression is nested deeper than {DepthMax} levels");
        }
        var left = Unary();
        while (Current is { Kind: TokenKind.Sign } sign && BinaryOperator.All.FirstOrDefault(op => op.Text == sign.Text) is { } found && found.Priority > priority)
        {
            _at++;
            var isBool = found.IsComparison && TryWord("bool");
            if (Current is { Kind: TokenKind.Name, Text: "on" or "ignoring" or "group_left" or "group_right" })
            {
                throw Unsupported($"matching by {Current.Text}()");
            }
            // What stands right of ^ binds first: 2^3^2 is 2^9.
            var right = Expression(found.Text == "^" ? found.Priority - 1 : found.Priority);
            if (left is RangeExpr || right is RangeExpr)
            {
                throw PromException.BadData($"'{found.Text}' takes no range such as metric[5m]");
            }
            if (found.IsComparison && !isBool && left is NumberExpr && right is NumberExpr)
            {
                throw PromException.BadData("numbers are compared with the word bool, as in 1 > bool 2");
            }
            left = new BinaryExpr(found, left, right, isBool);
        }
        if (Current is { Kind: TokenKind.Name, Text: "and" or "or" or "unless" } set)
        {
            throw Unsupported($"the operator '{set.Text}'");
        }
        _depth--;
        return left;
    }

    private Expr Unary()
    {
        if (TrySign("-"))
        {
            var operand = Expression(3);
            return operand is NumberExpr number ? new NumberExpr(-number.Value) : new BinaryExpr(BinaryOperator.All.First(op => op.Text == "*"), new NumberExpr(-1), operand, false);
        }
        TrySign("+");
        var primary = Primary();
        if (TryWord("offset"))
        {
            var sign = TrySign("-") ? -1 : 1;
            var offset = sign * (long)Take(TokenKind.Duration, "a duration such as 5m").Number;
            primary = primary switch
            {
                SelectorExpr selector => selector with { OffsetMs = offset },
                RangeExpr range => range with { Selector = range.Selector with { OffsetMs = offset } },
                _ => throw PromException.BadData("offset follows a selector such as metric or metric[5m]"),
            };
        }
        return Current is { Kind: TokenKind.Sign, Text: "@" } ? throw Unsupported("the modifier @") : primary;
    }

    private Expr Primary()
    {
        if (Current.Kind == TokenKind.Number)
        {
            return new NumberExpr(_tokens[_at++].Number);
        }
        if (TrySign("("))
        {
            var inner = Expression(0);
            Take(")");
            return inner;
        }
        if (Current is { Kind: TokenKind.Sign, Text: "{" })
        {
            return Ranged([]);
        }
        var name = Take(TokenKind.Name, "a metric, a function or a number");
        if (Enum.TryParse<Aggregation>(name.Text, ignoreCase: true, out var aggregation) && Current is { Text: "(" or "by" or "without" })
        {
            return Aggregate(aggregation);
        }
        if (Current is { Kind: TokenKind.Sign, Text: "(" })
        {
            return Call(name);
        }
        return Ranged([Matcher.Of(MatchKind.Equal, LabelSet.Name, name.Text)]);
    }

    private Expr Ranged(List<Matcher> matchers)
    {
        if (TrySign("{"))
        {
            while (!TrySign("}"))
            {
                var label = Take(TokenKind.Name, "a label or }").Text;
                var kind = Current.Text switch
                {
                    "=" => MatchKind.Equal,
                    "!=" => MatchKind.NotEqual,
                    "=~" => MatchKind.Matches,
                    "!~" => MatchKind.NotMatches,
                    _ => throw Unexpected("=, !=, =~ or !~"),
                };
                _at++;
                matchers.Add(Matcher.Of(kind, label, Take(TokenKind.Text, "a text in quotes").Text));
                if (!TrySign(",") && Current.Text != "}")
                {
                    throw Unexpected(", or }");
                }
            }
        }
        if (matchers.TrueForAll(matcher => matcher.Matches(LabelSet.Empty)))
        {
            throw PromException.BadData("a selector needs one condition at least that an empty label does not meet, such as device=\"boiler-1\"");
        }
        var selector = new SelectorExpr(matchers);
        if (!TrySign("["))
        {
            return selector;
        }
        var range = (long)Take(TokenKind.Duration, "a duration such as 5m").Number;
        if (Current.Text == ":")
        {
            throw Unsupported("a subquery");
        }
        Take("]");
        return new RangeExpr(selector, range);
    }

    private AggregateExpr Aggregate(Aggregation function)
    {
        var (labels, isWithout) = Grouping() ?? ([], false);
        Take("(");
        var operand = Expression(0);
        var parameter = 0.0;
        if (function is Aggregation.Quantile or Aggregation.TopK or Aggregation.BottomK)
        {
            parameter = ConstantOf(operand, function.ToString());
            Take(",");
            operand = Expression(0);
        }
        Take(")");
        (labels, isWithout) = Grouping() ?? (labels, isWithout);
        return operand is NumberExpr or RangeExpr ? throw PromException.BadData($"{function} takes series, not a number or a range")
            : new(function, operand, parameter, labels, isWithout);
    }

    private (List<string> Labels, bool IsWithout)? Grouping()
    {
        var isWithout = TryWord("without");
        if (!isWithout && !TryWord("by"))
        {
            return null;
        }
        var labels = new List<string>();
        Take("(");
        while (!TrySign(")"))
        {
            labels.Add(Take(TokenKind.Name, "a label or )").Text);
            if (!TrySign(",") && Current.Text != ")")
            {
                throw Unexpected(", or )");
            }
        }
        return (labels, isWithout);
    }

    private Expr Call(Token name)
    {
        Take("(");
        var arguments = new List<Expr>();
        while (!TrySign(")"))
        {
            arguments.Add(Expression(0));
            if (!TrySign(",") && Current.Text != ")")
            {
                throw Unexpected(", or )");
            }
        }
        if (ElementFunctions.TryGetValue(name.Text, out var element))
        {
            return arguments is [not RangeExpr] ? new ElementExpr(element, arguments[0]) : throw PromException.BadData($"{name.Text} takes one argument that is no range");
        }
        if (RangeFunction.All.GetValueOrDefault(name.Text) is not { } function)
        {
            throw Unsupported($"the function {name.Text}()");
        }
        return (function.HasParameter, arguments) switch
        {
            (false, [RangeExpr range]) => new OverTimeExpr(function, range, 0),
            (true, [var parameter, RangeExpr range]) => new OverTimeExpr(function, range, ConstantOf(parameter, name.Text)),
            _ => throw PromException.BadData($"{name.Text} takes {(function.HasParameter ? "a number and " : "")}a range such as metric[5m]"),
        };
    }

    private static double ConstantOf(Expr parameter, string function) => parameter is NumberExpr { Value: var value } ? value
        : throw PromException.BadData($"the first argument of {function} is a plain number here");

    private bool TrySign(string text) => Skip(Current is { Kind: TokenKind.Sign } sign && sign.Text == text);

    private bool TryWord(string text) => Skip(Current is { Kind: TokenKind.Name } name && name.Text == text);

    private bool Skip(bool isThere)
    {
        _at += isThere ? 1 : 0;
        return isThere;
    }

    private void Take(string sign)
    {
        if (!TrySign(sign))
        {
            throw Unexpected(sign);
        }
    }

    private Token Take(TokenKind kind, string what) => Current.Kind == kind ? _tokens[_at++] : throw Unexpected(what);

    private PromException Unexpected(string wanted) =>
        PromException.BadData($"{(Current.Kind == TokenKind.End ? "the expression ends" : $"'{Current.Text}' stands")} at position {Current.At + 1} where {wanted} should be");

    private static PromException Unsupported(string what) => PromException.BadData(
        $"{what} is not answered here: put a Prometheus with remote_read (/api/v1/prometheus/read) in front, which has all of PromQL");
}

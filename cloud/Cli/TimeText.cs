using System.CommandLine;
using Foretier.Core.Query;
using Foretier.Core.Samples;

namespace Foretier.Cli;

/// <summary>Times and durations on the command line: RFC 3339, a date, epoch, <c>now</c>, <c>-6h</c>, <c>now-6h</c>; <c>90s</c>, <c>1h</c>.</summary>
internal static class TimeText
{
    public const string Forms = "RFC 3339, a date, epoch s or ms, now, or -6h";

    public static bool TryParse(string text, long now, out long micros)
    {
        var rest = text.Trim();
        if (rest.StartsWith("now", StringComparison.Ordinal))
        {
            rest = rest[3..];
            if (rest.Length == 0)
            {
                micros = now;
                return true;
            }
            if (rest[0] is not ('-' or '+'))
            {
                micros = 0;
                return false;
            }
        }
        if (rest.Length > 1 && rest[0] is '-' or '+' && Question.TryDuration(rest.AsSpan(1), out var span))
        {
            micros = rest[0] == '-' ? now - span : now + span;
            return true;
        }
        return Instant.TryParse(rest, out micros);
    }

    /// <exception cref="CommandException">It is no time.</exception>
    public static long Parse(string option, string text, TimeProvider clock) => TryParse(text, Instant.Now(clock), out var micros)
        ? micros : throw new CommandException(ExitCode.BadUsage, $"{option}: '{text}' is not a time; use {Forms}");

    /// <summary>An option that takes a positive duration; null where it is not given.</summary>
    public static Option<TimeSpan?> DurationOption(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "DURATION",
        CustomParser = result => Question.TryDuration(result.Tokens[0].Value, out var micros) && micros > 0
            ? TimeSpan.FromMicroseconds(micros)
            : ServerOptions.Refuse<TimeSpan?>(result, $"{name}: '{result.Tokens[0].Value}' is not a duration; use for example 90s, 15m, 6h, 2d"),
    };
}

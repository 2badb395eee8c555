using System.Globalization;

namespace Foretier.Cli;

/// <summary>
/// How far a long command is: a line that is drawn anew for a person who watches, a line now and then in a log file. On standard error.
/// </summary>
internal sealed class ProgressLine(Terminal terminal, string what, TimeProvider clock)
{
    private const int BarCells = 30;
    private static readonly TimeSpan LogEvery = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly long _started = clock.GetTimestamp();
    private TimeSpan _logged;
    private int _drawn;

    /// <param name="count">Rows or messages done in this run.</param>
    /// <param name="fraction">0..1 of the whole; null where there is no end.</param>
    /// <param name="startFraction">Where this run began, for the time that is left.</param>
    public void Report(long count, double? fraction, double startFraction = 0)
    {
        var elapsed = clock.GetElapsedTime(_started);
        lock (_lock)
        {
            if (terminal.IsWatched)
            {
                var line = Line(count, fraction, startFraction, elapsed, bar: true);
                terminal.Error.Write("\r" + line.PadRight(_drawn));
                _drawn = line.Length;
            }
            else if (elapsed - _logged >= LogEvery)
            {
                _logged = elapsed;
                terminal.Error.WriteLine(Line(count, fraction, startFraction, elapsed, bar: false));
            }
        }
    }

    /// <summary>A message that stays, above the line.</summary>
    public void Note(string message)
    {
        lock (_lock)
        {
            Wipe();
            terminal.Note(message);
        }
    }

    public void End()
    {
        lock (_lock)
        {
            Wipe();
        }
    }

    internal string Line(long count, double? fraction, double startFraction, TimeSpan elapsed, bool bar)
    {
        var rate = elapsed > TimeSpan.Zero ? count / elapsed.TotalSeconds : 0;
        var line = string.Create(CultureInfo.InvariantCulture, $"{count:N0} {what}  {rate:N0}/s");
        if (fraction is not { } done)
        {
            return line;
        }
        var left = done > startFraction && elapsed.TotalSeconds > 0.5 ? TimeSpan.FromSeconds(elapsed.TotalSeconds * (1 - done) / (done - startFraction)) : (TimeSpan?)null;
        var cells = (int)(done * BarCells);
        return string.Create(CultureInfo.InvariantCulture,
            $"{(bar ? $"[{new string('#', cells)}{new string('.', BarCells - cells)}] " : "")}{done * 100,3:0}%  {line}  ETA {(left is { } t ? t.ToString(t.TotalHours >= 1 ? @"h\:mm\:ss" : @"m\:ss", CultureInfo.InvariantCulture) : "-")}");
    }

    private void Wipe()
    {
        if (_drawn > 0)
        {
            terminal.Error.Write("\r" + new string(' ', _drawn) + "\r");
            _drawn = 0;
        }
    }
}

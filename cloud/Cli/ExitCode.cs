namespace Foretier.Cli;

/// <summary>What the program tells its caller. Documented in <c>foretier --help</c>.</summary>
internal static class ExitCode
{
    public const int Ok = 0;
    public const int Failed = 1;
    public const int BadUsage = 2;
    public const int Refused = 3;
    public const int Unreachable = 4;

    /// <summary>This machine does not let us: port taken, folder not writable, already running.</summary>
    public const int NotHere = 5;

    /// <summary>Ctrl-C, as shells say it: 128 + SIGINT.</summary>
    public const int Interrupted = 130;

    public const string Help = """
        Exit codes:
          0    done
          1    failed, or not all of it was done
          2    bad usage
          3    the server or broker refused
          4    the server or broker cannot be reached
          5    this machine does not allow it: port taken, folder not writable, already running
          130  interrupted
        """;
}

/// <summary>A command cannot go on, for a reason the user can act on.</summary>
/// <param name="exitCode">One of <see cref="ExitCode"/>.</param>
/// <param name="message">What happened.</param>
/// <param name="advice">What to do.</param>
internal sealed class CommandException(int exitCode, string message, string? advice = null) : Exception(message)
{
    public int ExitCode { get; } = exitCode;
    public string? Advice { get; } = advice;
}

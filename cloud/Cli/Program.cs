using Foretier.Cli;

using var interruption = new Interruption();
return await CommandLine.RunAsync(args, Console.Out, Console.Error, TimeProvider.System, interruption.Stop, interruption.Force);

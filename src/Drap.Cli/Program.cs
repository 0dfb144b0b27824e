using Drap.Cli;
using Drap.Cli.Commands;
using Drap.Cli.Nodes;
using Drap.Node.Guarding;

// The one command that scripts call in loops does not wait for the parser.
if (args is ["version" or "--version"])
{
    Console.Out.WriteLine($"drap {DrapVersion.Text}");
    return ExitCode.Ok;
}

// Nor does the guard, which stays small because it loads next to nothing.
if (args is [GuardProcess.Word, .. var told])
    return GuardProcess.Run(told);

using var interrupts = Interrupts.OfProcess();
bool plain = Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 } || Environment.GetEnvironmentVariable("TERM") is "dumb";
return await CommandLine.RunAsync(args, new CliContext
{
    Out = StandardFiles.IsGiven(1) ? Console.Out : TextWriter.Null,
    Err = StandardFiles.IsGiven(2) ? Console.Error : TextWriter.Null,
    Stdin = () => new StandardInput(),
    Stdout = StandardOutput.Open,
    Stderr = () => StandardFiles.IsGiven(2) ? Console.OpenStandardError() : Stream.Null,
    Live = !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") is not (null or "dumb"),
    Colour = !plain && !Console.IsErrorRedirected,
    HasStdin = StandardInput.IsOpen(),
    CurrentFolder = Environment.CurrentDirectory,
    Interrupts = interrupts,
    Hosts = Engine.Hosts,
    Stopped = Engine.Stopped,
    Background = BackgroundNode.Start,
    Bench = Engine.Bench,
});

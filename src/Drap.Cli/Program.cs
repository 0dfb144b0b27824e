using Drap.Cli;
using Drap.Cli.Commands;
using Drap.Cli.Nodes;

// The one command that scripts call in loops does not wait for the parser.
if (args is ["version" or "--version"])
{
    Console.Out.WriteLine($"drap {DrapVersion.Text}");
    return ExitCode.Ok;
}

using var interrupts = Interrupts.OfProcess();
bool plain = Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 } || Environment.GetEnvironmentVariable("TERM") is "dumb";
return await CommandLine.RunAsync(args, new CliContext
{
    Out = Console.Out,
    Err = Console.Error,
    Stdin = Console.OpenStandardInput,
    Stdout = StandardOutput.Open,
    Stderr = Console.OpenStandardError,
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

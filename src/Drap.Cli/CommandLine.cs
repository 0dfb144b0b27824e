using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Drap.Cli.Commands;
using Drap.Client;
using Drap.Core.Jobs;
using Drap.Core.Journal;
using Drap.Node.Home;
using Drap.Node.Membership;

namespace Drap.Cli;

/// <summary>The command line: parses it, runs the command, and turns what goes wrong into words and an exit code.</summary>
internal static class CommandLine
{
    private const string afterStorageFault = "what was acknowledged is kept; once the disk takes it, any drap command in this home goes on";

    public static async Task<int> RunAsync(string[] args, CliContext context)
    {
        // What comes after -- is the user's own, and no option of ours.
        int dashes = Array.IndexOf(args, "--");
        var common = new Common(context) { Tail = dashes < 0 ? null : args[(dashes + 1)..] };
        RootCommand root = Root(common);
        ParseResult result = root.Parse(dashes < 0 ? args : args[..dashes]);
        // For `run -- COMMAND` every failure of drap's own has one code, since 1 to 5 may be the command's.
        bool adHoc = dashes >= 0 && result.CommandResult.Command.Name == "run";
        // A shell that asks what may come next has typed half a command; help is wanted with half of one too.
        bool asking = result.Action is HelpWithExamples || args is [['[', ..], ..];
        string[] unknown = [.. Unknown(result)];
        if ((result.Errors.Count > 0 || unknown.Length > 0) && !asking)
            return Misused(result, unknown, context, adHoc ? ExitCode.OwnFailure : ExitCode.Usage);
        try
        {
            return await result.InvokeAsync(new InvocationConfiguration { Output = context.Out, Error = context.Err, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (Exception e)
        {
            int code = Explain(e, common.Screen(result), context);
            return adHoc && code is (ExitCode.Error or ExitCode.Usage) ? ExitCode.OwnFailure : code;
        }
    }

    private static RootCommand Root(Common common)
    {
        var root = new RootCommand("drap runs jobs on a market of machines.");
        root.Add(common.Home);
        root.Add(common.Format);
        foreach (Command command in (IEnumerable<Command>)
            [
                .. RunCommand.All(common), JobCommands.Make(common), DataCommands.Make(common), .. MarketCommands.All(common), .. UpCommand.All(common), .. SwarmCommands.All(common),
                ConfigCommand.Make(common), DoctorCommand.Make(common), .. NodeCommands.All(common), SimCommand.Make(common), DaemonCommand.Make(common), .. ToolCommands.All(common),
            ])
            root.Add(command);
        common.Examples[root] = ["drap run examples/wordcount/job.yaml", "echo hello | drap run -- tr a-z A-Z", "drap job list", "drap market --explain"];
        foreach (Option option in root.Options)
            if (option is HelpOption { Action: HelpAction help })
                option.Action = new HelpWithExamples(help, common.Examples);
        // Without a command there is nothing to do but to show what there is.
        root.SetAction(result => new HelpWithExamples(new HelpAction(), common.Examples).Invoke(result));
        return root;
    }

    // An option that is not known fills an argument where one is free; no argument of ours begins with a dash, but a dash alone is the standard input.
    private static IEnumerable<string> Unknown(ParseResult result) => result.CommandResult.Children.OfType<ArgumentResult>()
        .SelectMany(a => a.Tokens).Select(t => t.Value).Where(t => t.StartsWith('-') && t.Length > 1).Concat(result.UnmatchedTokens);

    private static int Misused(ParseResult result, string[] unknown, CliContext context, int code)
    {
        Command command = result.CommandResult.Command;
        string path = Path(command);
        var said = new List<string>();
        foreach (string token in unknown)
        {
            // What follows an unknown option may be its value.
            if (said.Count > 0 && !token.StartsWith('-'))
                continue;
            bool option = token.StartsWith('-');
            string? meant = DidYouMean.Find(token.Split('=')[0], option
                ? Options(command).SelectMany(o => o.Aliases.Append(o.Name))
                : command.Subcommands.Where(c => !c.Hidden).Select(c => c.Name));
            string kind = option ? "option" : command.Subcommands.Count > 0 ? "command" : "argument";
            said.Add($"there is no {kind} '{token}' in '{path}'{(meant is null ? "" : $"; did you mean '{meant}'?")}");
        }
        if (said.Count == 0)
            said.AddRange(result.Errors.Select(e => e.Message));
        var screen = new Output.Screen(context.Out, context.Err, Output.OutputFormat.Table, context.Colour, false);
        screen.Complain(string.Join('\n', said.Distinct()), $"see {path} --help");
        return code;
    }

    private static int Explain(Exception e, Output.Screen screen, CliContext context)
    {
        switch (e)
        {
            case CliException own:
                screen.Complain(own.Message, own.Next);
                return own.ExitCode;
            case OperationCanceledException when context.Interrupts.Any:
                return ExitCode.Interrupted;
            case HomeException home:
                screen.Complain(home.Message, home.Remedy);
                return ExitCode.Error;
            case JoinException join:
                screen.Complain(join.Message);
                return ExitCode.Error;
            case JournalException journal:
                screen.Complain(journal.Message, journal is JournalCorruptException
                    ? "restore the folder from a copy, or set DRAP_HOME to a new one" : afterStorageFault);
                return ExitCode.Error;
            case ApiException { Error.Code: ErrorCodes.Storage } storage:
                screen.Complain(storage.Message, afterStorageFault);
                return ExitCode.Error;
            case ApiException api:
                // The problems of a file name it themselves.
                bool isPlaced = api.Error.Where is null || api.Error.Message.StartsWith(api.Error.Where, StringComparison.Ordinal);
                screen.Complain(
                    isPlaced ? api.Error.Message : $"{api.Error.Where}: {api.Error.Message}",
                    api.Error.Allowed is { } allowed ? JobProblem.Instead(allowed) : null);
                return api.Error.Code is ErrorCodes.BadJob or ErrorCodes.BadRequest ? ExitCode.Usage : ExitCode.Error;
            case NodeUnreachableException unreachable:
                screen.Complain(unreachable.Message, "its jobs are kept: any drap command in this home goes on with them");
                return ExitCode.Error;
            case IOException { HResult: ExitCode.BrokenPipeError }:
                return ExitCode.BrokenPipe;
            case IOException or UnauthorizedAccessException:
                screen.Complain(e.Message);
                return ExitCode.Error;
            default:
                screen.Complain($"a fault of drap's own: {e}", "please report it with these lines");
                return ExitCode.Error;
        }
    }

    private static IEnumerable<Option> Options(Command command)
    {
        foreach (Option option in command.Options)
            yield return option;
        foreach (Command parent in command.Parents.OfType<Command>())
            foreach (Option option in Options(parent).Where(o => o.Recursive))
                yield return option;
    }

    private static string Path(Command command) =>
        command.Parents.OfType<Command>().FirstOrDefault() is { } parent ? $"{Path(parent)} {command.Name}" : "drap";

    /// <summary>The framework's help, and the command's examples below it.</summary>
    private sealed class HelpWithExamples(HelpAction help, Dictionary<Command, string[]> examples) : SynchronousCommandLineAction
    {
        // Help is asked for with half a command, too.
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            help.Invoke(parseResult);
            if (examples.GetValueOrDefault(parseResult.CommandResult.Command) is not { Length: > 0 } lines)
                return ExitCode.Ok;
            TextWriter output = parseResult.InvocationConfiguration.Output;
            output.WriteLine("Examples:");
            foreach (string line in lines)
                output.WriteLine("  " + line);
            return ExitCode.Ok;
        }
    }
}

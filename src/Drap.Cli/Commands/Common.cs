using System.CommandLine;
using Drap.Cli.Output;
using Drap.Node.Home;

namespace Drap.Cli.Commands;

/// <summary>What all commands share: the options of every command, and how a command is made and run.</summary>
internal sealed class Common(CliContext context)
{
    /// <summary>The state folder.</summary>
    public Option<string?> Home { get; } = new("--home")
    {
        Description = "The state folder [default: $DRAP_HOME, or drap in the user's data folder]", HelpName = "DIR", Recursive = true,
    };

    /// <summary>The format of data on standard output.</summary>
    public Option<OutputFormat> Format { get; } = new("--format", "-o")
    {
        Description = "How data is written to standard output", HelpName = "table|json|yaml|quiet", Recursive = true,
        CustomParser = result =>
        {
            string text = result.Tokens is [var token] ? token.Value : "";
            if (Enum.GetNames<OutputFormat>().FirstOrDefault(n => n.Equals(text, StringComparison.OrdinalIgnoreCase)) is { } name && !char.IsUpper(text[0]))
                return Enum.Parse<OutputFormat>(name);
            result.AddError($"-o: found '{text}'; allowed: table, json, yaml, quiet");
            return default;
        },
    };

    public CliContext Context => context;

    /// <summary>What was typed after <c>--</c>; null when there was none.</summary>
    public IReadOnlyList<string>? Tail { get; set; }

    /// <summary>Examples of each command, as its help shows them.</summary>
    public Dictionary<Command, string[]> Examples { get; } = [];

    public Command Command(string name, string description, string[] examples, params Symbol[] symbols)
    {
        var command = new Command(name, description);
        foreach (Symbol symbol in symbols)
        {
            if (symbol is Option option)
                command.Add(option);
            else if (symbol is Argument argument)
                command.Add(argument);
            else if (symbol is Command sub)
                command.Add(sub);
        }
        Examples[command] = examples;
        return command;
    }

    /// <summary>A command that does something.</summary>
    public Command Command(string name, string description, string[] examples, Func<Invocation, Task<int>> run, params Symbol[] symbols)
    {
        Command command = Command(name, description, examples, symbols);
        command.SetAction(async (result, _) => await run(new Invocation(this, result)));
        return command;
    }

    public Screen Screen(ParseResult result) => new(context.Out, context.Err, result.GetValue(Format), context.Colour, context.Live);

    public static Argument<string> Job(string description = "last, a job's number, or the first digits of its id; with tasks as 3.17 or last.1-20") =>
        new("JOB") { Description = description };
}

/// <summary>One command being run.</summary>
internal sealed class Invocation(Common common, ParseResult result)
{
    public CliContext Context => common.Context;

    public Screen Screen { get; } = common.Screen(result);

    public HomeFolder Home { get; } = HomeFolder.At(result.GetValue(common.Home));

    public CancellationToken Cancel => Context.Interrupts.Token;

    public IReadOnlyList<string>? Tail => common.Tail;

    public bool Has(Option option) => result.GetResult(option) is { Implicit: false };

    public T? Get<T>(Option<T> option) => result.GetValue(option);

    public T? Get<T>(Argument<T> argument) => result.GetValue(argument);

    public Selector Selector(Argument<string> argument)
    {
        string text = result.GetValue(argument)!;
        return Drap.Cli.Selector.TryParse(text, out Selector selector)
            ? selector : throw new CliException(ExitCode.Usage, $"'{text}' names no job; allowed: {Drap.Cli.Selector.Form}", "drap job list shows the jobs");
    }
}

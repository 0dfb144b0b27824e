using System.CommandLine;
using Drap.Cli.Jobs;

namespace Drap.Cli.Commands;

/// <summary>The options of <c>drap run -- COMMAND</c>.</summary>
internal sealed class AdHocOptions
{
    private readonly Option<string?> name = new("--name") { Description = "The job's name [default: the command's]", HelpName = "NAME" };
    private readonly Option<string?> dir = new("--dir") { Description = "A folder that is shipped, but for what its .drapignore names, and is the task's current one; --input files lie beside it", HelpName = "DIR" };
    private readonly Option<string?> array = new("--array") { Description = "One task for each number; %N runs at most N at once", HelpName = "1-100%10" };
    private readonly Option<string?> cpus = new("--cpus") { Description = "Cores [default: 1]", HelpName = "N" };
    private readonly Option<string?> memory = new("--memory") { Description = "Memory [default: none is set aside]", HelpName = "SIZE" };
    private readonly Option<string?> gpus = new("--gpus") { Description = "GPU devices, or a share of one", HelpName = "N" };
    private readonly Option<string[]> resource = new("--resource") { Description = "A named countable resource", HelpName = "NAME=N" };
    private readonly Option<string[]> on = new("--on") { Description = "Only on nodes with this label", HelpName = "LABEL" };
    private readonly Option<string[]> notOn = new("--not-on") { Description = "Never on nodes with this label", HelpName = "LABEL" };
    private readonly Option<string?> bid = new("--bid") { Description = "Offered per task, in credits per hour [default: what the market says]", HelpName = "CREDITS" };
    private readonly Option<string?> limit = new("--limit") { Description = "Most that the bid may rise to [default: twice the bid]", HelpName = "CREDITS" };
    private readonly Option<string?> budget = new("--budget") { Description = "Most that the job may cost", HelpName = "CREDITS" };
    private readonly Option<string?> timeout = new("--timeout") { Description = "Longest run of a task [default: 7d]", HelpName = "TIME" };
    private readonly Option<string?> deadline = new("--deadline") { Description = "By when it must have been placed [default: it waits]", HelpName = "TIME" };
    private readonly Option<int?> retries = new("--retries") { Description = "Attempts after a failure [default: 0; 2 with --array]", HelpName = "N" };
    private readonly Option<int?> maxFails = new("--max-fails") { Description = "Failed tasks after which the rest is cancelled", HelpName = "N" };
    private readonly Option<int?> priority = new("--priority") { Description = "Order among your own tasks, -100 to 100", HelpName = "N" };
    private readonly Option<string[]> env = new("--env", "-e") { Description = "A variable for the task; without a value, this shell's", HelpName = "NAME=VALUE" };
    private readonly Option<string[]> input = new("--input", "-i") { Description = "A file, folder or CID for the work folder; NAME=FILE gives it a name", HelpName = "FILE" };
    private readonly Option<string[]> output = new("--output") { Description = "A file, folder or glob that comes back, relative to $DRAP_OUT", HelpName = "FILE" };

    public Option[] All =>
    [
        name, dir, array, cpus, memory, gpus, resource, on, notOn, bid, limit, budget, timeout, deadline, retries, maxFails, priority, env, input, output,
    ];

    public AdHocFlags Of(Invocation call, IReadOnlyList<string> command) => new()
    {
        Command = command,
        Name = call.Get(name),
        Dir = call.Get(dir),
        Array = call.Get(array),
        Cpus = call.Get(cpus),
        Memory = call.Get(memory),
        Gpus = call.Get(gpus),
        Resource = call.Get(resource) ?? [],
        On = call.Get(on) ?? [],
        NotOn = call.Get(notOn) ?? [],
        Bid = call.Get(bid),
        Limit = call.Get(limit),
        Budget = call.Get(budget),
        Timeout = call.Get(timeout),
        Deadline = call.Get(deadline),
        Retries = call.Get(retries),
        MaxFails = call.Get(maxFails),
        Priority = call.Get(priority),
        Env = call.Get(env) ?? [],
        Input = call.Get(input) ?? [],
        Output = call.Get(output) ?? [],
    };

    /// <summary>The name of one of these options that was typed; null when none was.</summary>
    public string? FirstGiven(Invocation call) => All.FirstOrDefault(call.Has)?.Name;
}

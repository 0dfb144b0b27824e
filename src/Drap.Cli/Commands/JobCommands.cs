using System.CommandLine;
using Drap.Api.Json;
using Drap.Cli.Jobs;
using Drap.Cli.Nodes;
using Drap.Cli.Output;
using Drap.Client;
using Drap.Core;
using Drap.Core.Jobs;

namespace Drap.Cli.Commands;

/// <summary><c>drap job …</c>.</summary>
internal static class JobCommands
{
    private const int listUsual = 50;

    public static Command Make(Common common) => common.Command(
        "job", "Look at jobs and steer them", ["drap job list", "drap job show last", "drap job explain 3.17"],
        [
            List(common), Show(common), Logs(common), Wait(common), Results(common), Explain(common), Set(common), Rerun(common),
            Act(common, "cancel", "End a job, or some of its tasks", JobAction.Cancel),
            Act(common, "hold", "Place nothing more of a job until it is released; what runs goes on", JobAction.Hold),
            Act(common, "release", "End a hold", JobAction.Release),
            Act(common, "requeue", "Take tasks back and offer them to the market anew", JobAction.Requeue),
        ]);

    private static Command List(Common common)
    {
        var open = new Option<bool>("--open") { Description = "Only those that have not ended" };
        var limit = new Option<int>("--limit", "-n") { Description = $"At most so many [default: {listUsual}]", HelpName = "N", DefaultValueFactory = _ => listUsual };
        return common.Command("list", "List jobs, the youngest first", ["drap job list --open", "drap job list -o quiet | head -1"], async call =>
        {
            await using NodeSession session = await NodeSession.ReadAsync(call.Context, call.Home, call.Cancel);
            JobListDocument list = await session.Node.JobsAsync(call.Get(open), Math.Clamp(call.Get(limit), 1, 10_000), call.Cancel);
            call.Screen.Write(list, ApiJson.Indented.JobListDocument, o => Tables.Jobs(list, o), () => list.Jobs.Select(j => j.Id.ToString()));
            if (list.More)
                call.Screen.Say("there are more: --limit shows them");
            return ExitCode.Ok;
        }, open, limit);
    }

    private static Command Show(Common common)
    {
        Argument<string> job = Common.Job();
        var history = new Option<bool>("--history") { Description = "With each task's attempts" };
        return common.Command("show", "Show a job with its segments and tasks", ["drap job show last", "drap job show 3.1-20 --history", "drap job show last -o json"], async call =>
        {
            (NodeSession session, JobId id, Selector selector) = await OpenAsync(call, job, NodeSession.ReadAsync);
            await using NodeSession _ = session;
            JobDocument document = await session.Node.JobAsync(id, call.Cancel);
            var tasks = new List<TaskSummary>();
            await foreach (TaskSummary task in session.Node.AllTasksAsync(id, call.Get(history), call.Cancel))
                if (TaskRanges.Contain(selector.Tasks, task.Number))
                    tasks.Add(task);
            document = document with { Tasks = [.. tasks] };
            call.Screen.Write(document, ApiJson.Indented.JobDocument, o => Tables.Job(document, o), () => [id.ToString()]);
            return ExitCode.Ok;
        }, job, history);
    }

    private static Command Logs(Common common)
    {
        Argument<string> job = Common.Job();
        var follow = new Option<bool>("--follow", "-f") { Description = "Stay until the tasks have ended" };
        var stream = new Option<string?>("--stream") { Description = "Only this one", HelpName = "stdout|stderr" };
        stream.AcceptOnlyFromAmong("stdout", "stderr");
        var attempt = new Option<int?>("--attempt") { Description = "This attempt [default: the accepted or the last one]", HelpName = "N" };
        var tail = new Option<string?>("--tail") { Description = "About so much from the end", HelpName = "SIZE" };
        return common.Command("logs", "Print what tasks wrote", ["drap job logs last.3", "drap job logs -f last", "drap job logs last --stream stderr --tail 10KiB"], async call =>
        {
            long? tailBytes = call.Get(tail) is not { } text ? null
                : ByteSize.TryParse(text, out ByteSize size) ? size.Bytes : throw new CliException(ExitCode.Usage, $"--tail: found '{text}'; allowed: {ByteSize.Form}");
            (NodeSession session, JobId id, Selector selector) = await OpenAsync(call, job, NodeSession.ReadAsync);
            await using NodeSession _ = session;
            var query = new LogQuery
            {
                Tasks = selector.Tasks,
                Stream = call.Get(stream) switch { "stdout" => LogStream.Stdout, "stderr" => LogStream.Stderr, _ => null },
                Attempt = call.Get(attempt),
                Follow = call.Get(follow),
                TailBytes = tailBytes,
            };
            await new LogPrinter(call).PrintAsync(session.Node, id, query, single: selector.OnlyTask is not null);
            return ExitCode.Ok;
        }, job, follow, stream, attempt, tail);
    }

    private static Command Wait(Common common)
    {
        Argument<string> job = Common.Job("last, a job's number, or the first digits of its id");
        return common.Command("wait", "Wait for a job's end; the exit code says how it ended", ["drap job wait last && echo done"], async call =>
        {
            // Waiting for a job that nobody runs would never end: any next drap goes on with what was left.
            (NodeSession session, JobId id, Selector _) = await OpenAsync(call, job, NodeSession.BackgroundAsync);
            await using NodeSession closing = session;
            call.Screen.Say("Ctrl+C leaves it; the job goes on");
            var follower = new JobFollower(session.Node, call.Screen, call.Context.Time);
            return await follower.ReportAsync(await follower.FollowAsync(id, call.Cancel), null, call.Cancel);
        }, job);
    }

    private static Command Results(Common common)
    {
        Argument<string> job = Common.Job("last, a job's number, or the first digits of its id");
        var outFolder = new Option<string?>("--out") { Description = "Where they go [default: as the job was submitted, else results/JOB-ID]", HelpName = "DIR" };
        var list = new Option<bool>("--list") { Description = "Only list them" };
        return common.Command("results", "Fetch what a job made", ["drap job results last --out words", "drap job results last --list"], async call =>
        {
            (NodeSession session, JobId id, Selector _) = await OpenAsync(call, job, NodeSession.ReadAsync);
            await using NodeSession closing = session;
            string folder = call.Get(outFolder) is { } typed ? Path.GetFullPath(typed, call.Context.CurrentFolder)
                : (await session.Node.JobAsync(id, call.Cancel)).OutFolder ?? JobFollower.UsualFolder(call, id);
            ResultsDocument results = call.Get(list)
                ? await session.Node.ResultsAsync(id, call.Cancel) : await session.Node.DeliverAsync(id, folder, call.Cancel);
            call.Screen.Write(
                results, ApiJson.Indented.ResultsDocument, o => Tables.Results(results, o),
                () => results.Items.Select(i => results.Folder is null ? i.Path : Path.Combine(results.Folder, i.Path)));
            call.Screen.Say(results.Items.IsEmpty ? "it has no results so far" : results.Folder is null ? "" : $"{Words.Count(results.Items.Length, "result")} in {results.Folder}");
            return ExitCode.Ok;
        }, job, outFolder, list);
    }

    private static Command Explain(Common common)
    {
        Argument<string> job = Common.Job("last, a job's number, or the first digits of its id; with a task as 3.17");
        return common.Command("explain", "Say why a job or a task is where it is, or why it waits", ["drap job explain last", "drap job explain 3.17"], async call =>
        {
            (NodeSession session, JobId id, Selector selector) = await OpenAsync(call, job, NodeSession.ReadAsync);
            await using NodeSession _ = session;
            if (!selector.Tasks.IsEmpty && selector.OnlyTask is null)
                throw new CliException(ExitCode.Usage, $"'{selector}' names several tasks; allowed: a job, or one task as {selector.Job}.{selector.Tasks[0].First}");
            ExplainDocument document = await session.Node.ExplainAsync(id, selector.OnlyTask, call.Cancel);
            call.Screen.Write(
                document, ApiJson.Indented.ExplainDocument, o => Tables.Explain(document, o),
                () => document.Tasks.SelectMany(t => t.Reasons).Select(r => r.Code).Distinct());
            return ExitCode.Ok;
        }, job);
    }

    private static Command Set(Common common)
    {
        Argument<string> job = Common.Job("last, a job's number, or the first digits of its id");
        var segment = new Option<string?>("--segment") { Description = "Only this segment", HelpName = "NAME" };
        var priority = new Option<int?>("--priority") { Description = "Order among your own tasks, -100 to 100", HelpName = "N" };
        var bid = new Option<string?>("--bid") { Description = "Offered per task, in credits per hour", HelpName = "CREDITS" };
        var limit = new Option<string?>("--limit") { Description = "Most that the bid may rise to", HelpName = "CREDITS" };
        var budget = new Option<string?>("--budget") { Description = "Most that the job may cost", HelpName = "CREDITS" };
        var timeout = new Option<string?>("--timeout") { Description = "Longest run of an attempt", HelpName = "TIME" };
        var deadline = new Option<string?>("--deadline") { Description = "From now to when all must have been placed", HelpName = "TIME" };
        var retries = new Option<int?>("--retries") { Description = "Attempts after a failure", HelpName = "N" };
        var maxFails = new Option<int?>("--max-fails") { Description = "Failed tasks after which the rest is cancelled", HelpName = "N" };
        var concurrency = new Option<int?>("--concurrency") { Description = "Most tasks at once", HelpName = "N" };
        Option[] values = [priority, bid, limit, budget, timeout, deadline, retries, maxFails, concurrency];
        return common.Command("set", "Give a job new values, for what is placed from now on", ["drap job set last --priority 10 --limit 2.5", "drap job set 3 --segment map --concurrency 4"], async call =>
        {
            if (!values.Any(call.Has))
                throw new CliException(ExitCode.Usage, $"nothing to set; allowed: {string.Join(", ", values.Select(v => v.Name))}");
            var change = new ChangeRequest
            {
                Segment = call.Get(segment),
                Priority = call.Get(priority),
                Bid = Money("--bid", call.Get(bid)) is { } b ? new Price(b.Micro) : null,
                Limit = Money("--limit", call.Get(limit)) is { } l ? new Price(l.Micro) : null,
                Budget = Money("--budget", call.Get(budget)),
                TimeoutSeconds = Time("--timeout", call.Get(timeout)),
                DeadlineSeconds = Time("--deadline", call.Get(deadline)),
                Retries = call.Get(retries),
                MaxFails = call.Get(maxFails),
                MaxRunning = call.Get(concurrency),
            };
            (NodeSession session, JobId id, Selector _) = await OpenAsync(call, job, NodeSession.BackgroundAsync);
            await using NodeSession closing = session;
            return Done(call, await session.Node.ChangeAsync(id, change, call.Cancel), "set");
        }, [job, segment, .. values]);
    }

    private static Command Rerun(Common common)
    {
        Argument<string> job = Common.Job();
        var failed = new Option<bool>("--failed") { Description = "Only tasks that failed, were cancelled or expired" };
        return common.Command("rerun", "Run ended tasks again, as new attempts of the same job", ["drap job rerun last --failed", "drap job rerun 3.1-20"],
            call => ActAsync(call, job, JobAction.Rerun, call.Get(failed), "rerun"), job, failed);
    }

    private static Command Act(Common common, string name, string description, JobAction action)
    {
        Argument<string> job = Common.Job();
        return common.Command(name, description, [$"drap job {name} last", $"drap job {name} 3.1-20"], call => ActAsync(call, job, action, failedOnly: false, name), job);
    }

    private static async Task<int> ActAsync(Invocation call, Argument<string> job, JobAction action, bool failedOnly, string verb)
    {
        (NodeSession session, JobId id, Selector selector) = await OpenAsync(call, job, NodeSession.BackgroundAsync);
        await using NodeSession _ = session;
        var request = new ActionRequest { Action = action, Tasks = selector.Tasks, FailedOnly = failedOnly };
        return Done(call, await session.Node.ActAsync(id, request, call.Cancel), verb);
    }

    private static int Done(Invocation call, ActionReply reply, string verb)
    {
        string name = Words.Name(reply.Job);
        call.Screen.Write(
            reply, ApiJson.Indented.ActionReply, o => o.WriteLine($"job {name}: {verb}, {Words.Count(reply.Changed, "task")} changed; it is {Words.Of(reply.Job.State)}"),
            () => [reply.Job.Id.ToString()]);
        return ExitCode.Ok;
    }

    private static async Task<(NodeSession Session, JobId Id, Selector Selector)> OpenAsync(
        Invocation call, Argument<string> argument, Func<CliContext, Drap.Node.Home.HomeFolder, CancellationToken, Task<NodeSession>> open)
    {
        Selector selector = call.Selector(argument);
        // A home that is not there has no jobs, and none is made to say so.
        NodeSession session = await (call.Home.Exists ? open : NodeSession.ReadAsync)(call.Context, call.Home, call.Cancel);
        try
        {
            return (session, await session.Node.ResolveAsync(selector.Job, call.Cancel), selector);
        }
        catch
        {
            await session.DisposeAsync();
            throw;
        }
    }

    private static Credits? Money(string flag, string? text) => text is null ? null : Credits.TryParse(text, out Credits credits)
        ? credits : throw new CliException(ExitCode.Usage, $"{flag}: found '{text}'; allowed: credits such as 1.5, not negative, with at most six decimals");

    private static TimeSpan? Time(string flag, string? text) => text is null ? null : Duration.TryParse(text, out TimeSpan time)
        ? time : throw new CliException(ExitCode.Usage, $"{flag}: found '{text}'; allowed: {Duration.Form}");
}

using System.CommandLine;
using Drap.Api.Json;
using Drap.Cli.Jobs;
using Drap.Cli.Nodes;
using Drap.Cli.Output;
using Drap.Client.Jobs;
using Drap.Core.Jobs;
using Drap.Node.Hosting;

namespace Drap.Cli.Commands;

/// <summary><c>drap run</c>, <c>drap submit</c> and <c>drap plan</c>: from a job file, or from a command after <c>--</c>.</summary>
internal sealed class RunCommand
{
    private readonly Common common;
    private readonly Argument<string?> file = new("FILE")
    {
        Description = "A job file, YAML or JSON; or put -- and a command", Arity = ArgumentArity.ZeroOrOne,
    };
    private readonly Option<string[]> parameters = new("--param", "-p") { Description = "A value for one of the job's params", HelpName = "NAME=VALUE" };
    private readonly Option<string?> outFolder = new("--out") { Description = "Where results go [default: results/JOB-ID]", HelpName = "DIR" };
    private readonly AdHocOptions adHoc = new();

    private RunCommand(Common common) => this.common = common;

    public static IEnumerable<Command> All(Common common)
    {
        var run = new RunCommand(common);
        yield return common.Command(
            "run", "Run a job, or a command after --, and wait for its results",
            [
                "drap run examples/wordcount/job.yaml --out words", "drap run sweep.yaml --param rate=0.1 -o json",
                "drap run --cpus 2 --memory 1GB -- ./simulate --seed 7", "sort big.txt | drap run -- uniq -c",
                "drap run --dir . --array 1-100%10 --output 'out-*' -- sh -c './step $DRAP_INDEX'",
            ], run.RunAsync, [run.file, run.parameters, run.outFolder, .. run.adHoc.All]);
        var submit = new RunCommand(common);
        yield return common.Command(
            "submit", "Submit a job and return; its id is the only line on standard output",
            ["drap submit job.yaml --out words", "drap job wait $(drap submit job.yaml)", "drap submit --array 1-50 -- ./step"],
            submit.SubmitAsync, [submit.file, submit.parameters, submit.outFolder, .. submit.adHoc.All]);
        var plan = new RunCommand(common);
        yield return common.Command(
            "plan", "Check a job and ask the market what it would cost; nothing is run",
            ["drap plan job.yaml", "drap plan --gpus 1 -- ./train", "drap plan job.yaml -o json"],
            plan.PlanAsync, [plan.file, plan.parameters, .. plan.adHoc.All]);
    }

    private async Task<int> RunAsync(Invocation call)
    {
        Job job = Read(call, interactive: true);
        await using NodeSession session = await NodeSession.EmbedAsync(call.Context, call.Home, new NodeHostOptions { Mode = "run" }, null, call.Cancel);
        SubmitRequest request = await PrepareAsync(call, session.Node, job) with { OutFolder = OutFolder(call) };
        SubmitReply reply = await session.Node.SubmitAsync(request, call.Cancel);
        int code = job.AdHoc && JobForm.TaskCount(request.Job.Segments[0]) == 1
            ? await RunTaskAsync(call, session, job, reply)
            : await RunJobAsync(call, session, reply);
        await StayAsync(call, session);
        return code;
    }

    private async Task<int> RunJobAsync(Invocation call, NodeSession session, SubmitReply reply)
    {
        string name = reply.Number > 0 ? Words.Of(reply.Number) : Words.Short(reply.Id);
        bool here = session.Host is not null;
        call.Screen.Say($"job {call.Screen.Bold(name)} ({Words.Short(reply.Id)}), {Words.Count(reply.Tasks, "task")}; " + (here
            ? "Ctrl+C stops; the job is kept, and the next drap goes on with it"
            : "Ctrl+C leaves it; the job goes on"));
        var follower = new JobFollower(session.Node, call.Screen, call.Context.Time);
        try
        {
            JobSummary ended = await follower.FollowAsync(reply.Id, call.Cancel);
            return await follower.ReportAsync(ended, Results(call, reply.Id), call.Cancel);
        }
        catch (OperationCanceledException) when (call.Context.Interrupts.Any)
        {
            call.Screen.Say(here
                ? $"\nstopped; job {name} is kept. next: drap job wait {name} (goes on) · drap job cancel {name}"
                : $"\nleft; job {name} goes on. next: drap job wait {name} · drap job cancel {name}");
            return ExitCode.Interrupted;
        }
    }

    private async Task<int> RunTaskAsync(Invocation call, NodeSession session, Job job, SubmitReply reply)
    {
        bool show = call.Screen.Format is OutputFormat.Table or OutputFormat.Quiet;
        int code = await new AdHocRun(session.Node, session.Host is not null, call.Context, call.Screen).RunAsync(reply.Id, job.Spec.Segments[0].Stdin, show);
        bool hasResults = job.Spec.Segments[0].Outputs.Count > 0;
        if (code == ExitCode.Ok && hasResults || !show)
        {
            JobDocument document = await session.Node.JobAsync(reply.Id, default);
            await new JobFollower(session.Node, show ? new Screen(TextWriter.Null, call.Context.Err, call.Screen.Format, call.Context.Colour, false) : call.Screen, call.Context.Time)
                .ReportAsync(document.Job, hasResults ? Results(call, reply.Id) : null, default);
        }
        return code;
    }

    /// <summary>Others may have submitted to the node in this process; it stays until their jobs have ended too.</summary>
    private static async Task StayAsync(Invocation call, NodeSession session)
    {
        if (session.Host is not { } host || call.Context.Interrupts.Any)
            return;
        try
        {
            JobListDocument open = await session.Node.JobsAsync(openOnly: true, 100, call.Cancel);
            if (open.Jobs.IsEmpty)
                return;
            call.Screen.Say($"staying for {Words.Count(open.Jobs.Length, "other job")}; Ctrl+C stops: they are kept, and the next drap goes on with them");
            await host.IdleAsync(call.Cancel);
        }
        catch (OperationCanceledException)
        {
            // Said above what this does.
        }
    }

    private async Task<int> SubmitAsync(Invocation call)
    {
        Job job = Read(call, interactive: false);
        await using NodeSession session = await NodeSession.BackgroundAsync(call.Context, call.Home, call.Cancel);
        SubmitReply reply = await session.Node.SubmitAsync(await PrepareAsync(call, session.Node, job) with { OutFolder = OutFolder(call) }, call.Cancel);
        call.Screen.Write(reply, ApiJson.Indented.SubmitReply, o => o.WriteLine(reply.Id), () => [reply.Id.ToString()]);
        string name = reply.Number > 0 ? Words.Of(reply.Number) : Words.Short(reply.Id);
        call.Screen.Say(call.Screen.Faint($"job {name}, {Words.Count(reply.Tasks, "task")}. next: drap job wait {name} · drap job logs -f {name} · drap job results {name}"));
        return ExitCode.Ok;
    }

    private async Task<int> PlanAsync(Invocation call)
    {
        Job job = Read(call, interactive: false);
        await using NodeSession session = await NodeSession.BackgroundAsync(call.Context, call.Home, call.Cancel);
        PlanDocument plan = await session.Node.PlanAsync(await PrepareAsync(call, session.Node, job), call.Cancel);
        call.Screen.Write(plan, ApiJson.Indented.PlanDocument, o => Tables.Plan(plan, o), () => [Words.Of(plan.Cost)]);
        return plan.Cost is null ? ExitCode.NotPlaced : ExitCode.Ok;
    }

    private string? OutFolder(Invocation call) => call.Get(outFolder) is { } typed ? Path.GetFullPath(typed, call.Context.CurrentFolder) : null;

    private string Results(Invocation call, JobId id) => OutFolder(call) ?? JobFollower.UsualFolder(call, id);

    private Job Read(Invocation call, bool interactive)
    {
        string? path = call.Get(file);
        if (call.Tail is null)
        {
            if (path is null)
                throw new CliException(ExitCode.Usage, "no job: name a job file, or put -- and a command", "drap run --help has examples");
            if (adHoc.FirstGiven(call) is { } flag)
                throw new CliException(ExitCode.Usage, $"{flag} is for a command after --; a job file says it itself", "drap run --help has examples");
            (JobSpec spec, LocalFiles files) = JobReading.Read(path, call.Get(parameters) ?? [], call.Context.CurrentFolder);
            return new Job(spec, files, null, AdHoc: false);
        }
        if (path is not null || call.Tail.Count == 0)
            throw new CliException(
                ExitCode.OwnFailure, path is null ? "no command after --" : $"'{path}' stands before --: a job file and a command cannot both be run",
                "drap run --help has examples");
        AdHocFlags flags = adHoc.Of(call, call.Tail);
        if (flags.Dir is { } dir && !Directory.Exists(Path.GetFullPath(dir, call.Context.CurrentFolder)))
            throw new CliException(ExitCode.OwnFailure, $"--dir: found '{dir}'; allowed: a folder that is there", "drap run --help has examples");
        return new Job(
            AdHocJob.Make(flags with { Stdin = interactive && flags.Array is null && call.Context.HasStdin }), new LocalFiles(call.Context.CurrentFolder), flags.Dir,
            AdHoc: true);
    }

    private static async Task<SubmitRequest> PrepareAsync(Invocation call, INodeService node, Job job)
    {
        long last = 0;
        return await JobUpload.PrepareAsync(node, job.Spec, job.Files, job.IgnoreIn, (done, all) =>
        {
            // A line per thousand files: fewer would be no sign of life, more a flood.
            if (done / 1000 != last)
                call.Screen.Say($"{Words.Of(done)} of {Words.Count(all, "file")} taken in");
            last = done / 1000;
        }, call.Cancel);
    }

    private sealed record Job(JobSpec Spec, LocalFiles Files, string? IgnoreIn, bool AdHoc);
}

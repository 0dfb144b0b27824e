using System.Text.Json;
using Drap.Api;
using Drap.Cli;
using Drap.Cli.Jobs;
using Drap.Core;
using Drap.Core.Jobs;
using Xunit;
using Refusal = Drap.Api.Refusal;
using TaskRange = Drap.Api.TaskRange;
using TaskState = Drap.Api.TaskState;

namespace Drap.Tests.Cli;

public sealed class CommandTests : IAsyncDisposable
{
    private const string jobFile = """
        name: words
        segments:
          - name: map
            count: 2
            command: [echo, "${{ index }}"]
            outputs: {counts: counts.tsv}
        """;

    private readonly CliRunner cli = new();

    public ValueTask DisposeAsync() => cli.DisposeAsync();

    [Theory]
    [InlineData(ExitCode.Usage, "there is no command 'rnu' in 'drap'; did you mean 'run'?", "rnu")]
    [InlineData(ExitCode.Usage, "there is no command 'lisst' in 'drap job'; did you mean 'list'?", "job", "lisst")]
    [InlineData(ExitCode.Usage, "there is no option '--explian' in 'drap market'; did you mean '--explain'?", "market", "--explian")]
    [InlineData(ExitCode.Usage, "there is no option '--hmoe' in 'drap job list'; did you mean '--home'?", "job", "list", "--hmoe")]
    [InlineData(ExitCode.Usage, "-o: found 'xml'; allowed: table, json, yaml, quiet", "market", "-o", "xml")]
    [InlineData(ExitCode.Usage, "no job: name a job file, or put -- and a command", "run")]
    [InlineData(ExitCode.Usage, "nope.yaml: the job file is not there", "run", "nope.yaml")]
    [InlineData(ExitCode.Usage, "--cpus is for a command after --", "run", "job.yaml", "--cpus", "2")]
    [InlineData(ExitCode.Usage, "'first' names no job", "job", "show", "first")]
    [InlineData(ExitCode.Usage, "nothing to set", "job", "set", "last")]
    [InlineData(ExitCode.Usage, "--bid: found '-1'", "job", "set", "last", "--bid=-1")]
    [InlineData(ExitCode.Usage, "'--control' is required", "p2pd")]
    [InlineData(ExitCode.Usage, "--control: found 'p2pd.sock'; allowed: /unix/PATH", "p2pd", "--control", "p2pd.sock")]
    [InlineData(ExitCode.Usage, "--listen: found '/ip4/1.2.3.4/udp/1'; allowed: /ip4/ADDRESS/tcp/PORT", "p2pd", "--control", "/unix/tmp/d", "--listen", "/ip4/1.2.3.4/udp/1")]
    [InlineData(ExitCode.Usage, "nope.key is not there", "p2pd", "--control", "/unix/tmp/d", "--key", "nope.key")]
    [InlineData(ExitCode.Usage, "'ssl'", "p2pd", "--control", "/unix/tmp/d", "--security", "ssl")]
    [InlineData(ExitCode.OwnFailure, "there is no option '--cpsu' in 'drap run'; did you mean '--cpus'?", "run", "--cpsu", "2", "--", "true")]
    [InlineData(ExitCode.OwnFailure, "--memory: found 'lots'", "run", "--memory", "lots", "--", "true")]
    [InlineData(ExitCode.OwnFailure, "no command after --", "run", "--")]
    [InlineData(ExitCode.OwnFailure, "stands before --", "run", "job.yaml", "--", "true")]
    public async Task Wrong_usage_says_what_is_allowed(int code, string words, params string[] args)
    {
        CliRunner.Result result = await cli.RunAsync(args);
        Assert.Contains(words, result.Err, StringComparison.Ordinal);
        Assert.Equal((code, ""), (result.Code, result.Out));
        Assert.Equal(0, cli.Started);
    }

    [Theory]
    [InlineData("run", "drap run examples/wordcount/job.yaml")]
    [InlineData("job", "drap job explain 3.17")]
    [InlineData("market", "drap market --explain")]
    [InlineData("p2pd", "drap p2pd --control /unix/tmp/p2pd.sock --listen /ip4/0.0.0.0/tcp/4001")]
    public async Task Help_ends_with_examples(string command, string example)
    {
        CliRunner.Result result = await cli.RunAsync(command, "--help");
        Assert.Equal(ExitCode.Ok, result.Code);
        Assert.Contains("Examples:", result.Out, StringComparison.Ordinal);
        Assert.Contains(example, result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_bad_job_file_is_said_with_its_line_before_anything_is_started()
    {
        cli.File("job.yaml", "name: x\nsegments:\n  - name: a\n    comand: [true]\n");
        CliRunner.Result result = await cli.RunAsync("run", "job.yaml");
        Assert.Equal(ExitCode.Usage, result.Code);
        Assert.Contains("job.yaml:4:", result.Err, StringComparison.Ordinal);
        Assert.Contains("command", result.Err, StringComparison.Ordinal);
        Assert.Equal(0, cli.Started);
    }

    [Fact]
    public async Task A_run_prints_one_document_delivers_results_and_says_what_to_type_next()
    {
        cli.File("job.yaml", jobFile);
        await cli.Node.AddBlobAsync(new MemoryStream("a\t1\n"u8.ToArray()), TestContext.Current.CancellationToken);
        CliRunner.Result result = await cli.RunAsync("run", "job.yaml", "--out", "words", "-o", "json");
        Assert.Equal((ExitCode.Ok, 1), (result.Code, cli.Started));
        JsonElement document = JsonDocument.Parse(result.Out).RootElement;
        Assert.Equal(1, document.GetProperty("version").GetInt32());
        Assert.Equal(32, document.GetProperty("job").GetProperty("id").GetString()!.Length);
        Assert.Equal("finished", document.GetProperty("job").GetProperty("state").GetString());
        JsonElement task = document.GetProperty("tasks")[1];
        Assert.Equal(
            ("finished", "ant", 1, 0.04m),
            (task.GetProperty("state").GetString(), task.GetProperty("node").GetString(), task.GetProperty("attempts").GetInt32(), task.GetProperty("price").GetDecimal()));
        string folder = Path.Combine(cli.Home.Root, "words");
        Assert.Equal(folder, document.GetProperty("results").GetString());
        Assert.Equal("a\t1\n", await File.ReadAllTextAsync(Path.Combine(folder, "out", "counts.tsv"), TestContext.Current.CancellationToken));
        Assert.Contains("1 result in " + folder, result.Err, StringComparison.Ordinal);
        Assert.Contains("next: drap job show 1", result.Err, StringComparison.Ordinal);
        Assert.Contains("Ctrl+C stops; the job is kept", result.Err, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_second_run_submits_to_the_node_that_serves_the_home()
    {
        await cli.ServeAsync();
        cli.File("job.yaml", jobFile);
        CliRunner.Result result = await cli.RunAsync("run", "job.yaml", "-o", "quiet");
        Assert.Equal((ExitCode.Ok, 0), (result.Code, cli.Started));
        Assert.Equal("words", Assert.Single(cli.Node.Submitted).Job.Name);
    }

    [Theory]
    [InlineData(ReasonCodes.ExitCode, ExitCode.JobFailed)]
    [InlineData(ReasonCodes.MaxFails, ExitCode.JobFailed)]
    [InlineData(ReasonCodes.NotPlaced, ExitCode.NotPlaced)]
    [InlineData(ReasonCodes.Timeout, ExitCode.TimedOut)]
    public async Task A_job_that_fails_has_its_own_exit_code(string reason, int code)
    {
        cli.File("job.yaml", jobFile);
        cli.Node.Ending = _ => new FakeNode.Outcome(TaskState.Failed, new Reason(reason, "so it ended"), 1);
        CliRunner.Result result = await cli.RunAsync("run", "job.yaml");
        Assert.Equal(code, result.Code);
        Assert.Contains("so it ended", result.Err, StringComparison.Ordinal);
        Assert.Contains("next: drap job explain 1", result.Err, StringComparison.Ordinal);
        Assert.Equal(code, (await cli.RunAsync("job", "wait", "last")).Code);
    }

    [Theory]
    [InlineData(null, 7, 7)]
    [InlineData(ReasonCodes.ExitCode, 3, 3)]
    [InlineData(ReasonCodes.Signal, 137, 137)]
    [InlineData(ReasonCodes.CommandNotFound, null, ExitCode.NotFound)]
    [InlineData(ReasonCodes.CommandNotExecutable, null, ExitCode.NotExecutable)]
    [InlineData(ReasonCodes.NotPlaced, null, ExitCode.OwnFailure)]
    [InlineData(ReasonCodes.Timeout, 143, ExitCode.OwnFailure)]
    public async Task An_ad_hoc_command_has_the_commands_exit_code(string? reason, int? own, int code)
    {
        cli.Node.Ending = _ => new FakeNode.Outcome(TaskState.Failed, reason is null ? null : new Reason(reason, "so"), own);
        Assert.Equal(code, (await cli.RunAsync("run", "--", "false")).Code);
    }

    [Fact]
    public async Task An_ad_hoc_command_has_this_terminals_streams()
    {
        cli.Stdin = "b\na\n"u8.ToArray();
        cli.Node.Chunks.AddRange([FakeNode.Chunk(1, "a\nb\n"), FakeNode.Chunk(1, "careful\n", LogStream.Stderr)]);
        CliRunner.Result result = await cli.RunAsync("run", "--name", "sorting", "--", "sort", "--", "-r");
        Assert.Equal((ExitCode.Ok, "a\nb\n", "careful\n"), (result.Code, result.Out, result.Err));
        SegmentSpec segment = Assert.Single(cli.Node.Submitted).Job.Segments[0];
        Assert.Equal(["sort", "--", "-r"], segment.Command!.Argv);
        Assert.Equal((true, 0), (segment.Stdin, segment.Retries));
    }

    [Fact]
    public async Task Every_flag_of_an_ad_hoc_command_stands_in_its_job()
    {
        cli.File("in.txt", "x");
        Directory.CreateDirectory(Path.Combine(cli.Home.Root, "src"));
        CliRunner.Result result = await cli.RunAsync(
            "submit", "--name", "n", "--array", "1-100%10", "--cpus", "0.5", "--memory", "1GiB", "--gpus", "1", "--resource", "licence=2", "--on", "ssd", "--not-on", "slow",
            "--bid", "0.5", "--limit", "2", "--budget", "10", "--timeout", "5m", "--deadline", "1h", "--retries", "4", "--max-fails", "3", "--priority", "7", "--env", "A=b=c",
            "--input", "data=in.txt", "--output", "out.txt", "--dir", "src", "-o", "quiet", "--", "prog");
        Assert.True(result.Code == ExitCode.Ok, result.Err);
        SubmitRequest request = Assert.Single(cli.Node.Submitted);
        Assert.Equal(request.Id + Environment.NewLine, result.Out);
        SegmentSpec segment = request.Job.Segments[0];
        Assert.Equal(("n", 100, 10), (request.Job.Name, segment.Array!.Count, segment.Concurrency));
        Assert.Equal(new ResourceRequest
        {
            MilliCpus = 500, MemoryBytes = 1L << 30, Gpu = new GpuRequest { Count = 1 }, Named = [new NamedAmount("licence", 2)],
        }, segment.Resources.ToRequest());
        Assert.Equal(["ssd"], segment.Constraints.Labels);
        Assert.Equal(["slow"], segment.Constraints.NotLabels);
        Assert.Equal((new Price(500_000), new Price(2_000_000), new Credits(10_000_000)), (segment.Bid, segment.Limit, request.Job.Budget));
        Assert.Equal((TimeSpan.FromMinutes(5), TimeSpan.FromHours(1), 4, 3, 7), (segment.Timeout, segment.Deadline, segment.Retries, request.Job.MaxFails, segment.Priority));
        Assert.Equal("b=c", segment.Env["A"]);
        Assert.All(segment.Inputs.Values, i => Assert.True(i.Path is null && i.Cid is not null));
        Assert.Equal(["out.txt"], segment.Outputs.Values.Select(o => o.Path));
        Assert.Contains(cli.Node.Paths, p => p.Ignore && p.Path == Path.Combine(cli.Home.Root, "src"));
    }

    [Fact]
    public async Task Ctrl_C_leaves_a_job_that_another_process_runs()
    {
        await cli.ServeAsync();
        cli.File("job.yaml", jobFile);
        cli.Node.Ending = _ => null;
        Task<CliRunner.Result> running = cli.RunAsync("run", "job.yaml");
        await cli.Node.Watched.WaitAsync(TestContext.Current.CancellationToken);
        cli.Interrupts.Raise();
        CliRunner.Result result = await running;
        Assert.Equal(ExitCode.Interrupted, result.Code);
        Assert.Contains("left; job 1 goes on", result.Err, StringComparison.Ordinal);
        Assert.Empty(cli.Node.Actions);
    }

    [Fact]
    public async Task Ctrl_C_cancels_an_ad_hoc_command()
    {
        cli.Node.Ending = _ => null;
        Task<CliRunner.Result> running = cli.RunAsync("run", "--", "sleep", "100");
        await cli.Node.Watched.WaitAsync(TestContext.Current.CancellationToken);
        cli.Interrupts.Raise();
        CliRunner.Result result = await running;
        Assert.Equal(ExitCode.Interrupted, result.Code);
        Assert.Equal(JobAction.Cancel, Assert.Single(cli.Node.Actions).Request.Action);
    }

    [Fact]
    public async Task Submit_starts_a_node_in_the_background_and_prints_the_id_alone()
    {
        cli.File("job.yaml", jobFile);
        CliRunner.Result result = await cli.RunAsync("submit", "job.yaml");
        Assert.Equal((ExitCode.Ok, 1, 0), (result.Code, cli.Backgrounds, cli.Started));
        Assert.True(JobId.TryParse(result.Out.Trim(), out _));
    }

    [Fact]
    public async Task Read_commands_open_a_folder_in_which_nothing_runs()
    {
        CliRunner.Result none = await cli.RunAsync("job", "list");
        Assert.Equal((ExitCode.Error, 0), (none.Code, cli.Opened));
        Assert.False(Directory.Exists(cli.Home.Folder.Path));
        cli.File("home/home.json", "{}");
        Assert.Equal(ExitCode.Ok, (await cli.RunAsync("job", "list")).Code);
        Assert.Equal((1, 0, 0), (cli.Opened, cli.Started, cli.Backgrounds));
    }

    [Fact]
    public async Task A_node_that_has_the_lock_of_a_copied_home_does_not_start()
    {
        cli.File("home/home.json", """{"version":1,"machine_id":"another","device":"1","file_system":"1","inode":1}""");
        cli.File("job.yaml", jobFile);
        CliRunner.Result refused = await cli.RunAsync("run", "job.yaml");
        Assert.Equal((ExitCode.Error, 0), (refused.Code, cli.Started));
        Assert.Contains("is a copy, or was moved: it was made on another machine", refused.Err, StringComparison.Ordinal);
        Assert.Contains("drap adopt", refused.Err, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Ok, (await cli.RunAsync("adopt")).Code);
        Assert.Equal(ExitCode.Ok, (await cli.RunAsync("run", "job.yaml")).Code);
    }

    [Fact]
    public async Task Documents_come_as_json_yaml_tables_and_names()
    {
        await cli.ServeAsync();
        await cli.RunAsync("submit", "--name", "yes", "--", "true");
        string id = Assert.Single(cli.Node.Submitted).Id.ToString();
        Assert.Equal(id + Environment.NewLine, (await cli.RunAsync("job", "list", "-o", "quiet")).Out);
        Assert.Equal("yes", JsonDocument.Parse((await cli.RunAsync("job", "list", "-o", "json")).Out).RootElement.GetProperty("jobs")[0].GetProperty("name").GetString());
        Assert.Contains("name: \"yes\"\n", (await cli.RunAsync("job", "list", "-o", "yaml")).Out, StringComparison.Ordinal);
        Assert.Contains("JOB  ID        NAME  STATE", (await cli.RunAsync("job", "list")).Out, StringComparison.Ordinal);
        Assert.Contains("no node has 64GiB of memory", (await cli.RunAsync("job", "explain", "last.1")).Out, StringComparison.Ordinal);
        Assert.Contains("memory: needs 64GiB, has 8GiB", (await cli.RunAsync("job", "explain", "last.1")).Out, StringComparison.Ordinal);
        Assert.Contains("×1.25", (await cli.RunAsync("market", "--explain")).Out, StringComparison.Ordinal);
        Assert.Contains("0.04/h", (await cli.RunAsync("plan", "--", "true")).Out, StringComparison.Ordinal);
        Assert.Contains("0.000003", (await cli.RunAsync("ledger")).Out, StringComparison.Ordinal);
        Assert.Contains("SEGMENT", (await cli.RunAsync("usage")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Logs_of_several_tasks_have_their_numbers_and_those_of_one_are_its_bytes()
    {
        await cli.ServeAsync();
        await cli.RunAsync("submit", "--array", "1-2", "--", "true");
        cli.Node.Chunks.AddRange([FakeNode.Chunk(1, "on"), FakeNode.Chunk(2, "two\n"), FakeNode.Chunk(1, "e\nrest")]);
        Assert.Equal("2: two\n1: one\n1: rest\n", (await cli.RunAsync("job", "logs", "last")).Out);
        Assert.Equal("one\nrest", (await cli.RunAsync("job", "logs", "last.1")).Out);
    }

    [Fact]
    public async Task Rerun_and_set_reach_the_node()
    {
        await cli.ServeAsync();
        await cli.RunAsync("submit", "--", "true");
        Assert.Equal(ExitCode.Ok, (await cli.RunAsync("job", "rerun", "last.1-3", "--failed")).Code);
        ActionRequest rerun = Assert.Single(cli.Node.Actions).Request;
        Assert.Equal((JobAction.Rerun, true, new TaskRange(1, 3)), (rerun.Action, rerun.FailedOnly, rerun.Tasks[0]));
        Assert.Equal(ExitCode.Ok, (await cli.RunAsync("job", "set", "1", "--priority", "9", "--budget", "2.5")).Code);
        ChangeRequest change = Assert.Single(cli.Node.Changes);
        Assert.Equal((9, new Credits(2_500_000)), (change.Priority, change.Budget));
    }

    [Fact]
    public async Task A_job_that_is_not_there_is_an_error()
    {
        await cli.ServeAsync();
        CliRunner.Result result = await cli.RunAsync("job", "show", "99");
        Assert.Equal((ExitCode.Error, ""), (result.Code, result.Out));
        Assert.Contains("no job is meant by '99'", result.Err, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Results_go_where_the_submit_said_unless_the_command_says_otherwise()
    {
        await cli.ServeAsync();
        cli.File("job.yaml", jobFile);
        await cli.Node.AddBlobAsync(new MemoryStream("a\t1\n"u8.ToArray()), TestContext.Current.CancellationToken);
        await cli.RunAsync("submit", "job.yaml", "--out", "words");
        string words = Path.Combine(cli.Home.Root, "words"), made = Path.Combine(words, "out", "counts.tsv"), other = Path.Combine(cli.Home.Root, "other", "out", "counts.tsv");
        Assert.Equal(words, Assert.Single(cli.Node.Submitted).OutFolder);
        Assert.Contains("results    " + words, (await cli.RunAsync("job", "show", "last")).Out, StringComparison.Ordinal);
        Assert.Contains("1 result in " + words, (await cli.RunAsync("job", "wait", "last")).Err, StringComparison.Ordinal);
        Assert.True(File.Exists(made));
        File.Delete(made);
        await cli.RunAsync("job", "results", "last", "--out", "other");
        Assert.Equal((false, true), (File.Exists(made), File.Exists(other)));
        await cli.RunAsync("job", "results", "last");
        Assert.True(File.Exists(made));
    }

    [Fact]
    public async Task A_wait_without_a_folder_says_how_results_are_fetched()
    {
        await cli.ServeAsync();
        cli.File("job.yaml", jobFile);
        await cli.Node.AddBlobAsync(new MemoryStream("a\t1\n"u8.ToArray()), TestContext.Current.CancellationToken);
        string id = (await cli.RunAsync("submit", "job.yaml")).Out.Trim();
        Assert.Null(Assert.Single(cli.Node.Submitted).OutFolder);
        Assert.Contains("1 result; drap job results 1 fetches them", (await cli.RunAsync("job", "wait", "last")).Err, StringComparison.Ordinal);
        Assert.Contains("1 result in " + Path.Combine(cli.Home.Root, "results", id), (await cli.RunAsync("job", "results", "last")).Err, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Why_a_job_waits_is_said_once_and_again_when_it_changes()
    {
        CancellationToken cancel = TestContext.Current.CancellationToken;
        var id = new JobId(Guid.NewGuid());
        await cli.Node.SubmitAsync(new SubmitRequest { Id = id, Job = new JobSpec { Name = "n", Segments = [new SegmentSpec { Name = "main" }] } }, cancel);
        TaskExplanation memory = new()
        {
            Task = new TaskSummary { Number = 1, Segment = "main", State = TaskState.Placing },
            Reasons = [new Reason(ReasonCodes.NoRoom, "it waits for room, for 1.2 s now")],
            Nodes = [new NodeVerdict { Node = "bee", Refusals = [new Refusal(ReasonCodes.Resource, "memory", "8GiB", "1GiB", Ever: true)] }],
        };
        TaskExplanation told = memory;
        cli.Node.Explanation = _ => told;
        var why = new WhyItWaits(cli.Node, id);
        Assert.Equal(TimeSpan.FromSeconds(1), why.Next);
        Assert.Contains("bee   no          -              -          -  memory: needs 8GiB, has 1GiB", await why.LookAsync(cancel), StringComparison.Ordinal);
        // Time passes and amounts change by themselves.
        told = memory with
        {
            Reasons = [new Reason(ReasonCodes.NoRoom, "it waits for room, for 3.2 s now")],
            Nodes = [memory.Nodes[0] with { Refusals = [memory.Nodes[0].Refusals[0] with { Available = "2GiB" }] }],
        };
        Assert.Null(await why.LookAsync(cancel));
        told = memory with { Nodes = [.. memory.Nodes, new NodeVerdict { Node = "cat", Refusals = [new Refusal(ReasonCodes.Constraint, "label ssd")] }] };
        Assert.Contains("cat   no          -              -          -  needs label ssd", await why.LookAsync(cancel), StringComparison.Ordinal);
        // One takes it now, and then again none does.
        told = memory with { Nodes = [memory.Nodes[0] with { Fits = true, Refusals = [] }] };
        Assert.Null(await why.LookAsync(cancel));
        told = memory;
        Assert.NotNull(await why.LookAsync(cancel));
        Assert.Equal(TimeSpan.FromSeconds(10), why.Next);
        why.Forget();
        Assert.Equal(TimeSpan.FromSeconds(1), why.Next);
    }

    [Theory]
    [InlineData("bash")]
    [InlineData("zsh")]
    [InlineData("fish")]
    public async Task Completion_scripts_are_printed(string shell) =>
        Assert.Contains("[suggest:", (await cli.RunAsync("completion", shell)).Out, StringComparison.Ordinal);
}

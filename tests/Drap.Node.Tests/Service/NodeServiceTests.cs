using System.Text;
using Drap.Api;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Node.Service;
using Drap.Node.Storage;
using Xunit;
using LogChunk = Drap.Api.LogChunk;
using TaskRange = Drap.Api.TaskRange;
using TaskState = Drap.Api.TaskState;

namespace Drap.Node.Tests.Service;

public sealed class NodeServiceTests : IDisposable
{
    private readonly TestSwarm swarm = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => swarm.Dispose();

    [Fact]
    public async Task A_job_runs_and_everyone_is_told_of_it()
    {
        SubmitRequest request = TestSwarm.Request(change: s => s with { Outputs = s.Outputs.Add("out", new OutputSpec { Path = "out.txt" }) });
        SubmitReply reply = await swarm.Service.SubmitAsync(request, Cancel);
        Assert.Equal((1, 1, true), (reply.Number, reply.Tasks, reply.Created));
        Assert.False((await swarm.Service.SubmitAsync(request, Cancel)).Created);
        AttemptId attempt = PlaceAll().Single();
        swarm.Hear(new Core.Messages.Notice(NoticeKind.Started, [attempt], default));
        Assert.Equal(JobState.Running, (await swarm.Service.JobAsync(request.Id, Cancel)).Job.State);

        Cid made = swarm.Blobs.AddBytes("made"u8);
        swarm.End(attempt, outputs: [new TaskOutput("out", made, 4)]);

        JobDocument job = await swarm.Service.JobAsync(request.Id, Cancel);
        Assert.Equal(JobState.Finished, job.Job.State);
        Assert.Equal((1, 1), (job.Job.Tasks.Finished, job.Segments.Single().Tasks.Finished));
        TaskSummary task = (await swarm.Service.TasksAsync(request.Id, 1, 10, history: true, Cancel)).Tasks.Single();
        Assert.Equal((TaskState.Finished, "anvil", 1, 0), (task.State, task.Node, task.Attempts, task.ExitCode));
        Assert.Equal(AttemptState.Accepted, task.History.Single().State);
        ResultItem result = (await swarm.Service.ResultsAsync(request.Id, Cancel)).Items.Single();
        Assert.Equal(new ResultItem { Path = "out.txt", Task = 1, Cid = made, Bytes = 4 }, result);
        UsageRow usage = (await swarm.Service.UsageAsync(null, Cancel)).Rows.Single();
        Assert.Equal((1, 1000L, 500L, 123L << 20, TimeSpan.FromSeconds(8)), (usage.Attempts, usage.AskedMilliCpus, usage.UsedMilliCpus, usage.PeakMemoryBytes, usage.RunSeconds));
        LedgerDocument ledger = await swarm.Service.LedgerAsync(null, 10, Cancel);
        Assert.Equal(job.Job.Cost, ledger.Entries.Single().Amount);
        Assert.Equal(job.Job.Cost, ledger.Accounts.Single().Spent);
        Assert.Equal("anvil", ledger.Entries.Single().Node);
    }

    /// <summary>More attempts than are kept one by one.</summary>
    [Theory]
    [InlineData(Outcome.Failed)]
    [InlineData(Outcome.Succeeded)]
    public async Task The_ledger_adds_up_however_often_a_task_was_tried(Outcome last)
    {
        SubmitRequest request = TestSwarm.Request(2, s => s with { Retries = 20 });
        await swarm.Service.SubmitAsync(request, Cancel);
        for (int round = 0; round < 42; round++)
        {
            List<AttemptId> placed = PlaceAll();
            swarm.Confirmed.Clear();
            foreach (AttemptId attempt in placed)
                swarm.End(attempt, attempt.Fence.Attempt == 21 || attempt.Task.Number == 2 ? last : Outcome.Failed, exitCode: 1);
            // A retry waits, then insists on another worker for a while, and then for the next ad.
            for (int step = 0; step < 700 && swarm.Confirmed.Count == 0; step++)
                swarm.Pass(TimeSpan.FromMilliseconds(100));
        }
        JobDocument job = await swarm.Service.JobAsync(request.Id, Cancel);
        Assert.Equal(last == Outcome.Failed ? JobState.Failed : JobState.Finished, job.Job.State);
        LedgerDocument ledger = await swarm.Service.LedgerAsync(null, 100, Cancel);
        Assert.True(job.Job.Cost > new Credits(200), $"{job.Job.Cost} are spent");
        Assert.Equal((job.Job.Cost, job.Job.Cost.Micro), (ledger.Accounts.Single().Spent, ledger.Entries.Sum(e => e.Amount.Micro)));
    }

    [Fact]
    public async Task Every_problem_of_a_job_is_refused_with_its_place()
    {
        ApiException refused = await Assert.ThrowsAsync<ApiException>(() => swarm.Service.SubmitAsync(TestSwarm.Request(change: s => s with { Retries = -1 }), Cancel));
        Assert.Equal((ErrorCodes.BadJob, "segments[0].retries"), (refused.Error.Code, refused.Error.Where));
        Assert.Empty((await swarm.Service.JobsAsync(false, 10, Cancel)).Jobs);
    }

    [Fact]
    public async Task A_job_holds_its_inputs_and_one_whose_inputs_are_missing_is_refused()
    {
        Cid here = swarm.Blobs.AddBytes("here"u8), gone = Cid.Of(CidCodec.Raw, "gone"u8);
        SubmitRequest With(Cid cid) => TestSwarm.Request(change: s => s with { Inputs = s.Inputs.Add("in", new InputSpec { Cid = cid.ToString() }) });
        SubmitRequest good = With(here);
        await swarm.Service.SubmitAsync(good, Cancel);
        Assert.True(swarm.Blobs.IsPinned(good.Id, here));
        ApiException refused = await Assert.ThrowsAsync<ApiException>(() => swarm.Service.SubmitAsync(With(gone), Cancel));
        Assert.Equal((ErrorCodes.NotFound, "main.inputs.in"), (refused.Error.Code, refused.Error.Where));
        ((ISchedulerWatcher)swarm.Service).Forget(good.Id);
        Assert.False(swarm.Blobs.IsPinned(good.Id, here));
    }

    [Fact]
    public async Task A_task_that_fails_says_why_and_its_job_too()
    {
        JobId job = await SubmitAsync(TestSwarm.Request(2));
        List<AttemptId> attempts = PlaceAll();
        swarm.End(attempts[0]);
        swarm.End(attempts[1], Outcome.Failed, 3, "exit code 3");
        JobSummary summary = (await swarm.Service.JobAsync(job, Cancel)).Job;
        Assert.Equal((JobState.Failed, ReasonCodes.ExitCode), (summary.State, summary.Reason!.Code));
        TaskSummary task = (await swarm.Service.TasksAsync(job, 2, 1, false, Cancel)).Tasks.Single();
        Assert.Equal((TaskState.Failed, 3, new Reason(ReasonCodes.ExitCode, "exit code 3")), (task.State, task.ExitCode, task.Reason));
    }

    [Fact]
    public async Task Explain_names_the_machine_and_the_dimension_with_units()
    {
        swarm.Answer = ad => new Core.Messages.Refusal(ad.Id, [.. ad.Groups.Select(g => new RefusalEntry(
            g.Id, RefusalReason.TooSmall, [new Shortage("memory", 8L << 30, 3L << 29)], Price.Zero, ""))]);
        JobId job = await SubmitAsync(TestSwarm.Request(100));
        swarm.Pass(TimeSpan.FromMilliseconds(200));
        TaskExplanation said = (await swarm.Service.ExplainAsync(job, null, Cancel)).Tasks.Single();
        Assert.Equal(100, said.Alike);
        Assert.Equal(ReasonCodes.FitsNowhere, said.Reasons.Single().Code);
        NodeVerdict node = said.Nodes.Single();
        Assert.Equal("anvil", node.Node);
        Assert.Equal(new Drap.Api.Refusal(ReasonCodes.Resource, "memory", "8 GiB", "1.5 GiB"), node.Refusals.Single());
        Assert.True(said.Complete);
    }

    [Theory]
    [InlineData(0, null)]
    [InlineData(1, null)]
    [InlineData(2, "durability 2 is asked for, and 1 is what there is: besides the worker that makes them, outputs lie on this node, and no worker of your own on another machine is connected")]
    public async Task Explain_says_that_fewer_nodes_keep_outputs_than_are_asked_for(int asked, string? said)
    {
        JobId job = await SubmitAsync(TestSwarm.Request(2, s => s with
        {
            Durability = asked, Outputs = s.Outputs.Add("out", new OutputSpec { Path = "out" }),
        }));
        Assert.Equal(said, (await swarm.Service.ExplainAsync(job, 1, Cancel)).Tasks.Single().Reasons.SingleOrDefault(r => r.Code == ReasonCodes.Durability)?.Message);
        PlaceAll();
        Assert.Equal(said, (await swarm.Service.ExplainAsync(job, 1, Cancel)).Tasks.Single().Reasons.SingleOrDefault(r => r.Code == ReasonCodes.Durability)?.Message);
    }

    [Fact]
    public async Task What_found_no_place_says_who_refused_it_and_for_what()
    {
        swarm.Answer = ad => new Core.Messages.Refusal(ad.Id, [.. ad.Groups.Select(g => new RefusalEntry(
            g.Id, RefusalReason.TooSmall, [new Shortage("memory", 8L << 30, 3L << 29)], Price.Zero, ""))]);
        JobId job = await SubmitAsync(TestSwarm.Request(3, s => s with { Deadline = TimeSpan.FromMilliseconds(1) }));
        swarm.Step(new SchedulerInput.Utc((await swarm.Service.JobAsync(job, Cancel)).Job.SubmittedAt + TimeSpan.FromMilliseconds(1)));
        swarm.Pass(TimeSpan.FromSeconds(1));
        const string why = "not placed within 1ms of the submit; last heard: anvil (memory: needs 8 GiB, has 1.5 GiB)";
        TaskSummary task = (await swarm.Service.TasksAsync(job, 2, 1, false, Cancel)).Tasks.Single();
        Assert.Equal((TaskState.Expired, new Reason(ReasonCodes.NotPlaced, why)), (task.State, task.Reason));
        JobSummary ended = (await swarm.Service.JobAsync(job, Cancel)).Job;
        Assert.Equal((JobState.Expired, new Reason(ReasonCodes.NotPlaced, "3 of 3 tasks found no place by their deadline; task 1: " + why)), (ended.State, ended.Reason));
    }

    [Theory]
    [InlineData("words")]
    [InlineData("")]
    [InlineData("/a\0b")]
    public async Task A_folder_for_results_is_an_absolute_path(string folder)
    {
        ApiException refused = await Assert.ThrowsAsync<ApiException>(() => swarm.Service.SubmitAsync(TestSwarm.Request() with { OutFolder = folder }, Cancel));
        Assert.Equal((ErrorCodes.BadRequest, "out_folder"), (refused.Error.Code, refused.Error.Where));
    }

    [Fact]
    public async Task A_task_that_waits_for_others_names_them()
    {
        SubmitRequest request = TestSwarm.Request(3);
        SegmentSpec first = request.Job.Segments[0];
        request = request with { Job = request.Job with { Segments = [first, first with { Name = "join", Count = null, Needs = [new NeedSpec { Segment = "main" }] }] } };
        JobId job = await SubmitAsync(request);
        swarm.End(PlaceAll()[0]);
        TaskExplanation said = (await swarm.Service.ExplainAsync(job, 4, Cancel)).Tasks.Single();
        Assert.Equal(new Reason(ReasonCodes.Needs, "it waits for 2 tasks of 'main', the first of them .2, which is running"), said.Reasons.Single());
    }

    [Fact]
    public async Task A_plan_costs_what_the_market_quotes()
    {
        PlanDocument plan = await swarm.Service.PlanAsync(TestSwarm.Request(10, s => s with { Estimate = TimeSpan.FromHours(1) }), Cancel);
        Assert.Equal((new Credits(500_000), TimeSpan.FromHours(1), 10), (plan.Cost!.Value, plan.EndSeconds!.Value, plan.Tasks));
        Assert.Equal("anvil", plan.Segments.Single().Nodes.Single().Node);
        Assert.Empty((await swarm.Service.JobsAsync(false, 10, Cancel)).Jobs);
    }

    [Fact]
    public async Task Jobs_are_found_by_number_by_id_and_by_its_beginning()
    {
        JobId a = await SubmitAsync(TestSwarm.Request(id: new JobId(Guid.Parse("aa000000-0000-0000-0000-000000000001"))));
        JobId b = await SubmitAsync(TestSwarm.Request(id: new JobId(Guid.Parse("aa100000-0000-0000-0000-000000000002"))));
        Assert.Equal(a, await swarm.Service.ResolveAsync("1", Cancel));
        Assert.Equal(b, await swarm.Service.ResolveAsync("last", Cancel));
        Assert.Equal(b, await swarm.Service.ResolveAsync("aa1", Cancel));
        Assert.Equal(a, await swarm.Service.ResolveAsync(a.ToString(), Cancel));
        Assert.Equal(ErrorCodes.Ambiguous, (await Assert.ThrowsAsync<ApiException>(() => swarm.Service.ResolveAsync("aa", Cancel))).Error.Code);
        Assert.Equal(ErrorCodes.NotFound, (await Assert.ThrowsAsync<ApiException>(() => swarm.Service.ResolveAsync("9", Cancel))).Error.Code);
        JobListDocument list = await swarm.Service.JobsAsync(false, 1, Cancel);
        Assert.Equal((b, true), (list.Jobs.Single().Id, list.More));
    }

    [Fact]
    public async Task Events_begin_with_a_snapshot_and_end_with_the_job()
    {
        JobId job = await SubmitAsync(TestSwarm.Request());
        await using IAsyncEnumerator<JobEvent> events = swarm.Service.EventsAsync(job, tasks: true, Cancel).GetAsyncEnumerator(Cancel);
        Assert.True(await events.MoveNextAsync());
        Assert.Equal(EventKind.Snapshot, events.Current.Kind);
        swarm.End(PlaceAll().Single());
        var rest = new List<JobEvent>();
        while (await events.MoveNextAsync())
            rest.Add(events.Current);
        Assert.Equal([EventKind.Task, EventKind.Job], rest.Select(e => e.Kind));
        Assert.Equal((TaskState.Finished, JobState.Finished), (rest[0].Task!.State, rest[1].Job!.State));
    }

    [Fact]
    public async Task A_reader_of_events_who_is_too_slow_gets_a_gap_and_a_new_snapshot()
    {
        swarm.Answer = ad => new Core.Messages.Refusal(ad.Id, []);
        JobId job = await SubmitAsync(TestSwarm.Request(JobEvent.BacklogMax + 1));
        await using IAsyncEnumerator<JobEvent> events = swarm.Service.EventsAsync(job, tasks: true, Cancel).GetAsyncEnumerator(Cancel);
        await events.MoveNextAsync();
        await swarm.Service.ActAsync(job, new ActionRequest { Action = JobAction.Cancel }, Cancel);
        await events.MoveNextAsync();
        Assert.Equal(EventKind.Gap, events.Current.Kind);
        await events.MoveNextAsync();
        Assert.Equal((EventKind.Snapshot, JobState.Cancelled), (events.Current.Kind, events.Current.Job!.State));
        Assert.False(await events.MoveNextAsync());
    }

    [Fact]
    public async Task Logs_come_task_by_task_then_as_they_are_written_until_the_tasks_have_ended()
    {
        JobId job = await SubmitAsync(TestSwarm.Request(2));
        List<AttemptId> attempts = PlaceAll();
        swarm.Hear(TestSwarm.Chunk(attempts[1], 0, "two"));
        swarm.Hear(TestSwarm.Chunk(attempts[0], 0, "one"));
        swarm.Hear(TestSwarm.Chunk(attempts[0], 10, "late", stream: 2));
        await using IAsyncEnumerator<LogChunk> logs = swarm.Service.LogsAsync(job, new LogQuery { Follow = true }, Cancel).GetAsyncEnumerator(Cancel);
        var got = new List<(int, string, long)>();
        for (int i = 0; i < 3; i++)
            await Next();
        Assert.Equal([(1, "one", 0L), (1, "late", 10L), (2, "two", 0L)], got);
        swarm.Hear(TestSwarm.Chunk(attempts[1], 3, "more"));
        await Next();
        Assert.Equal((2, "more", 0L), got[^1]);
        swarm.Hear(TestSwarm.Chunk(attempts[0], 3, "last"));
        swarm.End(attempts[0]);
        swarm.End(attempts[1]);
        await Next();
        Assert.Equal((1, "last", 0L), got[^1]);
        Assert.False(await logs.MoveNextAsync());

        var tail = new List<string>();
        await foreach (LogChunk chunk in swarm.Service.LogsAsync(job, new LogQuery { Tasks = [new TaskRange(1, 1)], Stream = LogStream.Stdout, TailBytes = 2 }, Cancel))
            tail.Add(Encoding.UTF8.GetString(chunk.Data.Span));
        Assert.Equal(["last"], tail);

        async Task Next()
        {
            Assert.True(await logs.MoveNextAsync());
            got.Add((logs.Current.Task, Encoding.UTF8.GetString(logs.Current.Data.Span), logs.Current.Dropped));
        }
    }

    [Fact]
    public async Task Standard_input_is_sent_as_far_as_the_worker_has_room()
    {
        JobId job = await SubmitAsync(TestSwarm.Request(change: s => s with { Stdin = true }));
        Task feeding = swarm.Service.FeedAsync(job, new MemoryStream("hello"u8.ToArray()), Cancel);
        AttemptId attempt = PlaceAll().Single();
        swarm.Hear(new StdinCredit(attempt, 3));
        await swarm.UntilAsync(() => swarm.Stdin.Count == 1);
        Assert.False(feeding.IsCompleted);
        swarm.Hear(new StdinCredit(attempt, 100));
        await feeding;
        Assert.Equal(["hel", "lo", ""], swarm.Stdin.Select(c => Encoding.UTF8.GetString(c.Bytes.AsSpan())));
        Assert.Equal([false, false, true], swarm.Stdin.Select(c => c.End));
        Assert.Equal([0L, 3, 5], swarm.Stdin.Select(c => c.Offset));
    }

    [Fact]
    public async Task A_hundred_thousand_tasks_are_read_in_pages()
    {
        JobId job = await SubmitAsync(TestSwarm.Request(100_000));
        TaskListDocument page = await swarm.Service.TasksAsync(job, 99_999, 10_000, false, Cancel);
        Assert.Equal([99_999, 100_000], page.Tasks.Select(t => t.Number));
        Assert.Null(page.Next);
        Assert.Equal(11, (await swarm.Service.TasksAsync(job, 1, 10, false, Cancel)).Next);
    }

    [Fact]
    public async Task A_home_in_which_nothing_runs_can_be_read_and_not_changed()
    {
        string journal = Path.Combine(swarm.Home.Path, "scheduler", "journal");
        using FileJournalStorage there = FileJournalStorage.OpenDirectory(journal);
        using var written = new TestSwarm(there);
        JobId job = (await written.Service.SubmitAsync(TestSwarm.Request(), Cancel)).Id;
        byte[] before = Bytes(journal);

        INodeService stopped = await new StoppedHome().OpenAsync(swarm.Home, Cancel);

        Assert.Equal(job, (await stopped.JobsAsync(false, 10, Cancel)).Jobs.Single().Id);
        Assert.Equal(ErrorCodes.Conflict, (await Assert.ThrowsAsync<ApiException>(() => stopped.SubmitAsync(TestSwarm.Request(), Cancel))).Error.Code);
        Assert.Equal(before, Bytes(journal));

        static byte[] Bytes(string folder) => [.. Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).SelectMany(File.ReadAllBytes)];
    }

    private async Task<JobId> SubmitAsync(SubmitRequest request) => (await swarm.Service.SubmitAsync(request, Cancel)).Id;

    private List<AttemptId> PlaceAll()
    {
        for (int i = 0; i < 20 && swarm.Confirmed.Count == 0; i++)
            swarm.Pass(TimeSpan.FromMilliseconds(100));
        return [.. swarm.Confirmed.Order()];
    }
}

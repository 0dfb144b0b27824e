using System.Collections.Immutable;
using System.Globalization;
using System.Reflection;
using Drap.Api;
using Drap.Core.Jobs;
using Drap.Core.Nodes;
using Drap.Node.Blobs;
using Drap.Node.Home;
using Drap.Node.Identity;
using Drap.Node.Time;
using CoreState = Drap.Core.Jobs.TaskState;
using LogChunk = Drap.Api.LogChunk;
using TaskRange = Drap.Api.TaskRange;

namespace Drap.Node.Service;

/// <summary>
/// What a node does for its user, over a running scheduler. It keeps no state of jobs itself: questions are answered by short reads on the
/// scheduler's own thread, requests by inputs whose answer comes when it is durable.
/// </summary>
public sealed class NodeService : INodeService, ISchedulerWatcher, IDisposable
{
    /// <summary>Jobs that one read looks at, so that a long list does not hold the scheduler for long.</summary>
    private const int JobsPerRead = 200;

    private readonly ISchedulerPort port;
    private readonly BlobStore? blobs;
    private readonly BlobDesk? blobDesk;
    private readonly LogStore? logs;
    private readonly HomeFolder home;
    private readonly Func<CancellationToken, Task> shutdown;
    private readonly JobWatch watch = new();
    private readonly EventFeed events;
    private readonly LogFeed logFeed;
    private readonly StdinFeed stdin;
    private readonly IDisposable watching;

    /// <summary>A service over a scheduler that runs.</summary>
    /// <param name="port">The scheduler.</param>
    /// <param name="blobs">The node's blobs; disposed by its owner, as <paramref name="logs"/>.</param>
    /// <param name="logs">Where the scheduler's loop puts its logs.</param>
    /// <param name="home">The node's folder.</param>
    /// <param name="shutdown">Ends the node.</param>
    public NodeService(ISchedulerPort port, BlobStore blobs, LogStore logs, HomeFolder home, Func<CancellationToken, Task> shutdown)
        : this(port, home, shutdown)
    {
        this.blobs = blobs;
        this.logs = logs;
        blobDesk = new BlobDesk(blobs, new DataBook(System.IO.Path.Combine(blobs.Options.Folder, "names")), TimeProvider.System);
        logFeed = new LogFeed(port, watch, logs.Read, logs.FlushAsync, logs.Watch);
        watching = port.Watch(this);
    }

    /// <summary>A service over a scheduler that stands still, for its reading half.</summary>
    internal NodeService(ISchedulerPort port, HomeFolder home)
        : this(port, home, _ => Task.CompletedTask) =>
        logFeed = new LogFeed(port, null, job => new LogReader(LogStore.PathOf(home.LogFolder, job)), () => Task.CompletedTask, null);

    private NodeService(ISchedulerPort port, HomeFolder home, Func<CancellationToken, Task> shutdown)
    {
        this.port = port;
        this.home = home;
        this.shutdown = shutdown;
        SecretKeyFile = home.SecretKeyFile;
        events = new EventFeed(port, watch);
        stdin = new StdinFeed(port, watch);
        logFeed = null!;
        watching = null!;
    }

    /// <summary>The node's peer id, to be shown.</summary>
    public PeerId Peer { get; init; }

    /// <summary>What the node is for: <c>run</c> or <c>dev</c>.</summary>
    public string Mode { get; init; } = "run";

    /// <summary>Where the key lies with which jobs' secrets are sealed. Default: in the home.</summary>
    public string SecretKeyFile { get; set; }

    /// <summary>For which scheduler the node stands by: nobody while it could not take its place yet; null, the default, where it does not.</summary>
    public Func<PeerId?> StandsByFor { get; init; } = () => null;

    /// <summary>When it started. Default: now.</summary>
    public UtcTime StartedAt { get; init; } = BootClock.UtcNow;

    /// <summary>What the user may ask of the swarm that the home belongs to; null where it belongs to none.</summary>
    internal ISwarmDesk? Swarm { get; set; }

    /// <summary>Brings a blob here from whoever has it, and says why it is not to be had; null where no other node is reached.</summary>
    internal Func<Cid, JobId, CancellationToken, Task<string?>>? Bring { get; set; }

    internal BlobDesk Blobs => blobDesk!;

    /// <summary>Brings a blob that is not here, pinned as what is added is.</summary>
    private async Task BringAsync(Cid cid, CancellationToken cancel)
    {
        if (blobs!.IsComplete(cid))
            return;
        string? why = Bring is { } bring ? await bring(cid, Blobs.Owner(), cancel).ConfigureAwait(false) : "it is no part of a swarm";
        if (why is not null)
            throw new ApiException(ErrorCodes.NotFound, $"the node does not have all of {cid}, and {why}", cid.ToString(), "content that this node, or a connected one that lets it read, has");
    }

    /// <inheritdoc/>
    public async Task<NodeDocument> NodeAsync(CancellationToken cancel)
    {
        PeerId? leader = StandsByFor();
        return new NodeDocument
        {
            Drap = DrapVersion,
            Pid = Environment.ProcessId,
            Home = home.Path,
            Peer = Peer,
            Mode = Mode,
            StandsBy = leader is not null,
            StandsByFor = leader == default(PeerId) ? null : leader,
            OpenJobs = leader is null ? await ReadAsync(at => at.State.OpenJobs, cancel).ConfigureAwait(false) : 0,
            StartedAt = StartedAt,
        };
    }

    /// <inheritdoc/>
    public Task<MembershipDocument> SwarmAsync(CancellationToken cancel) => Desk.SwarmAsync(cancel);

    /// <inheritdoc/>
    public Task<TicketDocument> InviteAsync(InviteRequest request, CancellationToken cancel) => Desk.InviteAsync(request, cancel);

    /// <inheritdoc/>
    public Task<RemovalReply> RemoveAsync(RemovalRequest request, CancellationToken cancel) => Desk.RemoveAsync(request, cancel);

    /// <inheritdoc/>
    public Task LeaveAsync(CancellationToken cancel) => Desk.LeaveAsync(cancel);

    /// <inheritdoc/>
    public Task<DrainedDocument> DrainAsync(DrainRequest request, CancellationToken cancel) => Desk.DrainAsync(request, cancel);

    private void TakeJobs()
    {
        if (Swarm?.WhyNoJobs is { } why)
            throw new ApiException(ErrorCodes.Conflict, why, null, "drap submit on a node that is one, or drap up here with that role");
    }

    private ISwarmDesk Desk => Swarm
        ?? throw new ApiException(ErrorCodes.Conflict, "the node of this home belongs to no swarm", null, "drap stop, then drap up or drap join TICKET");

    /// <inheritdoc/>
    public async Task<SubmitReply> SubmitAsync(SubmitRequest request, CancellationToken cancel)
    {
        TakeJobs();
        JobSpec job = JobIntake.Check(request.Job);
        ImmutableSortedDictionary<string, string> values = JobIntake.Secrets(job, request.Secrets);
        JobSecrets secrets = values.IsEmpty ? JobSecrets.None : new JobSecrets(values, SecretKey.Open(SecretKeyFile).Seal(request.Id, values));
        ImmutableArray<byte> json = JobIntake.ToJson(job);
        string outFolder = JobIntake.OutFolder(request.OutFolder);
        // A job without inputs pins nothing, and is with the scheduler two turns sooner.
        bool pins = JobIntake.HasInputs(job) && !await ReadAsync(at => at.State.TryGet(request.Id, out _), cancel).ConfigureAwait(false);
        if (pins)
        {
            // What is named by its content may be elsewhere in the swarm.
            foreach (Cid input in Bring is null ? [] : JobIntake.Named(job).Distinct())
                await BringAsync(input, cancel).ConfigureAwait(false);
            await Task.Run(() => Pin(request.Id, job), cancel).ConfigureAwait(false);
        }
        SchedulerReply reply = await port.AskAsync(
            ticket => new SchedulerInput.Submit(ticket, request.Id, Principal.Local, job, json, outFolder, secrets), cancel).ConfigureAwait(false);
        if (reply is SchedulerReply.Refused && pins)
            blobs!.Unpin(request.Id);
        var submitted = reply.As<SchedulerReply.Submitted>();
        return new SubmitReply
        {
            Id = submitted.Job,
            Number = submitted.Number,
            Tasks = submitted.Tasks,
            Created = submitted.Created,
        };
    }

    /// <inheritdoc/>
    public async Task<PlanDocument> PlanAsync(SubmitRequest request, CancellationToken cancel)
    {
        JobSpec job = JobIntake.Check(request.Job);
        TakeJobs();
        var quotes = (await port.AskAsync(ticket => new SchedulerInput.Plan(ticket, job), cancel).ConfigureAwait(false)).As<SchedulerReply.Quotes>();
        PeerId[] workers = [.. quotes.Segments.SelectMany(s => s.Answers).Select(a => a.Worker).Distinct()];
        Dictionary<PeerId, string> names = await ReadAsync(at => workers.ToDictionary(w => w, at.Node.NameOf), cancel).ConfigureAwait(false);
        return Planner.Plan(job, quotes.Segments, w => names[w]);
    }

    /// <inheritdoc/>
    public async Task<JobListDocument> JobsAsync(bool openOnly, int limit, CancellationToken cancel)
    {
        var jobs = ImmutableArray.CreateBuilder<JobSummary>();
        int? next = int.MaxValue;
        while (next is { } from && jobs.Count <= limit)
        {
            (List<JobSummary> page, next) = await ReadAsync(at => Page(at, from, openOnly), cancel).ConfigureAwait(false);
            jobs.AddRange(page);
        }
        bool more = jobs.Count > limit;
        jobs.Count = Math.Min(jobs.Count, limit);
        return new JobListDocument { Jobs = jobs.DrainToImmutable(), More = more };
    }

    /// <inheritdoc/>
    public Task<JobId> ResolveAsync(string text, CancellationToken cancel) => ReadAsync(at => Resolve(at.State, text), cancel);

    /// <inheritdoc/>
    public Task<JobDocument> JobAsync(JobId job, CancellationToken cancel) => ReadAsync(at => JobView.Of(at, at.Job(job)), cancel);

    /// <inheritdoc/>
    public Task<TaskListDocument> TasksAsync(JobId job, int from, int limit, bool history, CancellationToken cancel) => ReadAsync(at =>
    {
        JobRun run = at.Job(job);
        int first = Math.Max(1, from);
        int past = (int)Math.Min(run.Tasks.Count + 1L, (long)first + limit);
        var tasks = ImmutableArray.CreateBuilder<TaskSummary>(Math.Max(0, past - first));
        for (int number = first; number < past; number++)
            tasks.Add(TaskView.Of(at, run, number, history));
        return new TaskListDocument { Job = job, Tasks = tasks.DrainToImmutable(), Next = past <= run.Tasks.Count ? past : null };
    }, cancel);

    /// <inheritdoc/>
    public async Task<ActionReply> ActAsync(JobId job, ActionRequest request, CancellationToken cancel)
    {
        int count = await ReadAsync(at => at.Job(job).Tasks.Count, cancel).ConfigureAwait(false);
        foreach (TaskRange range in request.Tasks)
            if (range.First < 1 || range.Last < range.First || range.Last > count)
                throw new ApiException(ErrorCodes.NotFound, $"the job has no tasks {range.First}-{range.Last}", TaskRanges.Format([range]), $"tasks 1 to {count}");
        JobDeed deed = request.Action switch
        {
            JobAction.Cancel => JobDeed.Cancel,
            JobAction.Hold => JobDeed.Hold,
            JobAction.Release => JobDeed.Release,
            JobAction.Requeue => JobDeed.Requeue,
            _ => JobDeed.Rerun,
        };
        ImmutableArray<TaskSpan> spans = [.. request.Tasks.Select(t => new TaskSpan(t.First, t.Last))];
        return await ActedAsync(job, ticket => new SchedulerInput.Act(ticket, job, deed, spans, request.FailedOnly), cancel).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task<ActionReply> ChangeAsync(JobId job, ChangeRequest request, CancellationToken cancel)
    {
        ChangeRules.Check(request);
        // The scheduler counts a deadline from the submit, a person from now.
        UtcTime submitted = await ReadAsync(at => at.Job(job).SubmittedAt, cancel).ConfigureAwait(false);
        var change = new JobChange
        {
            Segment = request.Segment ?? "",
            Priority = request.Priority,
            Bid = request.Bid,
            Limit = request.Limit,
            Budget = request.Budget,
            Timeout = request.TimeoutSeconds,
            Retries = request.Retries,
            MaxFails = request.MaxFails,
            Concurrency = request.MaxRunning,
            Deadline = request.DeadlineSeconds is { } left ? BootClock.UtcNow - submitted + left : null,
        };
        return await ActedAsync(job, ticket => new SchedulerInput.Change(ticket, job, change), cancel).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task<ExplainDocument> ExplainAsync(JobId job, int? task, CancellationToken cancel) => ReadAsync(at =>
    {
        JobRun run = at.Job(job);
        if (task is { } number && (number < 1 || number > run.Tasks.Count))
            throw new ApiException(ErrorCodes.NotFound, $"the job has no task {number}", $"{run.Number}.{number}", $"tasks 1 to {run.Tasks.Count}");
        return Explainer.Explain(at, run, task);
    }, cancel);

    /// <inheritdoc/>
    public IAsyncEnumerable<JobEvent> EventsAsync(JobId job, bool tasks, CancellationToken cancel) => events.EventsAsync(job, tasks, cancel);

    /// <inheritdoc/>
    public IAsyncEnumerable<LogChunk> LogsAsync(JobId job, LogQuery query, CancellationToken cancel) => logFeed.LogsAsync(job, query, cancel);

    /// <inheritdoc/>
    public async Task FeedAsync(JobId job, Stream input, CancellationToken cancel)
    {
        try
        {
            await stdin.FeedAsync(job, input, cancel).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // Whoever gave the input has gone before its end: the task would wait for the rest for ever. A job that is over refuses, and that is well.
            await port.AskAsync(ticket => new SchedulerInput.Act(ticket, job, JobDeed.Cancel, [], FailedOnly: false), default).ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc/>
    public async Task<ResultsDocument> ResultsAsync(JobId job, CancellationToken cancel)
    {
        var (spec, tasks) = await ReadAsync(at => ResultsView.Take(at.Job(job)), cancel).ConfigureAwait(false);
        return new ResultsDocument { Job = job, Items = ResultsView.Make(spec, tasks, IsFolder) };
    }

    /// <inheritdoc/>
    public async Task<MarketDocument> MarketAsync(bool explain, CancellationToken cancel)
    {
        var survey = (await port.AskAsync(ticket => new SchedulerInput.Survey(ticket), cancel).ConfigureAwait(false)).As<SchedulerReply.Surveyed>();
        (int waiting, int running) = await ReadAsync(Demand, cancel).ConfigureAwait(false);
        return new MarketDocument { Nodes = [.. survey.Nodes.Select(n => MarketView.Of(n, explain, NameOf)).Concat(survey.Silent.Select(MarketView.Of)).OrderBy(n => n.Name, StringComparer.Ordinal).ThenBy(n => n.Peer)], Waiting = waiting, Running = running };

        string NameOf(PeerId peer) => peer == Peer ? "this node" : survey.Nodes.FirstOrDefault(n => n.Peer == peer)?.State.Name is { Length: > 0 } name ? name : peer.Short;
    }

    /// <summary>Adds up the signed receipts of the home. Default none: its nodes sign nothing.</summary>
    public Func<(ImmutableArray<LedgerTotal> Earned, ImmutableArray<LedgerTotal> Billed)> Receipts { get; set; } = () => ([], []);

    /// <inheritdoc/>
    public async Task<LedgerDocument> LedgerAsync(JobId? job, int limit, CancellationToken cancel)
    {
        (LedgerAccount account, JobId[] jobs) = await ReadAsync(at =>
        {
            JobRun[] of = job is { } id ? [at.Job(id)] : [.. at.State.Jobs];
            return (Accounts.Account(of, Principal.Local), of.OrderByDescending(j => j.ChangedAt.Milliseconds).Select(j => j.Id).ToArray());
        }, cancel).ConfigureAwait(false);
        var entries = new List<LedgerEntry>();
        foreach (JobId id in jobs)
        {
            UtcTime since = entries.Count > limit ? entries[limit].At : default;
            List<LedgerEntry>? more = await ReadAsync(
                at => at.State.TryGet(id, out JobRun? run) && run.ChangedAt.CompareTo(since) >= 0 ? Accounts.Entries(at, run, limit + 1, since) : null, cancel).ConfigureAwait(false);
            if (more is null)
                break;
            entries.AddRange(more);
            entries.Sort((a, b) => (b.At, b.Job, b.Task, b.Attempt).CompareTo((a.At, a.Job, a.Task, a.Attempt)));
            if (entries.Count > limit + 1)
                entries.RemoveRange(limit + 1, entries.Count - limit - 1);
        }
        (ImmutableArray<LedgerTotal> earned, ImmutableArray<LedgerTotal> billed) = Receipts();
        return new LedgerDocument { Accounts = [account], Earned = earned, Billed = billed, Entries = [.. entries.Take(limit)], More = entries.Count > limit };
    }

    /// <inheritdoc/>
    public async Task<UsageDocument> UsageAsync(JobId? job, CancellationToken cancel)
    {
        JobId[] jobs = job is { } one ? [one] : await ReadAsync(at => at.State.Jobs.Select(j => j.Id).ToArray(), cancel).ConfigureAwait(false);
        var rows = ImmutableArray.CreateBuilder<UsageRow>();
        foreach (JobId id in jobs)
            rows.AddRange(await ReadAsync(at => at.State.TryGet(id, out JobRun? run) ? Accounts.Usage(run) : job is null ? [] : throw Refuse.NoJob(id), cancel).ConfigureAwait(false));
        return new UsageDocument { Rows = rows.DrainToImmutable() };
    }

    /// <inheritdoc/>
    public Task<BlobDocument> AddBlobAsync(Stream content, CancellationToken cancel) => Blobs.AddAsync(content, cancel);

    /// <inheritdoc/>
    public Task<BlobDocument> AddPathAsync(PathRequest request, CancellationToken cancel) => Blobs.AddAsync(request, cancel);

    /// <inheritdoc/>
    public Task<BlobDocument> BlobAsync(Cid cid, CancellationToken cancel) => Blobs.DescribeAsync(cid, cancel);

    /// <inheritdoc/>
    public async Task<Stream> OpenBlobAsync(Cid cid, CancellationToken cancel)
    {
        // What a disk lost may lie on another node.
        if (Bring is not null)
            await BringAsync(cid, cancel).ConfigureAwait(false);
        return await Blobs.OpenAsync(cid, cancel).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task ExportBlobAsync(Cid cid, PathRequest request, CancellationToken cancel)
    {
        if (Bring is not null)
            await BringAsync(cid, cancel).ConfigureAwait(false);
        await Blobs.ExportAsync(cid, request, cancel).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task<BlobListDocument> BlobsAsync(bool all, CancellationToken cancel) => Blobs.ListAsync(all, cancel);

    /// <inheritdoc/>
    public async Task<BlobDocument> FetchBlobAsync(Cid cid, CancellationToken cancel)
    {
        await BringAsync(cid, cancel).ConfigureAwait(false);
        return await Blobs.DescribeAsync(cid, cancel).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task<BlobDocument> PinBlobAsync(Cid cid, PinRequest request, CancellationToken cancel) => Blobs.PinAsync(cid, request, cancel);

    /// <inheritdoc/>
    public Task<CollectReply> CollectBlobsAsync(CollectRequest request, CancellationToken cancel) => Blobs.CollectAsync(request, cancel);

    /// <inheritdoc/>
    public Task ShutdownAsync(CancellationToken cancel) => shutdown(cancel);

    void ISchedulerWatcher.Changed(JobId job, ImmutableArray<int> tasks, bool hasEnded) => watch.Changed(job, tasks, hasEnded);

    void ISchedulerWatcher.Stopped() => watch.WakeAll();

    void ISchedulerWatcher.StdinRoom(AttemptId attempt, long until) => stdin.Room(attempt, until);

    void ISchedulerWatcher.Forget(JobId job)
    {
        stdin.Forget(job);
        logs!.Delete(job);
        blobs!.Unpin(job);
        watch.Changed(job, [], hasEnded: true);
    }

    /// <summary>Hears no more of the scheduler.</summary>
    public void Dispose() => watching?.Dispose();

    private static string DrapVersion => field ??=
        typeof(NodeService).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "";

    private Task<T> ReadAsync<T>(Func<Moment, T> read, CancellationToken cancel) =>
        port.ReadAsync((node, now) => read(new Moment(node, now, BootClock.UtcNow)), cancel);

    private bool IsFolder(Cid cid) => blobDesk?.IsFolder(cid) ?? cid.Codec == CidCodec.DagPb;

    private async Task<ActionReply> ActedAsync(JobId job, Func<Ticket, SchedulerInput> request, CancellationToken cancel)
    {
        var acted = (await port.AskAsync(request, cancel).ConfigureAwait(false)).As<SchedulerReply.Acted>();
        JobDocument after = await JobAsync(job, cancel).ConfigureAwait(false);
        return new ActionReply { Job = after.Job, Changed = acted.Changed };
    }

    /// <summary>Pinned before the job is taken, and so that the pins are as durable as the job will be.</summary>
    private void Pin(JobId id, JobSpec job)
    {
        Cid? last = null;
        foreach (Cid cid in JobIntake.Inputs(job, blobs!))
        {
            blobs!.Pin(id, cid);
            last = cid;
        }
        // One sync covers all.
        if (last is { } pinned)
            blobs!.Pin(id, pinned, durable: true);
        blobs!.Publish(JobIntake.Public(job));
    }

    private static (List<JobSummary> Jobs, int? Next) Page(Moment at, int from, bool openOnly)
    {
        var page = new List<JobSummary>();
        // Numbers of jobs that were forgotten are gaps, all below those that are kept or among them.
        int oldest = at.State.Jobs.FirstOrDefault()?.Number ?? int.MaxValue;
        int number = Math.Min(from, at.State.NextNumber - 1), looked = 0;
        for (; number >= oldest && looked < JobsPerRead; number--)
        {
            if (!at.State.TryGet(number, out JobRun? job))
                continue;
            looked++;
            if (!openOnly || job.End == JobEnd.None)
                page.Add(JobView.Of(at, job).Job);
        }
        return (page, number >= oldest ? number : null);
    }

    private static JobId Resolve(SchedulerState state, string text)
    {
        if (text == "last")
            return state.TryGet(state.NextNumber - 1, out JobRun? last) ? last.Id
                : state.Jobs.LastOrDefault()?.Id ?? throw new ApiException(ErrorCodes.NotFound, "there is no job yet", text);
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && state.TryGet(number, out JobRun? numbered))
            return numbered.Id;
        string prefix = text.Replace("-", "", StringComparison.Ordinal).ToLowerInvariant();
        JobId[] found = prefix.Length == 0 ? []
            : [.. state.Jobs.Select(j => j.Id).Where(id => id.ToString().StartsWith(prefix, StringComparison.Ordinal)).Take(2)];
        return found.Length switch
        {
            1 => found[0],
            0 => throw new ApiException(ErrorCodes.NotFound, $"there is no job '{text}'", text, "last, a job's number, its id or the beginning of its id"),
            _ => throw new ApiException(ErrorCodes.Ambiguous, $"more than one job begins with '{text}'", text, "more digits of the id"),
        };
    }

    private static (int Waiting, int Running) Demand(Moment at)
    {
        int waiting = 0, running = 0;
        foreach (JobRun job in at.State.Jobs)
        {
            if (job.End != JobEnd.None)
                continue;
            waiting += job.IsHeld ? 0 : job.Tasks.CountOf(CoreState.Ready);
            running += job.Tasks.CountOf(CoreState.Placed);
        }
        return (waiting, running);
    }
}

using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text;
using System.Threading.Channels;
using Drap.Api;
using Drap.Core;
using Drap.Core.Jobs;
using TaskState = Drap.Api.TaskState;

namespace Drap.Tests;

/// <summary>
/// A node in memory whose jobs do what the test says: each ends as <see cref="Ending"/> has it at submit, or waits for <see cref="End"/> when
/// that is null.
/// </summary>
internal sealed class FakeNode : INodeService
{
    private readonly Lock gate = new();
    private readonly List<Job> jobs = [];

    public Func<SubmitRequest, Outcome?> Ending { get; set; } = _ => new Outcome();

    public ConcurrentQueue<SubmitRequest> Submitted { get; } = [];

    public ConcurrentQueue<PathRequest> Paths { get; } = [];

    public ConcurrentQueue<(JobId Job, ActionRequest Request)> Actions { get; } = [];

    public ConcurrentQueue<ChangeRequest> Changes { get; } = [];

    public ConcurrentDictionary<Cid, byte[]> Blobs { get; } = [];

    public MemoryStream Fed { get; } = new();

    public TaskCompletionSource ShutDown { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What is said of a task that somebody wants explained.</summary>
    public Func<TaskSummary, TaskExplanation> Explanation { get; set; } = task => new TaskExplanation
    {
        Task = task,
        Reasons = [new Reason(ReasonCodes.FitsNowhere, "no node has 64GiB of memory")],
        Nodes = [new NodeVerdict { Node = "bee", Refusals = [new Refusal(ReasonCodes.Resource, "memory", "64GiB", "8GiB")] }],
    };

    /// <summary>Thrown by the next call of any member that asks for it.</summary>
    public Exception? Fault { get; set; }

    /// <summary>Log chunks that each job has.</summary>
    public List<LogChunk> Chunks { get; } = [];

    /// <summary>Events asked for so far, by which a test knows that somebody waits.</summary>
    public SemaphoreSlim Watched { get; } = new(0);

    public Task<NodeDocument> NodeAsync(CancellationToken cancel)
    {
        Break();
        return Task.FromResult(new NodeDocument { Drap = "0.1.0", Pid = Environment.ProcessId, Home = "/home" });
    }

    public Task<SubmitReply> SubmitAsync(SubmitRequest request, CancellationToken cancel)
    {
        Break();
        lock (gate)
        {
            if (jobs.Find(j => j.Id == request.Id) is { } old)
                return Task.FromResult(new SubmitReply { Id = old.Id, Number = old.Number, Tasks = old.Tasks, Created = false });
            Submitted.Enqueue(request);
            var job = new Job(request.Id, jobs.Count + 1, request.Job.Name, request.Job.Segments.Sum(JobForm.TaskCount)) { Segment = request.Job.Segments[0].Name };
            jobs.Add(job);
            job.Outcome = Ending(request);
            return Task.FromResult(new SubmitReply { Id = job.Id, Number = job.Number, Tasks = job.Tasks });
        }
    }

    public void End(JobId id, Outcome outcome)
    {
        lock (gate)
        {
            Job job = jobs.Find(j => j.Id == id)!;
            job.Outcome = outcome;
            foreach (Channel<JobEvent> watcher in job.Watchers)
                watcher.Writer.TryWrite(Event(job, EventKind.Job));
        }
    }

    public Task<PlanDocument> PlanAsync(SubmitRequest request, CancellationToken cancel) => Task.FromResult(new PlanDocument
    {
        Name = request.Job.Name,
        Tasks = 1,
        Cost = new Credits(1_500_000),
        Segments =
        [
            new SegmentPlan
            {
                Name = "run", Tasks = 1, Cost = new Credits(1_500_000),
                Nodes =
                [
                    new NodeVerdict { Node = "ant", Fits = true, Ask = new Price(40_000) },
                    new NodeVerdict { Node = "bee", Refusals = [new Refusal(ReasonCodes.Resource, "memory", "64GiB", "8GiB")] },
                ],
            },
        ],
    });

    public Task<JobListDocument> JobsAsync(bool openOnly, int limit, CancellationToken cancel)
    {
        lock (gate)
            return Task.FromResult(new JobListDocument
            {
                Jobs = [.. Enumerable.Reverse(jobs).Where(j => !openOnly || j.Outcome is null).Take(limit).Select(Summary)], More = jobs.Count > limit,
            });
    }

    public Task<JobId> ResolveAsync(string text, CancellationToken cancel)
    {
        lock (gate)
        {
            List<Job> found = text == "last" ? [.. jobs.TakeLast(1)]
                : jobs.FindAll(j => $"{j.Number}" == text) is { Count: > 0 } byNumber ? byNumber
                : jobs.FindAll(j => j.Id.ToString().StartsWith(text, StringComparison.Ordinal));
            return found switch
            {
                [var one] => Task.FromResult(one.Id),
                [] => throw new ApiException(ErrorCodes.NotFound, $"no job is meant by '{text}'"),
                _ => throw new ApiException(ErrorCodes.Ambiguous, $"'{text}' begins {found.Count} jobs"),
            };
        }
    }

    public Task<JobDocument> JobAsync(JobId job, CancellationToken cancel)
    {
        Job found = Find(job);
        return Task.FromResult(new JobDocument { Job = Summary(found), Segments = [Segment(found)], OutFolder = Submitted.First(s => s.Id == job).OutFolder });
    }

    public Task<TaskListDocument> TasksAsync(JobId job, int from, int limit, bool history, CancellationToken cancel)
    {
        Job found = Find(job);
        int count = Math.Min(limit, found.Tasks - from + 1);
        return Task.FromResult(new TaskListDocument
        {
            Job = job, Tasks = [.. Enumerable.Range(from, Math.Max(0, count)).Select(n => Task1(found, n))], Next = from + count <= found.Tasks ? from + count : null,
        });
    }

    public Task<ActionReply> ActAsync(JobId job, ActionRequest request, CancellationToken cancel)
    {
        Actions.Enqueue((job, request));
        if (request.Action == JobAction.Cancel)
            End(job, new Outcome(TaskState.Cancelled, new Reason(ReasonCodes.Cancelled, "ended by its user")));
        return Task.FromResult(new ActionReply { Job = Summary(Find(job)), Changed = 1 });
    }

    public Task<ActionReply> ChangeAsync(JobId job, ChangeRequest request, CancellationToken cancel)
    {
        Changes.Enqueue(request);
        return Task.FromResult(new ActionReply { Job = Summary(Find(job)), Changed = 1 });
    }

    public Task<ExplainDocument> ExplainAsync(JobId job, int? task, CancellationToken cancel) => Task.FromResult(new ExplainDocument
    {
        Job = Summary(Find(job)),
        Tasks = [Explanation(Task1(Find(job), task ?? 1))],
    });

    public async IAsyncEnumerable<JobEvent> EventsAsync(JobId job, bool tasks, [EnumeratorCancellation] CancellationToken cancel)
    {
        Break();
        Job found = Find(job);
        var watcher = Channel.CreateBounded<JobEvent>(JobEvent.BacklogMax);
        JobEvent first;
        lock (gate)
        {
            found.Watchers.Add(watcher);
            first = Event(found, EventKind.Snapshot);
        }
        Watched.Release();
        yield return first;
        if (first.Job!.EndedAt is not null)
            yield break;
        await foreach (JobEvent e in watcher.Reader.ReadAllAsync(cancel))
        {
            yield return e;
            if (e.Job!.EndedAt is not null)
                yield break;
        }
    }

    public async IAsyncEnumerable<LogChunk> LogsAsync(JobId job, LogQuery query, [EnumeratorCancellation] CancellationToken cancel)
    {
        foreach (LogChunk chunk in Chunks.Where(c => TaskRanges.Contain(query.Tasks, c.Task) && (query.Stream is null || query.Stream == c.Stream)))
            yield return chunk;
        await Task.Yield();
        Break();
    }

    public Task FeedAsync(JobId job, Stream input, CancellationToken cancel) => input.CopyToAsync(Fed, cancel);

    public Task<ResultsDocument> ResultsAsync(JobId job, CancellationToken cancel) => Task.FromResult(new ResultsDocument
    {
        Job = job, Items = [.. Blobs.Select(b => new ResultItem { Path = "out/counts.tsv", Task = 1, Cid = b.Key, Bytes = b.Value.Length })],
    });

    public Task<MarketDocument> MarketAsync(bool explain, CancellationToken cancel) => Task.FromResult(new MarketDocument
    {
        Nodes =
        [
            new MarketNode
            {
                Name = "ant", CorePrice = new Price(40_000), Total = new NodeResources { MilliCpus = 2000 }, Free = new NodeResources { MilliCpus = 500 },
                Factors = explain ? [new PriceFactor("utilisation", "×1.25", "1.5 of 2 cores in use", new Price(40_000))] : [],
            },
        ],
    });

    public Task<LedgerDocument> LedgerAsync(JobId? job, int limit, CancellationToken cancel) =>
        Task.FromResult(new LedgerDocument { Accounts = [new LedgerAccount("local", "local", null, new Credits(3), Credits.Zero)] });

    public Task<UsageDocument> UsageAsync(JobId? job, CancellationToken cancel) => Task.FromResult(new UsageDocument());

    public async Task<BlobDocument> AddBlobAsync(Stream content, CancellationToken cancel)
    {
        var bytes = new MemoryStream();
        await content.CopyToAsync(bytes, cancel);
        return Add(bytes.ToArray());
    }

    public async Task<BlobDocument> AddPathAsync(PathRequest request, CancellationToken cancel)
    {
        Paths.Enqueue(request);
        return Add(Directory.Exists(request.Path) ? [] : await File.ReadAllBytesAsync(request.Path, cancel));
    }

    public Task<BlobDocument> BlobAsync(Cid cid, CancellationToken cancel) => Task.FromResult(new BlobDocument { Cid = cid, Bytes = Bytes(cid).Length });

    public Task<Stream> OpenBlobAsync(Cid cid, CancellationToken cancel) => Task.FromResult<Stream>(new MemoryStream(Bytes(cid)));

    public Task ExportBlobAsync(Cid cid, PathRequest request, CancellationToken cancel)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(request.Path)!);
        return File.WriteAllBytesAsync(request.Path, Bytes(cid), cancel);
    }

    public Task<MembershipDocument> SwarmAsync(CancellationToken cancel) =>
        Task.FromResult(new MembershipDocument { Name = "lab", Nodes = [new MemberDocument("ant", default) { Roles = ["worker"] }] });

    public Task ShutdownAsync(CancellationToken cancel)
    {
        ShutDown.TrySetResult();
        return Task.CompletedTask;
    }

    public static LogChunk Chunk(int task, string text, LogStream stream = LogStream.Stdout) => new() { Task = task, Stream = stream, Data = Encoding.UTF8.GetBytes(text) };

    private BlobDocument Add(byte[] bytes)
    {
        Cid cid = Cid.Of(CidCodec.Raw, bytes);
        Blobs[cid] = bytes;
        return new BlobDocument { Cid = cid, Bytes = bytes.Length };
    }

    private byte[] Bytes(Cid cid) => Blobs.TryGetValue(cid, out byte[]? bytes) ? bytes : throw new ApiException(ErrorCodes.NotFound, $"there is no {cid} here");

    private void Break()
    {
        if (Fault is { } fault)
            throw fault;
    }

    private Job Find(JobId id)
    {
        lock (gate)
            return jobs.Find(j => j.Id == id) ?? throw new ApiException(ErrorCodes.NotFound, $"there is no job {id}");
    }

    private static JobEvent Event(Job job, EventKind kind) => new() { Kind = kind, Job = Summary(job), Segments = [Segment(job)] };

    private static JobSummary Summary(Job job) => new()
    {
        Id = job.Id,
        Number = job.Number,
        Name = job.Name,
        State = job.Outcome?.State switch
        {
            null => JobState.Running,
            TaskState.Finished => JobState.Finished,
            TaskState.Cancelled => JobState.Cancelled,
            TaskState.Expired => JobState.Expired,
            _ => JobState.Failed,
        },
        Reason = job.Outcome?.Reason,
        Tasks = Counts(job),
        Cost = new Credits(2_500),
        EndedAt = job.Outcome is null ? null : new UtcTime(1_000),
    };

    private static SegmentSummary Segment(Job job) => new() { Name = job.Segment, FirstTask = 1, Tasks = Counts(job) };

    private static TaskCounts Counts(Job job) => new()
    {
        Total = job.Tasks,
        Running = job.Outcome is null ? job.Tasks : 0,
        Finished = job.Outcome?.State == TaskState.Finished ? job.Tasks : 0,
        Failed = job.Outcome?.State == TaskState.Failed ? job.Tasks : 0,
    };

    private static TaskSummary Task1(Job job, int number) => number > job.Tasks
        ? throw new ApiException(ErrorCodes.NotFound, $"there is no task {number}")
        : new TaskSummary
        {
            Number = number, Segment = job.Segment, Index = number - 1, State = job.Outcome?.State ?? TaskState.Running, Reason = job.Outcome?.Reason, Node = "ant",
            Attempts = 1, Price = new Price(40_000), ExitCode = job.Outcome?.ExitCode,
        };

    /// <summary>How a job and all its tasks end.</summary>
    internal sealed record Outcome(TaskState State = TaskState.Finished, Reason? Reason = null, int? ExitCode = 0);

    private sealed class Job(JobId id, int number, string name, int tasks)
    {
        public JobId Id => id;

        public int Number => number;

        public string Name => name;

        public int Tasks => tasks;

        public required string Segment { get; init; }

        public Outcome? Outcome { get; set; }

        public List<Channel<JobEvent>> Watchers { get; } = [];
    }
}

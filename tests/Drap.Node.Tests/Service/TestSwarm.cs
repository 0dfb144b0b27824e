using System.Collections.Immutable;
using Drap.Api;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Journal;
using Drap.Core.Market;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Node.Blobs;
using Drap.Node.Home;
using Drap.Node.Service;
using Drap.Node.Tests.Storage;
using LogChunk = Drap.Core.Messages.LogChunk;
using Refusal = Drap.Core.Messages.Refusal;

namespace Drap.Node.Tests.Service;

/// <summary>A service over a real scheduler that steps when it is asked to, with workers whose words are written by hand.</summary>
internal sealed class TestSwarm : ISchedulerPort, IDisposable
{
    public static readonly PeerId Scheduler = Peer(1);
    public static readonly PeerId Worker = Peer(2);

    private readonly Lock gate = new();
    private readonly TempFolder folder = new();
    private readonly SchedulerNode node;
    private readonly JournalBuffer buffer;
    private readonly JournalLog log;
    private readonly List<SchedulerEffect> effects = [];
    private readonly Dictionary<long, TaskCompletionSource<SchedulerReply>> asked = [];
    private readonly List<ISchedulerWatcher> watchers = [];
    private Instant now = new(1_000_000_000);
    private long tickets;
    private TaskCompletionSource performed = new();

    public TestSwarm(IJournalStorage? storage = null)
    {
        Home = HomeFolder.At(folder.Path);
        log = JournalLog.Open(storage ?? new FrozenStorage("/nowhere/at/all"), new JournalOptions(7), new NoReplay());
        buffer = log.CreateBuffer();
        node = new SchedulerNode(new SchedulerOptions { Scheduler = Scheduler }, new SchedulerState(), buffer, new Prng(5));
        node.Start(new UtcTime(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()), now, effects);
        Blobs = BlobStore.Open(new BlobStoreOptions { Folder = Path.Combine(folder.Path, "blobs") });
        Logs = new LogStore(Path.Combine(folder.Path, "logs"));
        Perform();
        Service = new NodeService(this, Blobs, Logs, Home, _ => Task.CompletedTask);
        Step(new SchedulerInput.Named(Worker, "anvil", "127.0.0.1"));
        Step(new SchedulerInput.Audience(Topics.ForTask(new ResourceRequest(), "local"), [Worker]));
    }

    public HomeFolder Home { get; }

    public BlobStore Blobs { get; }

    public LogStore Logs { get; }

    public NodeService Service { get; }

    /// <summary>What the scheduler says to the worker of an ad: an offer or a refusal. Default: room for all, at once.</summary>
    public Func<Ad, Message> Answer { get; set; } = ad => new Offer
    {
        Id = new OfferId(Guid.NewGuid()),
        Ad = ad.Id,
        Valid = TimeSpan.FromSeconds(1),
        Entries = [.. ad.Groups.Select(g => new OfferEntry { Group = g.Id, Count = g.Count, Ask = new Price(50_000), Firm = true })],
    };

    /// <summary>Attempts that were confirmed, in order.</summary>
    public List<AttemptId> Confirmed { get; } = [];

    public List<StdinChunk> Stdin { get; } = [];

    /// <summary>Waits for what another thread does, looking after each of the scheduler's effects.</summary>
    public async Task UntilAsync(Func<bool> holds)
    {
        while (true)
        {
            Task next;
            lock (gate)
            {
                if (holds())
                    return;
                next = performed.Task;
            }
            await next.WaitAsync(TimeSpan.FromSeconds(30));
        }
    }

    public static PeerId Peer(byte number)
    {
        var key = new byte[32];
        key[0] = number;
        return PeerId.FromEd25519(key);
    }

    public static SubmitRequest Request(int count = 1, Func<SegmentSpec, SegmentSpec>? change = null, JobId? id = null)
    {
        var segment = new SegmentSpec { Name = "main", Count = count == 1 ? null : count, Command = new CommandSpec(["true"], null), Retries = 0 };
        return new SubmitRequest { Id = id ?? new JobId(Guid.NewGuid()), Job = new JobSpec { Name = "test", Segments = [change?.Invoke(segment) ?? segment] } };
    }

    public void Step(SchedulerInput input)
    {
        lock (gate)
        {
            node.Step(input, now, effects);
            Perform();
        }
    }

    /// <summary>Lets time pass, so that windows close.</summary>
    public void Pass(TimeSpan time)
    {
        lock (gate)
        {
            now += time;
            node.Step(SchedulerInput.Tick.Instance, now, effects);
            Perform();
        }
    }

    public void Hear(Message message) => Step(new SchedulerInput.Received(Worker, message));

    public void End(AttemptId attempt, Outcome outcome = Outcome.Succeeded, int exitCode = 0, string detail = "", params ImmutableArray<TaskOutput> outputs)
    {
        now += TimeSpan.FromSeconds(1); // shorter than a silence that makes a worker suspect
        Hear(new Result(Scheduler, [new AttemptResult
        {
            Attempt = attempt,
            Outcome = outcome,
            ExitCode = exitCode,
            Detail = detail,
            Outputs = outputs,
            Wall = TimeSpan.FromSeconds(8),
            Cpu = TimeSpan.FromSeconds(4),
            PeakMemoryBytes = 123 << 20,
        }]));
    }

    public Task<SchedulerReply> AskAsync(Func<Ticket, SchedulerInput> request, CancellationToken cancel)
    {
        var done = new TaskCompletionSource<SchedulerReply>();
        lock (gate)
        {
            asked[++tickets] = done;
            Step(request(new Ticket(tickets)));
            for (int i = 0; i < 20 && !done.Task.IsCompleted; i++)
                Pass(TimeSpan.FromMilliseconds(100));
        }
        return done.Task;
    }

    public Task<T> ReadAsync<T>(Func<SchedulerNode, Instant, T> read, CancellationToken cancel)
    {
        lock (gate)
        {
            try
            {
                return Task.FromResult(read(node, now));
            }
            catch (ApiException e)
            {
                return Task.FromException<T>(e);
            }
        }
    }

    public void Post(SchedulerInput input) => Step(input);

    public IDisposable Watch(ISchedulerWatcher watcher)
    {
        watchers.Add(watcher);
        return new MemoryStream();
    }

    public void Dispose()
    {
        Service.Dispose();
        Logs.Dispose();
        Blobs.Dispose();
        log.Dispose();
        folder.Dispose();
    }

    /// <summary>Flushes, makes durable and performs, until nothing is left to do now.</summary>
    private void Perform()
    {
        do
        {
            node.Flush(now, effects);
            if (buffer.TakeBatch() is { } batch)
                node.Step(new SchedulerInput.Persisted(log.Write(batch)), now, effects);
            SchedulerEffect[] batchOfEffects = [.. effects];
            effects.Clear();
            foreach (SchedulerEffect effect in batchOfEffects)
                Perform(effect);
        }
        while (effects.Count > 0);
        node.CheckInvariants();
        performed.TrySetResult();
        performed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private void Perform(SchedulerEffect effect)
    {
        switch (effect)
        {
            case SchedulerEffect.Publish { Ad: { QuoteOnly: true } ad }:
                node.Step(new SchedulerInput.Received(Worker, Answer(ad) switch
                {
                    Offer offer => new Quote(ad.Id, offer.Entries, []),
                    Message other => new Quote(ad.Id, [], ((Refusal)other).Entries),
                }), now, effects);
                break;
            case SchedulerEffect.Publish publish:
                node.Step(new SchedulerInput.Received(Worker, Answer(publish.Ad)), now, effects);
                break;
            case SchedulerEffect.Send { Message: Confirm confirm }:
                foreach (Assignment task in confirm.Tasks)
                    Confirmed.Add(new AttemptId(new TaskId(confirm.Works[task.Work].Job, task.Number), new Fence(confirm.Epoch, task.Attempt)));
                node.Step(new SchedulerInput.Received(Worker, new Ack(confirm.Offer)), now, effects);
                break;
            case SchedulerEffect.Send { Message: StdinChunk chunk }:
                Stdin.Add(chunk);
                break;
            case SchedulerEffect.Done done:
                if (asked.Remove(done.Ticket.Value, out TaskCompletionSource<SchedulerReply>? waiting))
                    waiting.SetResult(done.Reply);
                break;
            case SchedulerEffect.Fetch fetch:
                node.Step(new SchedulerInput.Fetched(fetch.Attempt, FetchEnd.Safe, ""), now, effects);
                node.Flush(now, effects);
                break;
            case SchedulerEffect.StoreLog store:
                Logs.Append(store.Chunk);
                break;
            case SchedulerEffect.Changed changed:
                watchers.ForEach(w => w.Changed(changed.Job, changed.Tasks, !node.State.TryGet(changed.Job, out JobRun? job) || job.End != JobEnd.None));
                break;
            case SchedulerEffect.StdinRoom room:
                watchers.ForEach(w => w.StdinRoom(room.Attempt, room.Until));
                break;
            case SchedulerEffect.Forget forget:
                watchers.ForEach(w => w.Forget(forget.Job));
                break;
        }
    }

    public static LogChunk Chunk(AttemptId attempt, long offset, string text, int stream = 1) =>
        new(attempt, stream, offset, [.. System.Text.Encoding.UTF8.GetBytes(text)]);

    private sealed class NoReplay : IJournalReplay
    {
        public void Snapshot(long sequence, in JournalRecord record)
        {
        }

        public void Record(long sequence, in JournalRecord record)
        {
        }
    }
}

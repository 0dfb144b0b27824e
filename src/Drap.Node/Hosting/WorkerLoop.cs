using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Drap.Core.Execution;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Node.Blobs;
using Drap.Node.Drivers;
using Drap.Node.Evidences;
using Drap.Node.Overlay;
using Drap.Node.Time;
using Microsoft.Extensions.Logging;

namespace Drap.Node.Hosting;

/// <summary>Runs a worker: its machine on one thread, its tasks through drivers, its messages over an overlay.</summary>
internal sealed class WorkerLoop : IOverlayEvents, IDriverEvents, IDisposable
{
    /// <summary>Messages that may wait; more are dropped, and their senders send again what must arrive.</summary>
    private const int InboxMax = 65_536;

    /// <summary>Bytes of standard input that may be on their way to one attempt.</summary>
    private const int StdinWindow = 1 << 20;

    private readonly string name;
    private readonly WorkerFolder folder;
    private readonly BlobStore blobs;
    private readonly BootClock clock;
    private readonly ILogger logger;
    private readonly WorkerNode node;
    private readonly MachineLoop<Item> loop;
    private readonly ProcessDriver process;
    private readonly DotnetDriver dotnet;
    private readonly ImmutableArray<IDriver> drivers;
    private readonly ConcurrentDictionary<AttemptId, AttemptRun> runs = new();
    private readonly ConcurrentDictionary<AttemptId, StdinRelay> stdins = new();
    private readonly ConcurrentDictionary<PeerId, PeerId> standIns = new();
    private readonly List<WorkerEffect> effects = [];
    private readonly List<LaunchPlan> launches = [];
    private readonly OutboxKeeper outbox;
    private IDriver? launchesFor;
    private readonly TaskCompletionSource left = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<LeaveCause> wentByItself = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly OutputPins? pins;
    private readonly bool ownsBlobs;
    private InputFetcher? inputs;
    private CopyKeeper? copies;
    private BlobExchange? exchange;
    private IOverlay? overlay;

    /// <summary>A worker that does not run yet.</summary>
    /// <param name="folder">Its state.</param>
    /// <param name="self">Its name on the overlay.</param>
    /// <param name="options">What its owner says.</param>
    /// <param name="handlers">What its <c>dotnet</c> tasks may call.</param>
    /// <param name="blobs">Where inputs are taken from and outputs put.</param>
    /// <param name="ownsBlobs">Whether that store is its own, so that inputs are fetched and outputs let go; else the scheduler's, too.</param>
    /// <param name="guard">The program that ends what this process cannot end any more, and its first words; empty for none.</param>
    /// <param name="clock">For deadlines.</param>
    /// <param name="logger">For its lines.</param>
    /// <param name="failed">Its machine broke.</param>
    public WorkerLoop(
        WorkerFolder folder, PeerId self, WorkerOptions options, HandlerRegistry handlers, BlobStore blobs, bool ownsBlobs, ImmutableArray<string> guard, BootClock clock,
        ILogger logger, Action<Exception> failed)
    {
        name = options.Name;
        this.folder = folder;
        this.blobs = blobs;
        this.ownsBlobs = ownsBlobs;
        pins = ownsBlobs ? new OutputPins(blobs) : null;
        this.clock = clock;
        this.logger = logger;
        process = new ProcessDriver(new ProcessDriverOptions
        {
            Home = folder.Path,
            UseSandbox = options.Sandbox.Use != SandboxUse.Never,
            SandboxShows = options.Sandbox.Shows,
            Guard = guard,
            Warn = what => HostLog.Guard(logger, options.Name, what),
        }, this);
        dotnet = new DotnetDriver(new DotnetDriverOptions { Home = folder.Path }, handlers, this);
        drivers = [process, dotnet];
        if (process.Leftovers.Processes > 0)
            HostLog.Leftovers(logger, name, process.Leftovers.Processes);
        Options = Complete(options, process, handlers);
        node = new WorkerNode(self, Options, new Prng(BitConverter.ToUInt64(self.Bytes[^8..]) ^ (ulong)BootClock.Now.Nanoseconds));
        loop = new MachineLoop<Item>($"worker {name}", InboxMax, clock, Run, failed);
        outbox = new OutboxKeeper(name, folder, clock, logger, input => loop.Post(new Item(input)), own => loop.Post(new Item(own)));
        clock.UtcJumped += OnUtcJumped;
    }

    /// <summary>What the worker was told, with what its drivers add.</summary>
    public WorkerOptions Options { get; private set; }

    /// <summary>
    /// Whether a node may speak for a principal, where certificates say that: those that it showed on a connection, or with an ad that came by others. Default:
    /// everybody may.
    /// </summary>
    public Func<PeerId, Principal, bool> MaySpeakFor { get; set; } = (_, _) => true;

    /// <summary>Who may read what lies in its own store; null in an open swarm. Default: null.</summary>
    public BlobRights? Rights { get; set; }

    /// <summary>Bytes a second that one peer gets of its own store at most; 0 for no limit. Default: 0.</summary>
    public long BlobRate { get; set; }

    /// <summary>Whether a node may be taken for a scheduler that has lent it its name, where certificates say that. Default: nobody but the scheduler itself.</summary>
    public Func<PeerId, PeerId, bool> MayActFor { get; set; } = (_, _) => false;

    /// <summary>Signs and keeps what is said on the market, where nodes have certificates; disposed with this. Default null: nobody could be shown it.</summary>
    public EvidenceDesk? Evidence { get; set; }

    /// <summary>A peer said what does not hold; it is counted. On any thread.</summary>
    public void Complain(PeerId from, string what) => loop.Post(new Item(new WorkerInput.Refused(from, what)));

    /// <summary>Joins the overlay and takes up work.</summary>
    public void Start(IOverlay joined)
    {
        overlay = joined;
        if (ownsBlobs)
        {
            exchange = new BlobExchange(blobs, joined, Rights, BlobRate);
            inputs = new InputFetcher(exchange);
            copies = Rights is null ? null : new CopyKeeper(blobs, exchange, joined, Rights);
        }
        (ImmutableArray<SchedulerEpoch> epochs, ImmutableArray<StoredResult> kept) = folder.Load();
        foreach (StoredResult stored in kept)
        {
            pins?.Add(stored.Result.Attempt, stored.Result.Outputs);
            foreach (TaskOutput output in stored.Result.Outputs)
                exchange?.Own(stored.Principal, output.Content, isPublic: false);
        }
        Step(new WorkerInput.Utc(BootClock.UtcNow));
        Step(new WorkerInput.Restored(epochs, kept, []) { Charges = Evidence?.Log.Charges() ?? [] });
        node.Flush(BootClock.Now, effects);
        Perform();
        loop.Start();
    }

    /// <summary>The owner changed what it may use.</summary>
    public void Configure(WorkerOptions options) => loop.Post(new Item(new WorkerInput.Configure(options with
    {
        Traits = options.Traits with { Drivers = Options.Traits.Drivers, Handlers = Options.Traits.Handlers },
        Enforcement = Options.Enforcement,
        Sandbox = options.Sandbox with { Missing = Options.Sandbox.Missing, Shows = Options.Sandbox.Shows },
    })));

    /// <summary>Takes no new work from now on.</summary>
    public void Drain(TimeSpan within) => loop.Post(new Item(new WorkerInput.Drain(within)));

    /// <summary>The node itself ends at a time, whatever this does.</summary>
    public void EndAt(Instant at) => loop.Post(new Item(new WorkerInput.Ends(at > BootClock.Now ? at - BootClock.Now : TimeSpan.Zero)));

    /// <summary>Completes when it has gone without being told.</summary>
    public Task<LeaveCause> WentByItself => wentByItself.Task;

    /// <summary>Takes no new work, and completes when nothing is left.</summary>
    public Task DrainAsync(TimeSpan within)
    {
        Drain(within);
        return left.Task;
    }

    public bool Frame(PeerId from, ReadOnlyMemory<byte> frame) => loop.TryPost(new Item(from, frame));

    public int Frames(PeerId from, ReadOnlySpan<ReadOnlyMemory<byte>> frames) =>
        loop.TryHand(from, frames, static (peer, frame) => new Item(peer, frame));

    public void WaitForRoom() => loop.WaitForRoom();

    public void Audience(string topic, ImmutableArray<PeerId> members)
    {
    }

    public void PeerGone(PeerId peer) => loop.Post(new Item(new WorkerInput.PeerGone(peer)));

    public void Started(ReadOnlySpan<AttemptStart> starts)
    {
        var items = new Item[starts.Length];
        for (int i = 0; i < starts.Length; i++)
            items[i] = new Item(new WorkerInput.AttemptStarted(starts[i].Attempt, starts[i].At));
        loop.Hand(items);
        if (!stdins.IsEmpty)
            foreach (AttemptStart start in starts)
                if (stdins.TryGetValue(start.Attempt, out StdinRelay? relay))
                    Feed(start.Attempt, relay);
    }

    public void Log(AttemptId attempt, LogStream stream, long offset, ReadOnlySpan<byte> bytes)
    {
        if (!runs.TryGetValue(attempt, out AttemptRun? run))
            return;
        SendLog(run, stream, offset, run.Kept.WhileRunning(offset, bytes));
    }

    public void StdinRoom(AttemptId attempt)
    {
        if (stdins.TryGetValue(attempt, out StdinRelay? relay))
            Feed(attempt, relay);
    }

    public void Exited(ReadOnlySpan<AttemptExit> exits)
    {
        var items = new Item[exits.Length];
        int count = 0;
        foreach (ref readonly AttemptExit exit in exits)
        {
            if (!runs.TryRemove(exit.Attempt, out AttemptRun? run))
                continue;
            foreach (TaskOutput output in run.Outputs)
                exchange?.Own(run.Order.Principal, output.Content, run.Task.Public);
            stdins.TryRemove(exit.Attempt, out _);
            run.Release();
            if (exit.Stdout.Total > run.Kept.Head)
                SendLogEnd(run, LogStream.Stdout, exit.Stdout);
            if (exit.Stderr.Total > run.Kept.Head)
                SendLogEnd(run, LogStream.Stderr, exit.Stderr);
            var usage = new AttemptUsage(exit.Usage.Wall, exit.Usage.Cpu, exit.Usage.PeakMemoryBytes, exit.Stdout.Total + exit.Stderr.Total);
            items[count++] = new Item(new WorkerInput.AttemptEnded(exit.Attempt, run.EndOf(exit), run.Outputs, usage) { Missing = run.Missing });
        }
        // The thread that brings an end also steps the machine, and mostly takes the next attempt with it.
        loop.Hand(items.AsSpan(0, count));
    }

    private void SendLogEnd(AttemptRun run, LogStream stream, in CapturedLog log) => run.Kept.AtEnd(log, (offset, bytes) => SendLog(run, stream, offset, bytes));

    private void SendLog(AttemptRun run, LogStream stream, long offset, ReadOnlySpan<byte> bytes)
    {
        for (int at = 0; at < bytes.Length; at += LogChunk.BytesMax)
        {
            ReadOnlySpan<byte> piece = bytes[at..Math.Min(bytes.Length, at + LogChunk.BytesMax)];
            overlay!.SendWaiting(standIns.GetValueOrDefault(run.Order.Scheduler, run.Order.Scheduler),
                MessageCodec.Encode(new LogChunk(run.Order.Attempt, stream == LogStream.Stdout ? 1 : 2, offset + at, [.. piece])));
        }
    }

    public void Dispose()
    {
        clock.UtcJumped -= OnUtcJumped;
        loop.Dispose();
        foreach (AttemptRun run in runs.Values)
            run.WaitNoLonger();
        inputs?.Dispose();
        foreach (IDriver driver in drivers)
            driver.Dispose();
        outbox.Dispose();
        copies?.DisposeAsync().AsTask().GetAwaiter().GetResult();
        exchange?.Dispose();
        overlay?.Dispose();
        Evidence?.Dispose();
        left.TrySetResult();
    }

    private void OnUtcJumped() => loop.Post(new Item(new WorkerInput.Utc(BootClock.UtcNow)));

    private static WorkerOptions Complete(WorkerOptions options, ProcessDriver process, HandlerRegistry handlers) => options with
    {
        Traits = options.Traits with { Drivers = ["dotnet", "process"], Handlers = handlers.Names },
        Enforcement = process.Enforcement.Weaknesses(),
        Sandbox = options.Sandbox with { Missing = process.SandboxMissing },
    };

    private void Run(List<Item> batch)
    {
        if (batch.Count == 0)
            Step(WorkerInput.Tick.Instance);
        foreach (Item item in batch)
        {
            if (item.Input is { } input)
                Take(input);
            else if (item.Own is { } own)
                own();
            else if (!MessageCodec.TryDecode(item.Frame.Span, out Message? message, out Core.Cbor.CodecError error))
                Refuse(item.From, error.ToString());
            else if (message is StdinChunk chunk)
                OnStdin(item.From, chunk);
            else
            {
                if (Imposture.In(item.From, message, MaySpeakFor, MayActFor) is { } fault)
                {
                    Refuse(item.From, fault);
                    continue;
                }
                if (message is Ad { Record.IsEmpty: false } ad)
                    overlay!.Learn(item.From, ad.Record.AsMemory());
                Evidence?.Hear(item.From, message);
                Step(new WorkerInput.Received(item.From, message));
                Follow(item.From, message);
            }
        }
        node.Flush(BootClock.Now, effects);
        Perform();
    }

    private void Refuse(PeerId from, string what)
    {
        HostLog.BadFrame(logger, from.Short, what);
        Step(new WorkerInput.Refused(from, what));
    }

    /// <summary>Remembers who speaks for a scheduler, where that is another: what its tasks write goes there.</summary>
    private void Follow(PeerId from, Message message)
    {
        if (Imposture.SchedulerIn(message) is not { } scheduler || (scheduler == from && standIns.IsEmpty))
            return;
        if (node.SpeakerOf(scheduler) is var speaker && speaker != scheduler)
            standIns[scheduler] = speaker;
        else
            standIns.TryRemove(scheduler, out _);
    }

    private void Take(WorkerInput input)
    {
        if (input is WorkerInput.AttemptEnded ended)
            pins?.Add(ended.Attempt, ended.Outputs);
        Step(input);
    }

    private void Step(WorkerInput input) => node.Step(input, BootClock.Now, effects);

    private void Perform()
    {
        using (overlay!.Batch())
        {
            foreach (WorkerEffect effect in effects)
            {
                if (effect is not WorkerEffect.Launch)
                    LaunchAll();
                if (effect is not WorkerEffect.StoreOutbox)
                    outbox.StoreAll();
                Perform(effect);
            }
            // Before what waited is sent: a start waits for nobody, and whom a message wakes would take this processor, or is stepped by this thread.
            LaunchAll();
            outbox.StoreAll();
        }
        effects.Clear();
        loop.WakeAt(node.NextDeadline);
    }

    private void Perform(WorkerEffect effect)
    {
        switch (effect)
        {
            case WorkerEffect.Send send:
                overlay!.Send(send.To, MessageCodec.Encode(Evidence?.Sending(send.To, send.Message) ?? send.Message));
                break;
            case WorkerEffect.Subscribe subscribe:
                overlay!.Subscribe(subscribe.Topic);
                break;
            case WorkerEffect.Unsubscribe unsubscribe:
                overlay!.Unsubscribe(unsubscribe.Topic);
                break;
            case WorkerEffect.Launch launch:
                Prepare(launch.Order);
                break;
            case WorkerEffect.Signal signal:
                if (inputs?.TryCancel(signal.Attempt) == true)
                    NeverStarted(signal.Attempt, new AttemptEnd(EndKind.NodeFault, 0, "ended before its inputs had come"));
                else
                    Signal(signal);
                break;
            case WorkerEffect.Forget forget when pins is not null:
                foreach (AttemptId attempt in forget.Attempts)
                    pins.Release(attempt);
                break;
            case WorkerEffect.StoreOutbox store:
                outbox.Add(store.Result);
                break;
            case WorkerEffect.DropOutbox drop:
                foreach (AttemptId attempt in drop.Attempts)
                    outbox.Drop(attempt);
                break;
            case WorkerEffect.StoreEpoch store:
                outbox.StoreEpoch(store.Scheduler, store.Epoch);
                break;
            case WorkerEffect.DropEpoch drop:
                outbox.DropEpoch(drop.Scheduler);
                break;
            case WorkerEffect.LeasesUntil until:
                process.Guard?.Extend(until.Scheduler, until.At);
                break;
            case WorkerEffect.Observe observe:
                HostLog.Worker(logger, name, observe.What);
                break;
            case WorkerEffect.Left gone:
                left.TrySetResult();
                if (gone.Cause != LeaveCause.Told)
                    wentByItself.TrySetResult(gone.Cause);
                break;
        }
    }

    private void Signal(WorkerEffect.Signal signal)
    {
        if (runs.TryGetValue(signal.Attempt, out AttemptRun? run))
            run.WaitNoLonger();
        foreach (IDriver driver in drivers)
            if (driver.Signal(signal.Attempt, signal.Kind == Core.Nodes.AttemptSignal.Term ? Drivers.AttemptSignal.Term : Drivers.AttemptSignal.Kill))
                break;
    }

    private void Prepare(LaunchOrder order)
    {
        var run = new AttemptRun(order, blobs) { NoRoom = outbox.Degrade, KeepsOutputs = !ownsBlobs };
        runs[order.Attempt] = run;
        if (run.Task.Stdin)
        {
            stdins[order.Attempt] = new StdinRelay(order.Scheduler);
            overlay!.Send(order.Scheduler, MessageCodec.Encode(new StdinCredit(order.Attempt, StdinWindow)));
        }
        if (inputs is null)
        {
            Launch(run);
            return;
        }
        run.HoldInputs();
        if (!inputs.TryBegin(run, (fetched, end) => loop.Post(new Item(() => OnFetched(fetched, end)))))
            Launch(run);
    }

    /// <summary>The inputs of an attempt came, or will not come.</summary>
    private void OnFetched(AttemptRun run, in BlobFetch fetch)
    {
        switch (fetch.End)
        {
            case FetchEnd.Safe:
                Launch(run);
                break;
            case FetchEnd.Gone:
                string first = $"the blob {fetch.Missing.FirstOrDefault()} of its inputs is not to be had";
                NeverStarted(run.Order.Attempt, new AttemptEnd(EndKind.InputMissing, 0, fetch.Missing.Length > 1 ? $"{first}, nor are {fetch.Missing.Length - 1} more" : first),
                    [.. fetch.Missing.Take(AttemptResult.MissingMax)]);
                break;
            default:
                NeverStarted(run.Order.Attempt, new AttemptEnd(EndKind.NodeFault, 0, $"its inputs could not be fetched: {fetch.Why}"));
                break;
        }
    }

    private void NeverStarted(AttemptId attempt, AttemptEnd end, ImmutableArray<Cid> missing = default)
    {
        if (!runs.TryRemove(attempt, out AttemptRun? run))
            return;
        stdins.TryRemove(attempt, out _);
        run.Release();
        loop.Post(new Item(new WorkerInput.AttemptEnded(attempt, end, [], default) { Missing = missing.IsDefault ? [] : missing }));
    }

    private void Launch(AttemptRun run)
    {
        IDriver driver = run.Task.Driver == Core.Jobs.Driver.Dotnet ? dotnet : process;
        if (driver != launchesFor)
            LaunchAll();
        launchesFor = driver;
        launches.Add(run.Plan());
    }

    /// <summary>Starts what was ordered in a row together, so that a batch of handlers costs one hand-over.</summary>
    private void LaunchAll()
    {
        if (launches.Count == 0)
            return;
        Span<LaunchPlan> plans = CollectionsMarshal.AsSpan(launches);
        foreach (LaunchPlan refused in plans[launchesFor!.Start(plans)..])
            NeverStarted(refused.Attempt, new AttemptEnd(EndKind.NodeFault, 0, "the driver's queue is full"));
        launches.Clear();
    }

    private void OnStdin(PeerId from, StdinChunk chunk)
    {
        if (!stdins.TryGetValue(chunk.Attempt, out StdinRelay? relay) || relay.Scheduler != from || !relay.Add(chunk))
            return;
        Feed(chunk.Attempt, relay);
    }

    /// <summary>Gives the driver what it takes, and the client credit for as much.</summary>
    private void Feed(AttemptId attempt, StdinRelay relay)
    {
        if (relay.Feed((bytes, end) => process.WriteStdin(attempt, bytes, end)) is { } taken)
            overlay!.Send(relay.Scheduler, MessageCodec.Encode(new StdinCredit(attempt, taken + StdinWindow)));
    }

    private readonly record struct Item(PeerId From, ReadOnlyMemory<byte> Frame, WorkerInput? Input, Action? Own)
    {
        public Item(WorkerInput input) : this(default, default, input, null)
        {
        }

        public Item(PeerId from, ReadOnlyMemory<byte> frame) : this(from, frame, null, null)
        {
        }

        public Item(Action own) : this(default, default, null, own)
        {
        }
    }
}

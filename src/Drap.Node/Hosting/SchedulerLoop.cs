using System.Collections.Concurrent;
using System.Collections.Immutable;
using Drap.Core.Jobs;
using Drap.Core.Journal;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Node.Evidences;
using Drap.Node.Overlay;
using Drap.Node.Service;
using Drap.Node.Storage;
using Drap.Node.Time;
using Microsoft.Extensions.Logging;
using ApiException = Drap.Api.ApiException;
using ErrorCodes = Drap.Api.ErrorCodes;

namespace Drap.Node.Hosting;

/// <summary>Runs a scheduler: its machine on one thread, its journal on another, its messages over an overlay.</summary>
internal sealed class SchedulerLoop : ISchedulerPort, IOverlayEvents, IJournalListener, IDisposable
{
    /// <summary>Messages that may wait: at 1 KiB each 64 MiB; more are dropped, and their senders send again what must arrive.</summary>
    private const int InboxMax = 65_536;

    /// <summary>
    /// When an ad goes out, what is recorded so far waits so long for the placements that its offers bring, so that a job's submit and its
    /// first placement share one sync. An idle swarm answers within a fraction of it; what else is recorded meanwhile ends the wait. Between processes
    /// an answer takes a millisecond or two, in which a sync would be under way just when the placement wants one.
    /// </summary>
    private static readonly TimeSpan OffersWait = TimeSpan.FromMilliseconds(1), RemoteOffersWait = TimeSpan.FromMilliseconds(4);

    private readonly SchedulerJournal kept;
    private readonly JournalThread journal;
    private readonly JournalBuffer buffer;
    private readonly SchedulerNode node;
    private readonly MachineLoop<Item> loop;
    private readonly LogStore logs;
    private readonly ILogger logger;
    private readonly Action<Exception> failed;
    private readonly ConcurrentDictionary<long, TaskCompletionSource<SchedulerReply>> tickets = new();
    private readonly List<SchedulerEffect> effects = [];
    private readonly TaskCompletionSource<ApiException> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock watcherGate = new();
    private readonly BootClock clock;
    private ImmutableArray<ISchedulerWatcher> watchers = [];
    private TimeSpan offersWait = OffersWait;
    private volatile bool isLocal;
    private IOverlay? overlay;
    private OutputFetcher? outputs;
    private long lastTicket;
    private Instant heldUntil = Instant.Never;
    private long heldAt;
    private long questions;

    // Names and jitter, not keys: still from the system's generator, so that two schedulers never draw alike.
    private Prng Prng { get; } = new(BitConverter.ToUInt64(System.Security.Cryptography.RandomNumberGenerator.GetBytes(8)));

    /// <summary>Replays the journal; nothing runs yet.</summary>
    /// <param name="kept">The journal; disposed with this.</param>
    /// <param name="options">What the scheduler is told.</param>
    /// <param name="logs">Where tasks' output goes.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="logger">For its lines.</param>
    /// <param name="failed">Its machine or its journal broke.</param>
    public SchedulerLoop(SchedulerJournal kept, SchedulerOptions options, LogStore logs, BootClock clock, ILogger logger, Action<Exception> failed)
    {
        this.kept = kept;
        this.logs = logs;
        this.logger = logger;
        this.failed = failed;
        this.clock = clock;
        Self = options.Scheduler;
        var state = new SchedulerState();
        JournalLog log = JournalLog.Open(kept.Storage, kept.Options(Prng.NextUInt64()), new SchedulerReplay(state));
        buffer = log.CreateBuffer();
        node = new SchedulerNode(options, state, buffer, Prng);
        loop = new MachineLoop<Item>("scheduler", InboxMax, clock, Run, OnFailed);
        journal = new JournalThread(kept.Storage, log, this);
        clock.UtcJumped += OnUtcJumped;
    }

    /// <summary>The scheduler as a role.</summary>
    public PeerId Self { get; }

    /// <summary>Whether the home's disk is full, and what is left of it is the journal's.</summary>
    public bool IsDiskShort => kept.IsDiskShort;

    /// <summary>Shows what the journal held, before anything runs.</summary>
    public void Before(Action<SchedulerState> look) => look(node.State);

    /// <summary>How often anything was asked, so that a node in the background knows whether it is wanted.</summary>
    public long Questions => Interlocked.Read(ref questions);

    /// <summary>Joins the overlay and takes up work.</summary>
    /// <param name="joined">The overlay; disposed with this.</param>
    /// <param name="fetcher">Brings outputs here; its owner disposes it, before this.</param>
    public void Start(IOverlay joined, OutputFetcher fetcher)
    {
        overlay = joined;
        isLocal = !joined.Abilities.HasFlag(OverlayAbilities.Network);
        offersWait = joined.Abilities.HasFlag(OverlayAbilities.Network) ? RemoteOffersWait : OffersWait;
        outputs = fetcher;
        node.Start(BootClock.UtcNow, BootClock.Now, effects);
        kept.Failed = OnFailed;
        kept.Changed = shortOf => Post(new SchedulerInput.Room(shortOf));
        if (kept.ShortOf is { } why)
            node.Step(new SchedulerInput.Room(why), BootClock.Now, effects);
        node.Flush(BootClock.Now, effects);
        Perform();
        loop.Start();
    }

    /// <inheritdoc/>
    public async Task<SchedulerReply> AskAsync(Func<Ticket, SchedulerInput> request, CancellationToken cancel)
    {
        Interlocked.Increment(ref questions);
        long ticket = Interlocked.Increment(ref lastTicket);
        var answer = new TaskCompletionSource<SchedulerReply>(TaskCreationOptions.RunContinuationsAsynchronously);
        tickets[ticket] = answer;
        // The asker's thread steps the machine if nobody does: that spares waking another, and often the wait for the answer.
        loop.Hand([new Item(request(new Ticket(ticket)), null)]);
        try
        {
            return await AnswerAsync(answer.Task, cancel).ConfigureAwait(false);
        }
        finally
        {
            tickets.TryRemove(ticket, out _);
        }
    }

    /// <inheritdoc/>
    public Task<T> ReadAsync<T>(Func<SchedulerNode, Instant, T> read, CancellationToken cancel)
    {
        Interlocked.Increment(ref questions);
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        loop.Hand([new Item(null, () =>
        {
            try
            {
                answer.TrySetResult(read(node, BootClock.Now));
            }
            catch (Exception e) when (e is not InvariantException)
            {
                answer.TrySetException(e);
            }
        })]);
        return AnswerAsync(answer.Task, cancel);
    }

    /// <inheritdoc/>
    public void Post(SchedulerInput input) => loop.Post(new Item(input, null));

    /// <inheritdoc/>
    public IDisposable Watch(ISchedulerWatcher watcher)
    {
        lock (watcherGate)
            watchers = watchers.Add(watcher);
        return new Watching(this, watcher);
    }

    /// <inheritdoc/>
    public bool Frame(PeerId from, ReadOnlyMemory<byte> frame) => loop.TryPost(new Item(from, frame));

    /// <inheritdoc/>
    public int Frames(PeerId from, ReadOnlySpan<ReadOnlyMemory<byte>> frames) =>
        loop.TryHand(from, frames, static (peer, frame) => new Item(peer, frame));

    /// <inheritdoc/>
    public void WaitForRoom() => loop.WaitForRoom();

    /// <inheritdoc/>
    public void Audience(string topic, ImmutableArray<PeerId> members) => Post(new SchedulerInput.Audience(topic, members));

    /// <inheritdoc/>
    public void PeerGone(PeerId peer) => Post(new SchedulerInput.PeerGone(peer));

    /// <inheritdoc/>
    public void Committed(long sequence)
    {
        // What comes of it for nodes of this process is a matter of queues. Over a network it is one of sockets, and the next sync does not wait for them.
        var persisted = new SchedulerInput.Persisted(sequence);
        if (isLocal)
            loop.Hand([new Item(persisted, null)]);
        else
            Post(persisted);
    }

    /// <inheritdoc/>
    public void Failed(JournalException failure) => OnFailed(failure);

    /// <inheritdoc/>
    public void SnapshotInstalled(long sequence) => HostLog.SnapshotInstalled(logger, sequence);

    /// <inheritdoc/>
    public void SnapshotFailed(long sequence, JournalException failure) => HostLog.SnapshotFailed(logger, sequence, failure.Message);

    /// <summary>Ends the loop, then writes what the journal was given.</summary>
    public void Dispose()
    {
        clock.UtcJumped -= OnUtcJumped;
        loop.Dispose();
        overlay?.Dispose();
        Evidence?.Dispose();
        journal.Dispose();
        kept.Dispose();
        End(new ApiException(ErrorCodes.ShuttingDown, "the node is ending; its jobs are kept, and any next drap goes on with them"));
    }

    private void Run(List<Item> batch)
    {
        if (batch.Count == 0)
            node.Step(SchedulerInput.Tick.Instance, BootClock.Now, effects);
        foreach (Item item in batch)
        {
            if (item.Query is { } query)
                query();
            else if (item.Input is { } input)
                node.Step(input, BootClock.Now, effects);
            else if (MessageCodec.TryDecode(item.Frame.Span, out Message? message, out Core.Cbor.CodecError error))
            {
                Evidence?.Hear(item.From, message);
                node.Step(new SchedulerInput.Received(item.From, message), BootClock.Now, effects);
            }
            else
                HostLog.BadFrame(logger, item.From.Short, error.ToString());
        }
        node.Flush(BootClock.Now, effects);
        Perform();
    }

    private void Perform()
    {
        if (!Holds() && journal.HasRoom && buffer.TakeBatch() is { } records)
            journal.Submit(records);
        // Messages first: a task waits for them, and whom an answer wakes would take this processor before they are gone.
        if (kept.MaySpeak)
            Say();
        else if (effects.Count(e => e is SchedulerEffect.Publish or SchedulerEffect.Send) is > 0 and var silent)
            HostLog.NotSaid(logger, silent);
        foreach (SchedulerEffect effect in effects)
            if (effect is not (SchedulerEffect.Publish or SchedulerEffect.Send))
                Perform(effect);
        effects.Clear();
        if (buffer.SnapshotDue && buffer.PendingBytes == 0)
            Snapshot();
        loop.WakeAt(Instant.Min(node.NextDeadline, heldUntil));
    }

    private void Say()
    {
        using (overlay!.Batch())
            foreach (SchedulerEffect effect in effects)
                if (effect is SchedulerEffect.Publish or SchedulerEffect.Send)
                    Perform(effect);
    }

    /// <summary>Whether the journal is to wait for the answers to an ad that has just gone out.</summary>
    private bool Holds()
    {
        if (heldUntil == Instant.Never)
        {
            if (!effects.Exists(e => e is SchedulerEffect.Publish or SchedulerEffect.Send { Message: Ad }))
                return false;
            (heldUntil, heldAt) = (BootClock.Now + offersWait, buffer.LastSequence);
            return true;
        }
        if (buffer.LastSequence == heldAt && BootClock.Now < heldUntil)
            return true;
        heldUntil = Instant.Never;
        return false;
    }

    /// <summary>Signs and keeps what is said on the market, where nodes have certificates; disposed with this. Default null.</summary>
    public EvidenceDesk? Evidence { get; set; }

    /// <summary>What shows others who are not connected for whom this node speaks. Default nothing: it is in no swarm that has certificates.</summary>
    public ImmutableArray<Core.Membership.Wrapped> Certificates { get; init; } = [];

    /// <summary>An ad with where this node is, for those who hear it by others.</summary>
    private Ad Signed(Ad ad) => overlay!.Record is { IsEmpty: false } record && record.Length <= Ad.RecordBytesMax ? ad with { Record = [.. record.Span] } : ad;

    private void Perform(SchedulerEffect effect)
    {
        switch (effect)
        {
            case SchedulerEffect.Publish publish:
                overlay!.Publish(publish.Topic, MessageCodec.Encode(Signed(publish.Ad) with { Chain = Certificates }));
                break;
            case SchedulerEffect.Send send:
                overlay!.Send(send.To, MessageCodec.Encode(send.Message is Ad ad ? Signed(ad) : Evidence?.Sending(send.To, send.Message) ?? send.Message));
                break;
            case SchedulerEffect.Done done when tickets.TryGetValue(done.Ticket.Value, out TaskCompletionSource<SchedulerReply>? ticket):
                ticket.TrySetResult(done.Reply);
                break;
            case SchedulerEffect.Fetch fetch:
                outputs!.Begin(fetch, Post);
                break;
            case SchedulerEffect.Copy copy:
                outputs!.Begin(copy, Post);
                break;
            case SchedulerEffect.StoreLog store:
                logs.Append(store.Chunk);
                break;
            case SchedulerEffect.Changed changed:
                bool hasEnded = !node.State.TryGet(changed.Job, out JobRun? job) || job.End != JobEnd.None;
                foreach (ISchedulerWatcher watcher in watchers)
                    watcher.Changed(changed.Job, changed.Tasks, hasEnded);
                break;
            case SchedulerEffect.StdinRoom room:
                foreach (ISchedulerWatcher watcher in watchers)
                    watcher.StdinRoom(room.Attempt, room.Until);
                break;
            case SchedulerEffect.Forget forget:
                outputs?.LetGo(forget.Job);
                foreach (ISchedulerWatcher watcher in watchers)
                    watcher.Forget(forget.Job);
                break;
            case SchedulerEffect.Observe observe:
                HostLog.Scheduler(logger, observe.What);
                break;
        }
    }

    private void Snapshot()
    {
        JournalSnapshot snapshot = buffer.BeginSnapshot();
        foreach (SchedulerRecord record in node.State.ToRecords())
            SchedulerRecords.Add(snapshot, record);
        buffer.EndSnapshot(snapshot);
        journal.Submit(snapshot);
    }

    private void OnUtcJumped() => Post(new SchedulerInput.Utc(BootClock.UtcNow));

    /// <summary>An answer, or why there will be none.</summary>
    private async Task<T> AnswerAsync<T>(Task<T> answer, CancellationToken cancel)
    {
        // WhenAny leaves nothing on the one of the two that goes on.
        await Task.WhenAny(answer, ended.Task).WaitAsync(cancel).ConfigureAwait(false);
        return answer.IsCompleted ? await answer.ConfigureAwait(false) : throw new ApiException((await ended.Task.ConfigureAwait(false)).Error);
    }

    private void OnFailed(Exception e)
    {
        End(new ApiException(e is JournalException ? ErrorCodes.Storage : ErrorCodes.Internal, e.Message));
        failed(e);
    }

    private void End(ApiException why)
    {
        if (!ended.TrySetResult(why))
            return;
        foreach (ISchedulerWatcher watcher in watchers)
            watcher.Stopped();
    }

    private readonly record struct Item(PeerId From, ReadOnlyMemory<byte> Frame, SchedulerInput? Input, Action? Query)
    {
        public Item(SchedulerInput? input, Action? query) : this(default, default, input, query)
        {
        }

        public Item(PeerId from, ReadOnlyMemory<byte> frame) : this(from, frame, null, null)
        {
        }
    }

    private sealed class Watching(SchedulerLoop loop, ISchedulerWatcher watcher) : IDisposable
    {
        public void Dispose()
        {
            lock (loop.watcherGate)
                loop.watchers = loop.watchers.Remove(watcher);
        }
    }
}

using System.Collections.Immutable;
using Drap.Core.Health;
using Drap.Core.Jobs;
using Drap.Core.Journal;
using Drap.Core.Leases;
using Drap.Core.Market.Allocation;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// The whole machine of a scheduler: jobs, market, leases, gangs and results, composed. It is pure: what comes in stands in
/// <see cref="SchedulerInput"/>, what goes out in <see cref="SchedulerEffect"/> and in the journal's buffer.
/// </summary>
/// <remarks>
/// The contract of its loop:
/// <list type="number">
/// <item>replay the journal into a <see cref="SchedulerState"/>, make the node, call <see cref="Start"/>;</item>
/// <item>for each batch of inputs: <see cref="Step"/> each, then <see cref="Flush"/> once;</item>
/// <item>hand the buffer's batch to the journal's writer, whose end comes back as <see cref="SchedulerInput.Persisted"/>;</item>
/// <item>perform the effects in order; ads go out before their job is durable, everything that binds anyone comes out of the machine only
/// after the record that it rests on is;</item>
/// <item>wait for an input or <see cref="NextDeadline"/>. After any wake timers fire before messages: <see cref="Step"/> sees to that.</item>
/// </list>
/// </remarks>
public sealed class SchedulerNode
{
    private readonly SchedulerContext context;
    private readonly ConfirmationDesk confirmations;
    private readonly PlacementDesk placement;
    private readonly JobDesk jobs;
    private readonly SafetyDesk safety;
    private readonly SettlementDesk settlement;
    private readonly MoneyDesk money;
    private readonly LeaseDesk leases;
    private readonly GangDesk gangs;
    private readonly MarketDesk market;
    private readonly ReadDesk reads;
    private readonly List<AllocatorEffect> decisions = [];

    /// <summary>A scheduler over what its journal held.</summary>
    /// <param name="options">What it is told.</param>
    /// <param name="state">The journal's records, applied.</param>
    /// <param name="journal">Where its records go.</param>
    /// <param name="prng">For ids and jitter.</param>
    public SchedulerNode(SchedulerOptions options, SchedulerState state, JournalBuffer journal, Prng prng)
    {
        context = new SchedulerContext(options, state, journal, prng);
        confirmations = new ConfirmationDesk(context);
        placement = new PlacementDesk(context, confirmations);
        market = new MarketDesk(context, placement);
        jobs = new JobDesk(context, placement, market);
        money = new MoneyDesk(context, placement);
        safety = new SafetyDesk(context);
        settlement = new SettlementDesk(context, placement, new LossDesk(context, placement), money, safety);
        leases = new LeaseDesk(context, placement, settlement, money);
        reads = new ReadDesk(context);
        gangs = new GangDesk(context, placement, leases);
    }

    /// <summary>Everything durable; to read, on the loop's own thread.</summary>
    public SchedulerState State => context.State;

    /// <summary>When the machine has something to do even if nothing comes in.</summary>
    public Instant NextDeadline => Instant.Min(
        Instant.Min(Instant.Min(context.Allocator.NextDeadline, context.Leases.NextDeadline), Instant.Min(jobs.NextDeadline, placement.NextDeadline)),
        Instant.Min(Instant.Min(gangs.NextDeadline, market.NextDeadline), confirmations.NextDeadline));

    /// <summary>Begins a new epoch, and takes up what an earlier one left. Once, before anything else.</summary>
    public void Start(UtcTime utc, Instant now, List<SchedulerEffect> effects)
    {
        context.Effects = effects;
        context.Now = now;
        context.SetUtc(utc);
        KeyValuePair<AttemptId, OpenAttempt>[] open = [.. context.State.Open.OrderBy(a => a.Key)];
        context.Record(new SchedulerRecord.EpochBegan(new Epoch(Math.Max(context.State.Epoch.Value + 1, utc.Milliseconds)), utc));
        context.Allocator = new Allocator(
            new AllocatorIdentity(context.Options.Scheduler, context.Options.Principal, context.Epoch), context.Prng, placement);
        foreach (JobRun job in context.State.Jobs)
        {
            job.SubmittedOn = now - (utc.CompareTo(job.SubmittedAt) > 0 ? utc - job.SubmittedAt : TimeSpan.Zero);
            job.Budget.Restore(job.Spent);
        }
        foreach ((AttemptId id, OpenAttempt attempt) in open)
            leases.Adopt(id, attempt);
        foreach (JobRun job in context.State.Jobs)
            jobs.Resume(job);
        jobs.EndUnfed();
        placement.CancelUnwanted();
        foreach (JobRun job in context.State.Jobs.Where(j => j.End == JobEnd.None).ToArray())
            gangs.Recover(job);
        context.LeftGangs.Clear();
        leases.ReconcileAll();
    }

    /// <summary>Takes one input. Effects that can wait for others of the same batch come with <see cref="Flush"/>.</summary>
    public void Step(SchedulerInput input, Instant now, List<SchedulerEffect> effects)
    {
        context.Effects = effects;
        context.Now = now;
        Tick();
        switch (input)
        {
            case SchedulerInput.Received received:
                leases.Heard(received.From);
                OnMessage(received.From, received.Message);
                break;
            case SchedulerInput.Refused refused:
                context.Complain(refused.From, MessageKind.None, refused.What);
                break;
            case SchedulerInput.Persisted persisted:
                context.Persisted(persisted.Sequence);
                break;
            case SchedulerInput.Submit submit:
                jobs.Submit(submit);
                break;
            case SchedulerInput.Act act:
                jobs.Act(act);
                break;
            case SchedulerInput.Change change:
                jobs.Change(change);
                break;
            case SchedulerInput.Plan plan:
                market.Plan(plan);
                break;
            case SchedulerInput.Survey survey:
                market.Survey(survey);
                break;
            case SchedulerInput.Audience audience:
                context.Allocator.SetAudience(audience.Topic, audience.Members, context.Now);
                break;
            case SchedulerInput.SwarmSize size:
                context.Allocator.SetSwarmSize(size.Region, size.Workers);
                break;
            case SchedulerInput.Named named:
                context.Names[named.Worker] = named;
                if (named.MayKeep)
                    context.Keepers.Add(named.Worker);
                break;
            case SchedulerInput.PeerGone gone:
                context.Keepers.Remove(gone.Peer);
                leases.OnPeerGone(gone.Peer);
                break;
            case SchedulerInput.Stdin stdin:
                if (context.Leases.TryGet(stdin.Chunk.Attempt, out LeasedAttempt? attempt))
                    context.Emit(new SchedulerEffect.Send(attempt.Worker, stdin.Chunk));
                break;
            case SchedulerInput.Fetched fetched:
                settlement.OnFetched(fetched);
                break;
            case SchedulerInput.Copied copied:
                settlement.OnCopied(copied);
                break;
            case SchedulerInput.Room room:
                context.ShortOf = room.ShortOf;
                foreach (JobRun job in context.State.Jobs.Where(j => j.End == JobEnd.None))
                    placement.WakeAll(job);
                break;
            case SchedulerInput.Utc utc:
                context.SetUtc(utc.Time);
                break;
            case SchedulerInput.Tick:
                break;
        }
    }

    /// <summary>Ends a batch: decides on offers, ends jobs, and tells what is to be told.</summary>
    public void Flush(Instant now, List<SchedulerEffect> effects)
    {
        context.Effects = effects;
        context.Now = now;
        Tick();
        jobs.EndJobs();
        Allocate();
        gangs.Settle();
        jobs.EndJobs();
        settlement.SendAcks();
        jobs.ForgetOld();
        market.Flush();
        context.TellChanges();
        context.AppendEnded();
    }

    /// <summary>Attempts of a task that are under way.</summary>
    public IReadOnlyList<LeasedAttempt> AttemptsOf(TaskId task) => context.Leases.OfTask(task);

    /// <summary>The groups under which a segment is advertised, with what the market says to each; empty while it wants nothing.</summary>
    public ImmutableArray<GroupStanding> Explain(JobRun job, SegmentRun segment) => market.Explain(job, segment);

    /// <summary>Why nothing is given to a worker now; null if it may get work.</summary>
    public (Instant Until, string Reason)? KeptAway(PeerId worker, Instant now) => context.Allocator.BackedOff(worker, now);

    /// <summary>What a worker said that was refused here; null if nothing.</summary>
    public Complaint? ComplaintOf(PeerId worker) => context.Complaints.Of(worker);

    /// <summary>How often the market side looked at a group of tasks since the start: grows with what happens, not with what waits.</summary>
    public long GroupsLookedAt => context.Allocator.Looks;

    /// <summary>Why the journal cannot take much more, so that nothing new is taken or placed; null when it can.</summary>
    public string? ShortOf => context.ShortOf;

    /// <summary>How often a gang was looked at since the start: when its time came, and when a rank of it had changed.</summary>
    public long GangsLookedAt => gangs.Looks + jobs.GangLooks;

    /// <summary>On how many nodes besides the worker that makes them outputs can lie now, this one included; of no worker in particular if none is named.</summary>
    public int KeepersFor(PeerId? worker) => safety.KeepersFor(worker);

    /// <summary>Whether an attempt that a worker has, or is given now, takes this blob as an input.</summary>
    public bool LeaseNames(PeerId worker, Cid content) => reads.LeaseNames(worker, content);

    /// <summary>What a worker is called.</summary>
    public string NameOf(PeerId worker) => context.NameOf(worker);

    /// <summary>What must hold between steps, whatever came in.</summary>
    public void CheckInvariants()
    {
        context.Leases.CheckInvariants();
        context.Allocator.CheckInvariants();
        foreach (AttemptId id in context.State.Open.Keys)
            Invariant.Check(context.Leases.TryGet(id, out _) || !context.State.TryGet(id.Task.Job, out _));
        foreach (JobRun job in context.State.Jobs)
        {
            job.Budget.CheckInvariants();
            if (job.End == JobEnd.None)
                for (int number = 1; number <= job.Tasks.Count; number++)
                    if (job.Tasks.State(number) == TaskState.Placed)
                        Invariant.Check(context.Leases.OfTask(new TaskId(job.Id, number)).Count > 0 || job.Votes(number).Count > 0
                            || job.SegmentOf(number).Queue.ChoosyOf(number) > 0);
        }
    }

    private void Tick()
    {
        leases.Tick();
        jobs.Expire();
        placement.Tick();
        confirmations.Tick();
        gangs.Settle();
        gangs.Tick();
    }

    private void Allocate()
    {
        context.Allocator.Decide(context.Now, decisions);
        Perform();
        context.Allocator.Advertise(context.Now, decisions);
        Perform();
    }

    private void Perform()
    {
        foreach (AllocatorEffect decision in decisions)
        {
            switch (decision)
            {
                case AllocatorEffect.Publish publish:
                    context.Emit(new SchedulerEffect.Publish(publish.Topic, publish.Ad));
                    break;
                case AllocatorEffect.Tell tell:
                    context.Emit(new SchedulerEffect.Send(tell.Worker, tell.Ad));
                    break;
                case AllocatorEffect.Close close:
                    context.Emit(new SchedulerEffect.Send(close.Worker, close.Closed));
                    break;
                case AllocatorEffect.Ask ask:
                    market.Ask(ask.Worker);
                    break;
                case AllocatorEffect.KeepHold keep:
                    context.Emit(new SchedulerEffect.Send(keep.Worker, keep.Extend));
                    break;
                case AllocatorEffect.Award award:
                    placement.Award(award);
                    break;
                case AllocatorEffect.AwardGang gang:
                    gangs.Award(gang);
                    break;
                case AllocatorEffect.Spare spare:
                    placement.Steal(spare);
                    break;
            }
        }
        decisions.Clear();
    }

    private void OnMessage(PeerId from, Message message)
    {
        switch (message)
        {
            case Offer offer:
                context.Allocator.OnOffer(from, offer, context.Now);
                break;
            case Refusal refusal:
                context.Allocator.OnRefusal(from, refusal, context.Now);
                break;
            case Ack ack:
                ImmutableArray<AttemptId> taken = confirmations.OnAck(from, ack);
                if (!taken.IsEmpty)
                    context.Allocator.TakenBy(from);
                gangs.OnAck(taken);
                break;
            case Nack nack:
                ImmutableArray<AttemptId> refused = confirmations.OnNack(from, nack);
                if (!refused.IsEmpty)
                    context.Allocator.RefusedBy(from, context.Now);
                foreach (int group in leases.GiveBack(from, refused, $"the worker refused: {nack.Reason}"))
                    context.Allocator.Refused(group, context.Now);
                if (nack.Reason == NackReason.Degraded)
                    context.Allocator.Fault(from, context.Now, "it cannot start tasks now");
                break;
            case Result result:
                settlement.OnResult(from, result);
                break;
            case HeartbeatReply reply:
                leases.OnHeartbeatReply(from, reply);
                break;
            case ReconcileReply reply:
                leases.OnReconcileReply(from, reply);
                break;
            case Notice notice:
                OnNotice(from, notice);
                break;
            case ProbeReply reply:
                leases.OnProbeReply(from, reply);
                market.OnProbeReply(from, reply);
                break;
            case Quote quote:
                market.OnQuote(from, quote);
                break;
            case LogChunk chunk when leases.HasOrHad(from, chunk.Attempt):
                context.Emit(new SchedulerEffect.StoreLog(chunk));
                break;
            case StdinCredit credit when leases.HasOrHad(from, credit.Attempt):
                context.Emit(new SchedulerEffect.StdinRoom(credit.Attempt, credit.Until));
                break;
            case LogChunk or StdinCredit:
                context.Complain(from, MessageCodec.KindOf(message), "it speaks of an attempt that is not its own");
                break;
            case Receipt receipt:
                money.OnReceipt(from, receipt);
                break;
            default:
                context.Complain(from, MessageKind.None, $"a worker does not send {message.GetType().Name}");
                break;
        }
    }

    private void OnNotice(PeerId from, Notice notice)
    {
        switch (notice.Kind)
        {
            case NoticeKind.Started:
                leases.OnStarted(from, notice.Attempts);
                break;
            case NoticeKind.Returned:
                foreach (int group in leases.GiveBack(from, notice.Attempts, "given back unstarted"))
                    context.Allocator.Returned(group);
                break;
            case NoticeKind.Draining:
                context.Allocator.Fault(from, context.Now, "it is draining");
                break;
            case NoticeKind.Leaving:
                leases.OnLeaving(from, "the worker left");
                break;
        }
    }
}

/// <summary>How a segment, or an alternative of it, stands with the market.</summary>
/// <param name="Variant">0 for the segment itself, then its alternatives.</param>
/// <param name="Terms">What is asked for and offered.</param>
/// <param name="Bid">Today's bid.</param>
/// <param name="Patient">Whether workers may reserve for it.</param>
/// <param name="Since">Since when it waits; never if it does not.</param>
/// <param name="Answers">Each worker's last answer.</param>
/// <param name="Audience">Who hears its topic.</param>
public sealed record GroupStanding(
    int Variant, GroupTerms Terms, Price Bid, bool Patient, Instant Since, IReadOnlyList<GroupAnswer> Answers, ImmutableArray<PeerId> Audience);

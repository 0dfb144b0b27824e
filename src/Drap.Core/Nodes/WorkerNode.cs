using System.Collections.Immutable;
using Drap.Core.Execution;
using Drap.Core.Health;
using Drap.Core.Leases;
using Drap.Core.Market.Arbitration;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// One worker: arbiter, leases, executor and outbox, wired together. Pure: it reads no clock and does no IO.
/// <list type="number">
/// <item>Inputs are stepped one by one, in the order of arrival; after a batch comes one <see cref="Flush"/>. Then the effects are
/// performed in their order.</item>
/// <item>Whatever is due is run before an input is looked at, so that after a suspend leases end before messages renew them.</item>
/// <item>A flush starts what can start, then sends results (those of long tasks stored before), notices, receipts, offers, and last the
/// replies to heartbeats, so that on a link that keeps order a reply's hash is that of what the scheduler has been told.</item>
/// <item>The epoch of a scheduler is stored before the first thing that binds: an acknowledgement or a reply to a heartbeat.</item>
/// <item>No message of a peer makes it throw; a bad one is observed, and changes nothing else.</item>
/// </list>
/// Not thread-safe: one loop owns it.
/// </summary>
public sealed class WorkerNode
{
    private readonly SchedulerTable schedulers = new(WorkerOptions.SchedulersMax);
    private readonly AdRates adRates = new();
    private readonly LeaseTable leases = new();
    private readonly GroupBook groups = new();
    private readonly PrincipalBook principals = new();
    private readonly Outbox outbox;
    private readonly Capacity capacity;
    private readonly Executor executor;
    private readonly Arbiter arbiter;
    private readonly Confirmations confirmations;
    private readonly ComplaintBook complaints = new();
    private readonly Told told;
    private readonly Hearing hearing;
    private readonly Receipts receipts;
    private readonly Departure departure;
    private readonly List<Lease> due = [];
    private readonly List<(PeerId To, KnownScheduler Scheduler, long Number)> heartbeats = [];
    private UtcTime utcAtSet;
    private Instant utcSetAt = Instant.Zero;

    /// <summary>A worker that knows nothing yet and holds nothing.</summary>
    /// <param name="self">Its own key.</param>
    /// <param name="options">What its owner says.</param>
    /// <param name="random">Names offers; seeded by the shell.</param>
    public WorkerNode(PeerId self, WorkerOptions options, Prng random)
    {
        Options = options;
        capacity = new Capacity(options.Resources);
        outbox = new Outbox(principals);
        executor = new Executor(capacity, leases, outbox, groups, principals);
        arbiter = new Arbiter(self, options, random, capacity, leases, executor, groups, principals);
        confirmations = new Confirmations(arbiter, capacity, leases, executor, outbox, complaints);
        told = new Told();
        hearing = new Hearing(self);
        receipts = new Receipts();
        departure = new Departure(arbiter, executor, leases, outbox);
        Apply(options);
    }

    /// <summary>What its owner says now.</summary>
    public WorkerOptions Options { get; private set; }

    /// <summary>Attempts under lease, orphaned, or being ended.</summary>
    public int Attempts => leases.Count;

    /// <summary>Results that wait for their scheduler.</summary>
    public int Results => outbox.Count;

    /// <summary>Its leases, for who checks it from outside.</summary>
    internal LeaseTable Leases => leases;

    /// <summary>Its market side, for who checks it from outside.</summary>
    internal Arbiter Market => arbiter;

    /// <summary>When a step is due though nothing comes in; <see cref="Instant.Never"/> if none is. May be early, never late.</summary>
    public Instant NextDeadline
    {
        get
        {
            Instant next = Instant.Min(Instant.Min(leases.NextDeadline, executor.NextDeadline), Instant.Min(outbox.NextDeadline, arbiter.NextDeadline));
            return Instant.Min(next, Instant.Min(Instant.Min(told.NextDeadline, receipts.NextDeadline), departure.NextDeadline));
        }
    }

    /// <summary>Runs what is due, then takes an input in.</summary>
    public void Step(WorkerInput input, Instant now, List<WorkerEffect> effects)
    {
        RunDue(now, effects);
        switch (input)
        {
            case WorkerInput.AttemptEnded ended:
                OnEnded(ended, now);
                break;
            case WorkerInput.AttemptStarted started:
                OnStarted(started, now);
                break;
            case WorkerInput.Received received:
                OnMessage(received.From, received.Message, now, effects);
                break;
            case WorkerInput.PeerGone or WorkerInput.Tick:
                // A closed connection is a hint about the connection; leases, holds and resends have their own time.
                break;
            case WorkerInput.Refused refused:
                Bad(refused.From, MessageKind.None, refused.What, effects);
                break;
            case WorkerInput.RoundTrip trip:
                schedulers.ObserveRoundTrip(trip.Peer, trip.Time);
                break;
            case WorkerInput.Utc utc:
                (utcAtSet, utcSetAt) = (utc.Time, now);
                break;
            case WorkerInput.Configure configure:
                Configure(configure.Options);
                break;
            case WorkerInput.SwarmSize size:
                hearing.SetSwarmSize(size.Workers);
                break;
            case WorkerInput.Drain drain:
                departure.Drain(drain.Within, now, UtcAt(now), GiveBack, effects);
                break;
            case WorkerInput.Ends ends:
                departure.EndWithin(ends.Within, now);
                break;
            case WorkerInput.Degraded d:
                departure.SetDegraded(d.What);
                break;
            case WorkerInput.Recovered:
                departure.SetDegraded(null);
                break;
            case WorkerInput.Restored restored:
                Restore(restored, now);
                break;
            default:
                Invariant.Fail($"input {input.GetType().Name}");
                break;
        }
    }

    /// <summary>Ends a batch: starts, sends and offers what its inputs made possible.</summary>
    public void Flush(Instant now, List<WorkerEffect> effects)
    {
        RunDue(now, effects);
        executor.Launch(now, effects);
        bool sendsResults = outbox.Flush(now, schedulers, effects, all: departure.IsUnderWay || heartbeats.Count > 0, isSupplied: executor.Waiting > 0);
        told.Flush(effects);
        receipts.Flush(now, goesAlong: sendsResults || departure.IsUnderWay || heartbeats.Count > 0, effects);
        arbiter.Flush(now, UtcAt(now), effects);
        hearing.Flush(Options, capacity, now, effects);
        foreach ((PeerId to, KnownScheduler scheduler, long number) in heartbeats)
            effects.Add(new WorkerEffect.Send(to, new HeartbeatReply(number, scheduler.LeaseSet, Told.StartedOf(scheduler, leases))));
        heartbeats.Clear();
        departure.Flush(now, effects);
    }

    /// <summary>What must hold after a flush if this code is right. Walks everything: for tests and simulations.</summary>
    public void CheckInvariants()
    {
        leases.CheckInvariants();
        executor.CheckInvariants();
        outbox.CheckInvariants();
        arbiter.CheckInvariants();
        capacity.CheckInvariants(TakenGrants());
        for (Lease? lease = leases.First; lease is not null; lease = LeaseTable.After(lease))
            Invariant.Check(!outbox.Contains(lease.Id));
    }

    /// <summary>What it shows of itself on the market.</summary>
    public NodeState Describe(Instant now) =>
        NodeView.Of(Options, capacity, executor, arbiter, now, UtcAt(now), departure.IsUnderWay) with { Complaints = complaints.Worst };

    private UtcTime UtcAt(Instant now) => utcAtSet + (now - utcSetAt);

    private void RunDue(Instant now, List<WorkerEffect> effects)
    {
        if (now >= leases.NextDeadline)
            EndLeases(now, effects);
        executor.RunDue(now, effects);
        arbiter.RunDue(now, effects);
        outbox.RunDue(now, UtcAt(now), schedulers, effects);
        told.RunDue(now);
        departure.RunDue(now, UtcAt(now), GiveBack, effects);
    }

    /// <summary>
    /// Leases that were not renewed: attempts in line are dropped, since nothing was begun; those that must stop are killed; the others run on
    /// as orphans, with their resources, up to their own time-out.
    /// </summary>
    private void EndLeases(Instant now, List<WorkerEffect> effects)
    {
        leases.CollectDue(now, due);
        var ended = new SortedDictionary<PeerId, (int Orphaned, int Stopped, int Dropped)>();
        foreach (Lease lease in due)
        {
            var attempt = (Attempt)lease;
            (int orphaned, int stopped, int dropped) = ended.GetValueOrDefault(lease.Scheduler.Id);
            if (attempt.Phase is not (AttemptPhase.Running or AttemptPhase.Ending))
            {
                GiveBack(attempt);
                dropped++;
            }
            else if (attempt.StopsAtEnd)
            {
                LeaseTable.Stop(attempt);
                executor.End(attempt, Outcome.LeaseLost, "its lease ended while no scheduler was there", TimeSpan.Zero, now, UtcAt(now), effects);
                stopped++;
            }
            else
            {
                LeaseTable.Orphan(attempt);
                orphaned++;
            }
            ended[lease.Scheduler.Id] = (orphaned, stopped, dropped);
        }
        due.Clear();
        foreach ((PeerId scheduler, (int orphaned, int stopped, int dropped)) in ended)
            effects.Add(new WorkerEffect.Observe(new WorkerObservation.LeasesEnded(scheduler, orphaned, stopped, dropped)));
        arbiter.Wake();
    }

    private void OnStarted(WorkerInput.AttemptStarted started, Instant now)
    {
        if (!leases.TryGet(started.Attempt, out Lease? lease))
            return;
        var attempt = (Attempt)lease;
        executor.Started(attempt, started.At, now);
        told.Started(attempt, now);
    }

    private void OnEnded(WorkerInput.AttemptEnded ended, Instant now)
    {
        // Only what was launched can end; anything else is a report about an attempt that is no more.
        if (!leases.TryGet(ended.Attempt, out Lease? lease) || lease is not Attempt { Phase: AttemptPhase.Running or AttemptPhase.Ending } attempt)
            return;
        executor.Ended(attempt, ended, now, UtcAt(now));
        arbiter.OnEnded(attempt.Line.Terms.Group);
    }

    private void OnMessage(PeerId from, Message message, Instant now, List<WorkerEffect> effects)
    {
        switch (message)
        {
            case Ad ad:
                OnAd(from, ad, now, effects);
                break;
            case Confirm confirm:
                OnConfirm(from, confirm, now, effects);
                break;
            case Heartbeat heartbeat:
                OnHeartbeat(from, heartbeat, now, effects);
                break;
            case Reconcile reconcile:
                OnReconcile(from, reconcile, now, effects);
                break;
            case ResultAck ack:
                OnResultAck(from, ack, now);
                break;
            case Go go:
                foreach (Attempt attempt in AttemptsOf(from, MessageKind.Go, go.Attempts, effects))
                    executor.Go(attempt);
                break;
            case Cancel cancel:
                foreach (Attempt attempt in AttemptsOf(from, MessageKind.Cancel, cancel.Attempts, effects))
                    End(attempt, cancel.Reason, cancel.Grace, now, effects);
                arbiter.Wake();
                break;
            case Release release:
                foreach (Attempt attempt in AttemptsOf(from, MessageKind.Release, release.Attempts, effects))
                    if (attempt.Phase is AttemptPhase.Running or AttemptPhase.Ending)
                        End(attempt, CancelReason.Settled, Executor.Grace, now, effects);
                    else
                        GiveBack(attempt);
                arbiter.Wake();
                break;
            case Steal steal:
                OnSteal(from, steal, effects);
                break;
            case Closed closed:
                arbiter.OnClosed(from, closed);
                break;
            case Extend extend:
                arbiter.OnExtend(from, extend, now);
                break;
            case Probe probe:
                effects.Add(new WorkerEffect.Send(from, new ProbeReply(probe.Nonce, probe.Market ? Describe(now) : null)));
                break;
            default:
                Bad(from, MessageKind.None, $"a {message.GetType().Name} is not for workers", effects);
                break;
        }
    }

    private void OnAd(PeerId from, Ad ad, Instant now, List<WorkerEffect> effects)
    {
        if (ad.Principal != Options.Sandbox.Owner && adRates.Take(ad.Principal, now) is { } tooMany)
        {
            Bad(from, MessageKind.Ad, tooMany, effects);
            return;
        }
        if (Meet(from, ad.Scheduler, ad.Epoch, MessageKind.Ad, now, effects) is not { } scheduler || !scheduler.Ads.TryAccept(ad.Sequence))
        {
            effects.Add(new WorkerEffect.Observe(new WorkerObservation.Replayed(from, ad.Id)));
            return;
        }
        arbiter.OnAd(from, ad, scheduler, now, UtcAt(now), effects);
    }

    private void OnConfirm(PeerId from, Confirm confirm, Instant now, List<WorkerEffect> effects)
    {
        if (Meet(from, confirm.Scheduler, confirm.Epoch, MessageKind.Confirm, now, effects) is not { } scheduler)
        {
            effects.Add(new WorkerEffect.Send(from, new Nack(confirm.Offer, NackReason.OldEpoch, [])));
            return;
        }
        StoreEpoch(scheduler, effects);
        confirmations.Handle(from, confirm, scheduler, now, UtcAt(now), effects);
    }

    private void OnHeartbeat(PeerId from, Heartbeat heartbeat, Instant now, List<WorkerEffect> effects)
    {
        bool begins = !schedulers.TryGet(heartbeat.Scheduler, out KnownScheduler? known) || heartbeat.Epoch.CompareTo(known.Epoch) > 0;
        if (Meet(from, heartbeat.Scheduler, heartbeat.Epoch, MessageKind.Heartbeat, now, effects) is not { } scheduler
            || !LeaseTable.TryRenew(scheduler, heartbeat.Number, heartbeat.Lease, heartbeat.Heard, now))
            return;
        if (begins)
            Reconciliation.Adopt(scheduler, heartbeat.Lease, leases, now, effects);
        StoreEpoch(scheduler, effects);
        if (scheduler.LiveStopping > 0)
            effects.Add(new WorkerEffect.LeasesUntil(scheduler.Id, scheduler.StoppingRenewedUntil));
        outbox.Nudge(scheduler.Id, now);
        heartbeats.Add((from, scheduler, heartbeat.Number));
    }

    private void OnReconcile(PeerId from, Reconcile reconcile, Instant now, List<WorkerEffect> effects)
    {
        if (Meet(from, reconcile.Scheduler, reconcile.Epoch, MessageKind.Reconcile, now, effects) is not { } scheduler)
            return;
        StoreEpoch(scheduler, effects);
        Reconciliation.Adopt(reconcile, scheduler, leases, now, effects);
        if (scheduler.LiveStopping > 0 && leases.FirstEndOfStopping(scheduler) is var until && until > now)
            effects.Add(new WorkerEffect.LeasesUntil(scheduler.Id, until));
        if (!reconcile.Complete)
            return;
        Reconciliation.Answer(from, reconcile.Epoch, reconcile.Round, scheduler, leases, outbox, effects);
        outbox.Nudge(scheduler.Id, now, asked: true);
    }

    private void OnResultAck(PeerId from, ResultAck ack, Instant now)
    {
        foreach (AttemptId id in ack.Attempts)
        {
            if (outbox.SchedulerOf(id) is not { } scheduler || !Speaks(from, scheduler) || outbox.Acknowledge(scheduler, id) is not { } result)
                continue;
            Credits amount = receipts.Add(from, result, schedulers.TryGet(scheduler, out KnownScheduler? known) && known.IsRttMeasured ? known.Rtt.Value : TimeSpan.Zero);
            arbiter.Credit?.Of(result.Principal, UtcAt(now))?.Charge(id, amount);
        }
        // Starts were held back while too many results waited, or offers were.
        if (executor.Waiting > 0 || Options.Quota.BytesMax < long.MaxValue)
            arbiter.Wake();
    }

    private void OnSteal(PeerId from, Steal steal, List<WorkerEffect> effects)
    {
        var given = ImmutableArray.CreateBuilder<AttemptId>();
        foreach (Attempt attempt in AttemptsOf(from, MessageKind.Steal, steal.Attempts, effects))
        {
            if (attempt.Phase != AttemptPhase.Waiting)
                continue;
            given.Add(attempt.Id);
            GiveBack(attempt);
        }
        effects.Add(new WorkerEffect.Send(from, new Notice(NoticeKind.Returned, given.ToImmutable(), TimeSpan.Zero)));
    }

    /// <summary>The named attempts that are here and whose scheduler <paramref name="from"/> speaks for.</summary>
    private List<Attempt> AttemptsOf(PeerId from, MessageKind kind, ImmutableArray<AttemptId> ids, List<WorkerEffect> effects)
    {
        var found = new List<Attempt>(ids.Length);
        bool isForeign = false;
        foreach (AttemptId id in ids)
        {
            if (!leases.TryGet(id, out Lease? lease))
                continue;
            if (lease.Scheduler.Speaker == from)
                found.Add((Attempt)lease);
            else
                isForeign = true;
        }
        if (isForeign)
            Bad(from, kind, "names attempts of another scheduler", effects);
        return found;
    }

    private void End(Attempt attempt, CancelReason reason, TimeSpan grace, Instant now, List<WorkerEffect> effects)
    {
        // An attempt that is named twice in one message is gone the second time.
        if (attempt.Phase == AttemptPhase.Over)
            return;
        if (reason == CancelReason.Unknown || attempt.Phase is AttemptPhase.Running)
            effects.Add(new WorkerEffect.Observe(new WorkerObservation.Ending(attempt.Id, Outcome.Cancelled)));
        executor.End(attempt, Outcome.Cancelled, reason.Detail(), grace, now, UtcAt(now), effects);
    }

    /// <summary>Takes an attempt that has not started out, without a result.</summary>
    private void GiveBack(Attempt attempt)
    {
        if (attempt.Phase == AttemptPhase.Over)
            return;
        arbiter.Credit?.Find(attempt.Principal)?.Release(attempt.Id);
        executor.Return(attempt);
    }

    /// <summary>The scheduler that a message names, if its epoch is not over and there is room to know it.</summary>
    private KnownScheduler? Meet(PeerId from, PeerId id, Epoch epoch, MessageKind kind, Instant now, List<WorkerEffect> effects)
    {
        Standing standing = schedulers.Meet(id, epoch, from, now, out KnownScheduler? scheduler, out KnownScheduler? forgotten);
        if (forgotten is { IsEpochStored: true })
            effects.Add(new WorkerEffect.DropEpoch(forgotten.Id));
        if (standing == Standing.Begins)
            arbiter.Standing.DropOlder(scheduler!);
        if (standing == Standing.NoRoom)
            Bad(from, kind, $"more than {WorkerOptions.SchedulersMax} schedulers at once", effects);
        return standing is Standing.Current or Standing.Begins ? scheduler : null;
    }

    /// <summary>Who speaks for a scheduler now: itself, or a standby that has taken its place.</summary>
    public PeerId SpeakerOf(PeerId scheduler) => schedulers.TryGet(scheduler, out KnownScheduler? known) ? known.Speaker : scheduler;

    private bool Speaks(PeerId from, PeerId scheduler) => SpeakerOf(scheduler) == from;

    private static void StoreEpoch(KnownScheduler scheduler, List<WorkerEffect> effects)
    {
        if (scheduler.IsEpochStored)
            return;
        scheduler.IsEpochStored = true;
        effects.Add(new WorkerEffect.StoreEpoch(scheduler.Id, scheduler.Epoch));
    }

    private void Bad(PeerId from, MessageKind kind, string what, List<WorkerEffect> effects)
    {
        complaints.Note(from, what);
        effects.Add(new WorkerEffect.Observe(new WorkerObservation.BadMessage(from, kind, what)));
    }

    private void Configure(WorkerOptions options)
    {
        if (options.Resources != Options.Resources)
        {
            arbiter.GiveUpHolds();
            capacity.Resize(options.Resources, TakenGrants());
        }
        Apply(options);
    }

    private void Apply(WorkerOptions options)
    {
        Options = options;
        outbox.AgeMax = options.OutboxAge;
        outbox.BytesMax = options.OutboxBytesMax;
        executor.Reserve = options.Pricing.Reserve;
        executor.Sandbox = options.Sandbox;
        executor.Quota = options.Quota;
        arbiter.Configure(options);
        departure.SetIdleTimeout(options.IdleTimeout);
        hearing.Changed();
    }

    private IEnumerable<Grant> TakenGrants()
    {
        for (Lease? lease = leases.First; lease is not null; lease = LeaseTable.After(lease))
            if (((Attempt)lease).Grant is { } grant)
                yield return grant;
        foreach (Grant grant in arbiter.Holds.Grants)
            yield return grant;
    }

    private void Restore(WorkerInput.Restored restored, Instant now)
    {
        foreach (SchedulerEpoch known in restored.Epochs)
            schedulers.Restore(known.Scheduler, known.Epoch);
        foreach (StoredResult result in restored.Outbox)
            outbox.Restore(result, now);
        foreach (PastCharge charge in restored.Charges)
            arbiter.Credit?.Of(charge.Principal, charge.At)?.Charge(charge.Attempt, charge.Amount);
        foreach (Leftover leftover in restored.Leftovers)
        {
            var result = new AttemptResult
            {
                Attempt = leftover.Attempt, Outcome = Outcome.NodeFault, Detail = "the node was restarted and ended what ran",
            };
            outbox.Add(new StoredResult(leftover.Scheduler, Principal.Local, Price.Zero, UtcAt(now), result));
        }
    }
}

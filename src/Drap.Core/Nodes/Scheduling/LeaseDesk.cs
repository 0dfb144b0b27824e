using System.Collections.Immutable;
using Drap.Core.Jobs;
using Drap.Core.Leases;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// Keeps leases alive and finds those that are not: heartbeats, suspicion, reconciliation after every kind of return, and the end of
/// leases that nobody renewed.
/// </summary>
internal sealed class LeaseDesk(SchedulerContext context, PlacementDesk placement, SettlementDesk settlement, MoneyDesk money)
{
    /// <summary>How long a worker may take to begin, and to end beyond a time-out.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);

    private static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(1);

    /// <summary>A reconciliation whose answer did not come is begun anew.</summary>
    private static readonly TimeSpan RoundTimeout = TimeSpan.FromSeconds(2);

    private readonly Dictionary<PeerId, Round> rounds = [];
    private ulong nonce;
    private long reconciliations;

    /// <summary>Attempts of an earlier epoch: nobody knows how they stand until their workers say.</summary>
    public void Adopt(AttemptId id, OpenAttempt open)
    {
        // What it ran before our start counts for its bill too; the wall clock is all that is left of it, and may have been set back.
        TimeSpan ago = context.Utc.CompareTo(open.At) > 0 ? context.Utc - open.At : TimeSpan.Zero;
        context.Leases.Add(new LeasedAttempt(id, open.Worker, -1, open.Ask) { Phase = LeasePhase.Suspected, PlacedAt = context.Now - ago }, context.Now);
        if (context.State.TryGet(id.Task.Job, out JobRun? job))
        {
            job.SegmentOf(id.Task.Number).Live++;
            job.Budget.TryReserve(id, Credits.Zero);
            if (job.End == JobEnd.None)
                context.Allocator.Serves(job.Number, open.Worker);
        }
    }

    /// <summary>
    /// Whether an attempt is this worker's, or was one of the last of its task: what it wrote may come after its end. Of a job that is forgotten nobody has any.
    /// </summary>
    public bool HasOrHad(PeerId worker, AttemptId id)
    {
        if (context.Leases.TryGet(id, out LeasedAttempt? attempt))
            return attempt.Worker == worker;
        int number = id.Task.Number;
        if (!context.State.TryGet(id.Task.Job, out JobRun? job) || number < 1 || number > job.Tasks.Count)
            return false;
        return IsAt(job.Tasks.Node(number)) || job.Tasks.History(number).Any(past => IsAt(past.Node));

        bool IsAt(int node) => node >= 0 && context.State.Node(node).Peer == worker;
    }

    /// <summary>Asks every worker that should hold something whether it does.</summary>
    public void ReconcileAll()
    {
        foreach (PeerId worker in context.Leases.ActiveWorkers.ToArray())
            Reconcile(context.Leases.Of(worker, context.Now));
    }

    /// <summary>Any message is a sign of life; the first after a silence opens the books.</summary>
    public void Heard(PeerId from)
    {
        if (context.Leases.TryOf(from) is not { } leases)
            return;
        // What was given up may still be there, as an orphan that keeps its resources: its worker is told, again until it has answered.
        if (leases.GaveUp && (!rounds.TryGetValue(from, out Round? round) || context.Now >= round.SentAt + RoundTimeout))
            Reconcile(leases);
        if (!context.Leases.IsActive(from))
            return;
        leases.Suspicion.Heard(context.Now);
        if (!leases.Suspected)
            return;
        leases.Suspected = false;
        leases.NextHeartbeat = context.Now;
        context.Leases.Reschedule(leases);
        Reconcile(leases);
    }

    public void OnHeartbeatReply(PeerId from, HeartbeatReply reply)
    {
        if (!context.Leases.IsActive(from))
            return;
        WorkerLeases leases = context.Leases.Of(from, context.Now);
        if (LeaseBook.Replied(leases, reply, context.Now))
            Reconcile(leases);
        OnStarted(from, reply.Started);
    }

    public void OnStarted(PeerId from, ImmutableArray<AttemptId> started)
    {
        foreach (AttemptId id in started)
            if (context.Leases.TryGet(id, out LeasedAttempt? attempt) && attempt.Worker == from && attempt.Phase != LeasePhase.Running)
            {
                context.Leases.Acknowledge(attempt, context.Now, running: true);
                if (context.State.TryGet(id.Task.Job, out JobRun? job))
                    context.Touch(job, id.Task.Number);
            }
    }

    /// <summary>A closed connection is a hint: probe, then act.</summary>
    public void OnPeerGone(PeerId peer)
    {
        if (!context.Leases.IsActive(peer))
            return;
        WorkerLeases leases = context.Leases.Of(peer, context.Now);
        leases.Suspicion.Doubt(context.Now, leases.RoundTrip);
        context.Leases.Reschedule(leases);
        leases.Asked = ++nonce;
        context.Emit(new SchedulerEffect.Send(peer, new Probe(nonce, false)));
    }

    /// <summary>It is there, over a new connection.</summary>
    public void OnProbeReply(PeerId from, ProbeReply reply)
    {
        if (reply.State is not null || context.Leases.TryOf(from) is not { } leases || leases.Asked != reply.Nonce)
            return;
        leases.Suspicion.Trust(context.Now);
        context.Leases.Reschedule(leases);
    }

    /// <summary>These were given back unstarted, or refused: they never were. The groups that they are of.</summary>
    public IReadOnlyCollection<int> GiveBack(PeerId from, ImmutableArray<AttemptId> attempts, string why)
    {
        var groups = new SortedSet<int>();
        foreach (AttemptId id in attempts)
            if (context.Leases.TryGet(id, out LeasedAttempt? attempt) && attempt.Worker == from && context.State.TryGet(id.Task.Job, out JobRun? job))
            {
                groups.Add(attempt.Group);
                Return(job, attempt, why);
            }
        return groups;
    }

    /// <summary>
    /// The worker goes now: what it had gets TERM, and a grace. What may run twice is placed again at once; what may not when its end is told,
    /// or with the lease's end if nobody is left to tell it.
    /// </summary>
    public void OnLeaving(PeerId from, string why)
    {
        if (context.Leases.IsActive(from))
            LoseAll(context.Leases.Of(from, context.Now), why, a => !IsExclusive(a));
    }

    private bool IsExclusive(LeasedAttempt attempt) =>
        context.State.TryGet(attempt.Id.Task.Job, out JobRun? job) && job.SegmentOf(attempt.Id.Task.Number).Spec.Exclusive;

    public void OnReconcileReply(PeerId from, ReconcileReply reply)
    {
        // An answer to an earlier question does not know of what was confirmed since.
        if (!rounds.TryGetValue(from, out Round? round) || reply.Epoch != context.Epoch || reply.Round != round.Number)
            return;
        round.Held.UnionWith(reply.Held);
        round.Known.UnionWith(reply.Held);
        round.Known.UnionWith(reply.Finished);
        round.IsComplete |= reply.Complete;
        // The last part may come before others, or without them.
        if (!round.IsComplete || round.Known.Count < reply.Total)
            return;
        rounds.Remove(from);
        WorkerLeases leases = context.Leases.Of(from, context.Now);
        leases.GaveUp = false;
        CancelPhantoms(from, round);
        int lost = 0;
        foreach (LeasedAttempt attempt in leases.Attempts.Values.OrderBy(a => a.Id).ToArray())
        {
            if (round.Known.Contains(attempt.Id))
            {
                if (attempt.Phase == LeasePhase.Suspected)
                    context.Leases.Acknowledge(attempt, context.Now, running: true);
            }
            else if (round.Asked.Contains(attempt.Id) && context.State.TryGet(attempt.Id.Task.Job, out JobRun? job))
            {
                lost++;
                settlement.Lose(job, attempt, "the worker does not know of it any more");
            }
        }
        leases.LeaseEnd = context.Now + LeaseBook.LeaseTime + LeaseBook.Margin;
        context.Emit(new SchedulerEffect.Observe(new SchedulerObservation.Reconciled(from, round.Known.Count, lost)));
    }

    /// <summary>Heartbeats that are due, silences that are too long, leases that are over.</summary>
    public void Tick()
    {
        foreach (PeerId worker in context.Leases.Due(context.Now))
        {
            WorkerLeases leases = context.Leases.Of(worker, context.Now);
            if (leases.Suspected)
            {
                if (context.Now >= leases.LeaseEnd)
                {
                    leases.GaveUp = true;
                    LoseAll(leases, "its lease ended while the worker was silent", _ => true);
                }
                else if (context.Now >= leases.NextHeartbeat)
                {
                    leases.NextHeartbeat = context.Now + ProbeInterval;
                    context.Emit(new SchedulerEffect.Send(worker, new Probe(++nonce, false)));
                }
            }
            else if (context.Now >= leases.Suspicion.Deadline)
            {
                Suspect(leases);
            }
            else if (context.Now >= leases.NextHeartbeat)
            {
                context.Emit(new SchedulerEffect.Send(worker, LeaseBook.Beat(leases, context.Options.Scheduler, context.Epoch, context.Now)));
                CancelAgain(leases);
                money.Extend(leases);
                ReplaceOverdue(leases);
                if (leases.Unknown > 0 && (!rounds.TryGetValue(worker, out Round? round) || context.Now >= round.SentAt + RoundTimeout))
                    Reconcile(leases);
            }
            context.Leases.Reschedule(leases);
        }
    }

    /// <summary>
    /// A worker may renew for ever what it does not run, or never ends. What has not begun a quarter of an hour after it was placed (its inputs may be large), or runs as much beyond its own
    /// time-out, is placed anew, and counts against the worker; it may still deliver first. Not so what must not run twice: a person sees it, and may end it.
    /// </summary>
    private void ReplaceOverdue(WorkerLeases leases)
    {
        if (!leases.Attempts.Values.Any(a => a.PlacedAt + Patience < context.Now))
            return;
        foreach (LeasedAttempt attempt in leases.Attempts.Values.Where(a => a is { Replaced: false, Cancelled: null } && a.PlacedAt + Patience < context.Now).OrderBy(a => a.Id).ToArray())
        {
            int number = attempt.Id.Task.Number;
            if (!context.State.TryGet(attempt.Id.Task.Job, out JobRun? job) || job.Tasks.State(number) != TaskState.Placed
                || job.SegmentOf(number).Spec is { Exclusive: true } or { Nodes: not null })
                continue;
            bool hasBegun = attempt.Phase is LeasePhase.Running or LeasePhase.Delivering;
            if (hasBegun && attempt.PlacedAt + Patience + job.SegmentOf(number).Spec.Timeout > context.Now)
                continue;
            string why = hasBegun ? "it did not end a task that had passed its time-out" : $"it did not begin a task within {Patience.TotalMinutes:0} minutes";
            context.Allocator.Fault(leases.Worker, context.Now, why);
            context.Complaints.Note(leases.Worker, why);
            attempt.Replaced = true;
            placement.Again(job, number, leases.Worker, TimeSpan.Zero);
        }
    }

    private void CancelAgain(WorkerLeases leases)
    {
        foreach (IGrouping<CancelReason, LeasedAttempt> unwanted in leases.Attempts.Values.Where(a => a.Cancelled is not null)
            .GroupBy(a => a.Cancelled!.Value).OrderBy(g => g.Key))
            foreach (LeasedAttempt[] chunk in unwanted.OrderBy(a => a.Id).Chunk(Confirm.TasksMax))
                context.EmitDurable(new SchedulerEffect.Send(leases.Worker, new Cancel([.. chunk.Select(a => a.Id)], unwanted.Key, JobDesk.Grace)));
    }

    /// <summary>The worker is silent: what may run twice is placed again at once, what may not waits for the lease's end.</summary>
    private void Suspect(WorkerLeases leases)
    {
        leases.Suspected = true;
        leases.NextHeartbeat = context.Now;
        rounds.Remove(leases.Worker);
        string why = leases.Suspicion.IsDoubted ? "its connection closed, and it did not answer" : $"silent for {(context.Now - leases.Suspicion.LastHeard).TotalSeconds:0.#} s";
        context.Allocator.Fault(leases.Worker, context.Now, why);
        context.Emit(new SchedulerEffect.Observe(new SchedulerObservation.Suspected(
            leases.Worker, context.Now - leases.Suspicion.LastHeard, leases.Attempts.Count)));
        foreach (LeasedAttempt attempt in leases.Attempts.Values.OrderBy(a => a.Id).ToArray())
        {
            int number = attempt.Id.Task.Number;
            if (attempt.Replaced || !context.State.TryGet(attempt.Id.Task.Job, out JobRun? job)
                || job.Tasks.State(number) != TaskState.Placed || job.SegmentOf(number).Spec.Exclusive || job.SegmentOf(number).Spec.Nodes is not null)
                continue;
            attempt.Replaced = true;
            placement.Again(job, number, leases.Worker, TimeSpan.Zero);
        }
    }

    private void LoseAll(WorkerLeases leases, string why, Func<LeasedAttempt, bool> which)
    {
        LeasedAttempt[] all = [.. leases.Attempts.Values.Where(which).OrderBy(a => a.Id)];
        context.Emit(new SchedulerEffect.Observe(new SchedulerObservation.Lost(leases.Worker, all.Length, why)));
        foreach (LeasedAttempt attempt in all)
            if (context.State.TryGet(attempt.Id.Task.Job, out JobRun? job))
                settlement.Lose(job, attempt, why);
    }

    private void Return(JobRun job, LeasedAttempt attempt, string why)
    {
        context.Leases.Remove(attempt);
        placement.Left(job, attempt, TimeSpan.Zero);
        job.Budget.Settle(attempt.Id, Credits.Zero);
        int number = attempt.Id.Task.Number;
        bool wanted = job.Tasks.State(number) is TaskState.Placed or TaskState.Ready;
        var result = new AttemptResult { Attempt = attempt.Id, Outcome = Outcome.Cancelled, Detail = why };
        context.RecordEnd(job, new EndedAttempt(result, Verdict.Returned, attempt.Worker, Credits.Zero));
        if (wanted)
            placement.Again(job, number, default, TimeSpan.Zero);
    }

    private void Reconcile(WorkerLeases leases)
    {
        // A confirmation under way may arrive after this; only what the worker has acknowledged, or an earlier epoch placed, is asked for.
        AttemptId[] asked = [.. leases.Attempts.Values.Where(a => a.Phase != LeasePhase.Confirmed).Select(a => a.Id).Order()];
        var round = new Round(++reconciliations, context.Now, [.. asked]);
        rounds[leases.Worker] = round;
        AttemptId[] named = [.. leases.Attempts.Keys.Order()];
        // What is named is renewed, whether or not the answer comes.
        leases.LeaseEnd = Instant.Max(leases.LeaseEnd, context.Now + LeaseBook.LeaseTime + LeaseBook.Margin);
        for (int i = 0; i == 0 || i < named.Length; i += Messages.Reconcile.AttemptsMax)
            context.EmitDurable(new SchedulerEffect.Send(leases.Worker, new Reconcile(
                context.Options.Scheduler, context.Epoch, LeaseBook.LeaseTime, [.. named.Skip(i).Take(Messages.Reconcile.AttemptsMax)],
                i + Messages.Reconcile.AttemptsMax >= named.Length, round.Number)));
    }

    /// <summary>What a worker holds that is not in the book was given up, taken back, or never heard of its end.</summary>
    private void CancelPhantoms(PeerId worker, Round round)
    {
        foreach (AttemptId[] chunk in round.Held.Where(id => !context.Leases.TryGet(id, out _)).Order().Chunk(Confirm.TasksMax))
            context.EmitDurable(new SchedulerEffect.Send(worker, new Cancel([.. chunk], CancelReason.Unknown, JobDesk.Grace)));
    }

    private sealed record Round(long Number, Instant SentAt, HashSet<AttemptId> Asked)
    {
        /// <summary>What the worker holds, as far as it has said.</summary>
        public HashSet<AttemptId> Held { get; } = [];

        /// <summary>The same with what has finished there.</summary>
        public HashSet<AttemptId> Known { get; } = [];

        /// <summary>The last part has come.</summary>
        public bool IsComplete { get; set; }
    }
}

using System.Diagnostics.CodeAnalysis;
using Drap.Core.Health;
using Drap.Core.Messages;

namespace Drap.Core.Leases;

/// <summary>How far one attempt has come, as its scheduler knows.</summary>
public enum LeasePhase : byte
{
    /// <summary>Confirmed, not yet acknowledged.</summary>
    Confirmed,

    /// <summary>Acknowledged: the lease stands.</summary>
    Leased,

    /// <summary>The worker said that it runs.</summary>
    Running,

    /// <summary>From an earlier epoch, or its worker is silent: nobody knows.</summary>
    Suspected,

    /// <summary>Its result has come, and counts when its outputs are safe: they are on their way here. The worker holds no lease of it any more.</summary>
    Delivering,
}

/// <summary>One attempt that the scheduler has placed and whose end it does not know.</summary>
/// <param name="Id">The attempt.</param>
/// <param name="Worker">Where it is.</param>
/// <param name="Group">Its group with the allocator; -1 for one from before the scheduler's start.</param>
/// <param name="Ask">The price agreed.</param>
public sealed record LeasedAttempt(AttemptId Id, PeerId Worker, int Group, Price Ask)
{
    /// <summary>How far it has come.</summary>
    public LeasePhase Phase { get; set; }

    /// <summary>When it was placed.</summary>
    public Instant PlacedAt { get; init; }

    /// <summary>For how long a run money was set aside when it was placed.</summary>
    public TimeSpan ReservedFor { get; init; }

    /// <summary>Until when the money that is set aside lasts; never while it does not run.</summary>
    public Instant PaidUntil { get; set; } = Instant.Never;

    /// <summary>Another attempt was put in its place; it may still deliver first.</summary>
    public bool Replaced { get; set; }

    /// <summary>Its worker was told to end it, and why; null if it is wanted.</summary>
    public CancelReason? Cancelled { get; set; }
}

/// <summary>The leases of one worker, as its scheduler sees them.</summary>
public sealed class WorkerLeases
{
    private readonly SmoothedRtt trips = new();
    private Instant beatAt;

    internal WorkerLeases(PeerId worker, Instant now)
    {
        Worker = worker;
        Suspicion = new Suspicion(now);
    }

    /// <summary>The worker.</summary>
    public PeerId Worker { get; }

    /// <summary>Its attempts, in no order.</summary>
    public Dictionary<AttemptId, LeasedAttempt> Attempts { get; } = [];

    /// <summary>Attempts of which nobody knows whether the worker has them.</summary>
    public int Unknown => Attempts.Values.Count(a => a.Phase == LeasePhase.Suspected);

    /// <summary>Signs of life.</summary>
    public Suspicion Suspicion { get; }

    /// <summary>A round trip, as heartbeats measure it; zero before the first was answered.</summary>
    public TimeSpan RoundTrip => trips.IsMeasured ? trips.Value : TimeSpan.Zero;

    /// <summary>Hash of the acknowledged leases; see <see cref="LeaseSetHash"/>.</summary>
    public ulong LeaseSet { get; internal set; }

    /// <summary>The number of the last heartbeat.</summary>
    public long Heartbeats { get; private set; }

    internal Instant Due { get; set; } = Instant.Never;

    /// <summary>One more than the number of the last heartbeat that was answered; 1 before the first answer.</summary>
    public long Heard { get; private set; } = 1;

    /// <summary>When the next heartbeat is due; never while there is no lease.</summary>
    public Instant NextHeartbeat { get; internal set; } = Instant.Never;

    /// <summary>When the leases end if no further renewal arrives there: our own estimate, on the late side.</summary>
    public Instant LeaseEnd { get; internal set; }

    /// <summary>The worker was silent for too long.</summary>
    public bool Suspected { get; internal set; }

    /// <summary>Attempts were given up while the worker was silent, and it has not said yet what it still holds.</summary>
    public bool GaveUp { get; internal set; }

    /// <summary>The nonce of the probe that was sent when its connection closed.</summary>
    public ulong Asked { get; internal set; }

    /// <summary>Replies in a row whose hash did not match.</summary>
    public int Mismatches { get; internal set; }

    internal void Beat(Instant now)
    {
        Heartbeats++;
        beatAt = now;
    }

    /// <summary>Only the answer to the last heartbeat tells how long it took.</summary>
    internal void Answered(long number, Instant now)
    {
        Suspicion.Answered(now);
        // One from before our start may say a number that is still to come.
        if (number <= Heartbeats)
            Heard = Math.Max(Heard, number + 1);
        if (number == Heartbeats)
            trips.Observe(now - beatAt);
    }
}

/// <summary>
/// The scheduler's side of all leases: which attempts are where, when to renew them, who is silent, and what is lost. A lease is in
/// a worker's set from its acknowledgement to its end; both sides hash that set, so a phantom shows within two heartbeats.
/// </summary>
public sealed class LeaseBook
{
    /// <summary>Attempts under way at once: 64 per worker of a swarm of ten thousand; further demand waits in its groups.</summary>
    public const int AttemptsMax = 1_000_000;

    /// <summary>A lease of 30 s outlives a network cut that people do not notice (design 5).</summary>
    public static readonly TimeSpan LeaseTime = TimeSpan.FromSeconds(30);

    /// <summary>A heartbeat each second: thirty may be lost before a lease is.</summary>
    public static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Added to our estimate of a lease's end before it counts as over: 1 % for clocks that drift apart (far more than quartz does), and
    /// a second for a message on its way.
    /// </summary>
    public static readonly TimeSpan Margin = TimeSpan.FromSeconds(1) + LeaseTime / 100;

    private readonly Dictionary<PeerId, WorkerLeases> workers = [];
    private readonly Dictionary<AttemptId, LeasedAttempt> attempts = [];
    private readonly Dictionary<TaskId, List<LeasedAttempt>> byTask = [];
    private readonly SortedSet<PeerId> active = [];
    private readonly SortedSet<(Instant At, PeerId Worker)> due = [];

    /// <summary>Attempts under way.</summary>
    public int Count => attempts.Count;

    /// <summary>Workers that hold any, in order.</summary>
    public IReadOnlyCollection<PeerId> ActiveWorkers => active;

    /// <summary>The leases of a worker; made on first use.</summary>
    public WorkerLeases Of(PeerId worker, Instant now)
    {
        if (!workers.TryGetValue(worker, out WorkerLeases? leases))
            workers[worker] = leases = new WorkerLeases(worker, now);
        return leases;
    }

    /// <summary>The leases of a worker; null if it never had any.</summary>
    public WorkerLeases? TryOf(PeerId worker) => workers.GetValueOrDefault(worker);

    /// <summary>Looks up an attempt under way.</summary>
    public bool TryGet(AttemptId id, [NotNullWhen(true)] out LeasedAttempt? attempt) => attempts.TryGetValue(id, out attempt);

    /// <summary>The attempts of a task that are under way.</summary>
    public IReadOnlyList<LeasedAttempt> OfTask(TaskId task) => byTask.TryGetValue(task, out List<LeasedAttempt>? copies) ? copies : [];

    /// <summary>The tasks that have attempts under way, in no order.</summary>
    public IReadOnlyCollection<TaskId> Tasks => byTask.Keys;

    /// <summary>A placement was decided.</summary>
    public void Add(LeasedAttempt attempt, Instant now)
    {
        Invariant.Check(attempts.TryAdd(attempt.Id, attempt));
        if (!byTask.TryGetValue(attempt.Id.Task, out List<LeasedAttempt>? copies))
            byTask[attempt.Id.Task] = copies = new List<LeasedAttempt>(1);
        copies.Add(attempt);
        WorkerLeases leases = Of(attempt.Worker, now);
        if (leases.Attempts.Count == 0)
        {
            leases.NextHeartbeat = now + HeartbeatInterval;
            leases.Suspicion.Heard(now);
            leases.Suspected = false;
            active.Add(attempt.Worker);
        }
        leases.LeaseEnd = Instant.Max(leases.LeaseEnd, now + LeaseTime + Margin);
        leases.Attempts.Add(attempt.Id, attempt);
        if (leases.Due == Instant.Never)
            Reschedule(leases);
        if (attempt.Phase is LeasePhase.Leased or LeasePhase.Running)
            leases.LeaseSet = LeaseSetHash.Toggle(leases.LeaseSet, attempt.Id);
    }

    /// <summary>The worker acknowledged the attempt, or named it as held.</summary>
    public void Acknowledge(LeasedAttempt attempt, Instant now, bool running = false)
    {
        // A word that was overtaken by the attempt's own end.
        if (attempt.Phase == LeasePhase.Delivering)
            return;
        WorkerLeases leases = Of(attempt.Worker, now);
        if (attempt.Phase is LeasePhase.Confirmed or LeasePhase.Suspected)
            leases.LeaseSet = LeaseSetHash.Toggle(leases.LeaseSet, attempt.Id);
        if (running && attempt.Phase != LeasePhase.Running)
            attempt.PaidUntil = now + attempt.ReservedFor;
        if (running || attempt.Phase is LeasePhase.Confirmed or LeasePhase.Suspected)
            attempt.Phase = running ? LeasePhase.Running : LeasePhase.Leased;
    }

    /// <summary>The attempt has ended, and its outputs are on their way: its worker has no lease of it any more.</summary>
    public void Deliver(LeasedAttempt attempt)
    {
        if (attempt.Phase is LeasePhase.Leased or LeasePhase.Running)
        {
            WorkerLeases leases = workers[attempt.Worker];
            leases.LeaseSet = LeaseSetHash.Toggle(leases.LeaseSet, attempt.Id);
        }
        attempt.Phase = LeasePhase.Delivering;
    }

    /// <summary>The attempt is over, lost or given back.</summary>
    public void Remove(LeasedAttempt attempt)
    {
        Invariant.Check(attempts.Remove(attempt.Id));
        List<LeasedAttempt> copies = byTask[attempt.Id.Task];
        copies.Remove(attempt);
        if (copies.Count == 0)
            byTask.Remove(attempt.Id.Task);
        WorkerLeases leases = workers[attempt.Worker];
        leases.Attempts.Remove(attempt.Id);
        if (attempt.Phase is LeasePhase.Leased or LeasePhase.Running)
            leases.LeaseSet = LeaseSetHash.Toggle(leases.LeaseSet, attempt.Id);
        if (leases.Attempts.Count == 0)
        {
            leases.NextHeartbeat = Instant.Never;
            leases.Mismatches = 0;
            active.Remove(attempt.Worker);
            Reschedule(leases);
        }
    }

    /// <summary>Drops what is known of a worker that holds nothing.</summary>
    public void Forget(PeerId worker)
    {
        if (workers.TryGetValue(worker, out WorkerLeases? leases) && leases.Attempts.Count == 0)
            workers.Remove(worker);
    }

    /// <summary>Makes the next heartbeat to a worker, and moves the estimate of its leases' end.</summary>
    public static Heartbeat Beat(WorkerLeases leases, PeerId scheduler, Epoch epoch, Instant now)
    {
        leases.NextHeartbeat = now + HeartbeatInterval;
        leases.LeaseEnd = now + LeaseTime + Margin;
        leases.Beat(now);
        return new Heartbeat(scheduler, epoch, leases.Heartbeats, LeaseTime, leases.LeaseSet, leases.Heard);
    }

    /// <summary>A reply came; true if the two sides disagree and the sets have to be compared.</summary>
    public static bool Replied(WorkerLeases leases, HeartbeatReply reply, Instant now)
    {
        leases.Answered(reply.Number, now);
        leases.Suspected = false;
        // One mismatch may be a result or a confirmation on its way; two in a row are not.
        leases.Mismatches = reply.LeaseSet == leases.LeaseSet ? 0 : leases.Mismatches + 1;
        if (leases.Mismatches < 2)
            return false;
        leases.Mismatches = 0;
        return true;
    }

    /// <summary>The next heartbeat, suspicion or lease end; may be early, which costs a look.</summary>
    public Instant NextDeadline => due.Count > 0 ? due.Min.At : Instant.Never;

    /// <summary>Whether the worker holds any attempt.</summary>
    public bool IsActive(PeerId worker) => active.Contains(worker);

    /// <summary>The workers that have to be looked at, in order; each is then given to <see cref="Reschedule"/>.</summary>
    public List<PeerId> Due(Instant now)
    {
        var found = new List<PeerId>();
        while (due.Count > 0 && due.Min.At <= now)
        {
            (Instant _, PeerId worker) = due.Min;
            due.Remove(due.Min);
            workers[worker].Due = Instant.Never;
            found.Add(worker);
        }
        return found;
    }

    /// <summary>Notes when the worker has to be looked at next.</summary>
    public void Reschedule(WorkerLeases leases)
    {
        if (leases.Due != Instant.Never)
            due.Remove((leases.Due, leases.Worker));
        leases.Due = Instant.Never;
        if (leases.Attempts.Count == 0)
            return;
        Instant end = leases.Suspected ? leases.LeaseEnd : leases.Suspicion.Deadline;
        leases.Due = Instant.Min(leases.NextHeartbeat, end);
        due.Add((leases.Due, leases.Worker));
    }

    /// <summary>The two indices and the hashes agree.</summary>
    public void CheckInvariants()
    {
        int count = 0;
        foreach (WorkerLeases leases in workers.Values)
        {
            ulong hash = 0;
            foreach (LeasedAttempt attempt in leases.Attempts.Values)
            {
                Invariant.Check(attempt.Worker == leases.Worker && attempts.ContainsKey(attempt.Id));
                if (attempt.Phase is LeasePhase.Leased or LeasePhase.Running)
                    hash = LeaseSetHash.Toggle(hash, attempt.Id);
            }
            Invariant.Check(hash == leases.LeaseSet);
            Invariant.Check(active.Contains(leases.Worker) == leases.Attempts.Count > 0);
            count += leases.Attempts.Count;
        }
        Invariant.Check(count == attempts.Count);
    }
}

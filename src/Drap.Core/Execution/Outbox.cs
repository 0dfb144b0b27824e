using System.Collections.Immutable;
using Drap.Core.Leases;
using Drap.Core.Messages;
using Drap.Core.Nodes;

namespace Drap.Core.Execution;

/// <summary>
/// Ends of attempts until their scheduler has them on disk. Ends that come within one batch go out in one message. What took longer than
/// a second is stored before it is sent; what was shorter only if nobody acknowledged it within 100 ms, since a sync for each would cost
/// more than doing the task again. Whatever is not acknowledged is sent again, less and less often. Not thread-safe.
/// </summary>
public sealed class Outbox
{
    /// <summary>Tasks that ran at least this long are stored before their result is sent.</summary>
    public static readonly TimeSpan StoreFirstFrom = TimeSpan.FromSeconds(1);

    /// <summary>After so long without an acknowledgement any result is stored.</summary>
    public static readonly TimeSpan StoreAfter = TimeSpan.FromMilliseconds(100);

    /// <summary>The first wait before results are sent again; doubled each time.</summary>
    public static readonly TimeSpan ResendFirst = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait: a scheduler that is back hears of its results within half a minute, sooner if it says anything itself.</summary>
    public static readonly TimeSpan ResendLongest = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Results of one scheduler that may wait while more of its tasks are started: half a second of the fastest tasks. A scheduler that
    /// acknowledges no faster is not given results faster.
    /// </summary>
    public const int UnacknowledgedMax = 16_384;

    /// <summary>Results in all, at about half a KiB of memory each: 32 MiB. Beyond it the oldest are dropped and counted.</summary>
    public const int EntriesMax = 65_536;

    /// <summary>While earlier results are on their way, later ones gather so long at most: a fifth of what makes a person wait.</summary>
    public static readonly TimeSpan GatherMax = TimeSpan.FromMilliseconds(5);

    /// <summary>
    /// While tasks stand in line here, the same: two fifths of what a line lasts (<see cref="Market.Arbitration.Backlog.Lasts"/>). They go with the
    /// first step in the last sixth of it, and short tasks bring many; so nobody is woken just for them.
    /// </summary>
    public static readonly TimeSpan GatherSuppliedMax = TimeSpan.FromMilliseconds(30);

    private static readonly TimeSpan GatherSupplied = GatherSuppliedMax * 5 / 6;

    private const int ResendMessagesMax = 4;

    /// <summary>A message is full at this size: with the largest single result on top (a thousand outputs with long names) it still fits a frame of 1 MiB.</summary>
    private const int MessageBytesMax = 192 * 1024;

    private readonly PrincipalBook principals;
    private readonly Dictionary<AttemptId, OutboxEntry> entries = [];
    private readonly SortedDictionary<PeerId, OutboxLane> lanes = [];
    private readonly List<AttemptId> toDrop = [];
    private long bytes;

    internal Outbox(PrincipalBook principals) => this.principals = principals;

    /// <summary>Results that wait.</summary>
    public int Count => entries.Count;

    /// <summary>The next look at what was sent. May be earlier than something is to be done.</summary>
    public Instant NextDeadline { get; private set; } = Instant.Never;

    /// <summary>How long a result waits for its scheduler.</summary>
    public TimeSpan AgeMax { get; set; }

    /// <summary>Bytes of results with their outputs.</summary>
    public long BytesMax { get; set; }

    /// <summary>Results of this scheduler that wait.</summary>
    public int CountOf(PeerId scheduler) => lanes.TryGetValue(scheduler, out OutboxLane? lane) ? lane.Count : 0;

    /// <summary>Whether a result of this attempt waits.</summary>
    public bool Contains(AttemptId attempt) => entries.ContainsKey(attempt);

    /// <summary>The attempts whose results wait for this scheduler, in order.</summary>
    public IEnumerable<AttemptId> Of(PeerId scheduler)
    {
        if (!lanes.TryGetValue(scheduler, out OutboxLane? lane))
            yield break;
        for (OutboxEntry? entry = lane.First; entry is not null; entry = entry.Next)
            yield return entry.Result.Result.Attempt;
    }

    /// <summary>Takes a result; it goes out with the next flush. One that is there already stays as it is.</summary>
    public void Add(StoredResult result)
    {
        if (TryAppend(result, isStored: false) is { } entry)
            entry.Lane.Fresh.Add(entry);
    }

    /// <summary>Takes back what an earlier run had stored; it is sent with the next look.</summary>
    public void Restore(StoredResult result, Instant now)
    {
        if (TryAppend(result, isStored: true) is not { } entry)
            return;
        entry.IsLate = true;
        ResendAt(entry.Lane, now);
    }

    /// <summary>The scheduler has this result on disk: it is taken out. Null if there is none of this scheduler.</summary>
    public StoredResult? Acknowledge(PeerId scheduler, AttemptId attempt)
    {
        if (!entries.TryGetValue(attempt, out OutboxEntry? entry) || entry.Lane.Scheduler != scheduler)
            return null;
        Remove(entry);
        return entry.Result;
    }

    /// <summary>The scheduler of an attempt whose result waits; null if none does.</summary>
    public PeerId? SchedulerOf(AttemptId attempt) => entries.TryGetValue(attempt, out OutboxEntry? entry) ? entry.Lane.Scheduler : null;

    /// <summary>The scheduler said something after a silence, or asked for its results: those that are late go out at once.</summary>
    public void Nudge(PeerId scheduler, Instant now, bool asked = false)
    {
        if (!lanes.TryGetValue(scheduler, out OutboxLane? lane) || (!asked && lane.Backoff <= ResendFirst * 2))
            return;
        lane.Backoff = ResendFirst;
        if (lane.ResendAt != Instant.Never)
            ResendAt(lane, now);
    }

    /// <summary>
    /// Looks at what was sent long enough ago: stores it, sends it again, drops what is too old. A <see cref="Flush"/> follows, which knows
    /// when what is fresh must go.
    /// </summary>
    public void RunDue(Instant now, UtcTime utc, SchedulerTable schedulers, List<WorkerEffect> effects)
    {
        if (now < NextDeadline)
            return;
        NextDeadline = Instant.Never;
        foreach (OutboxLane lane in lanes.Values)
        {
            while (lane.Sent.TryPeek(out OutboxEntry? entry) && (entry.IsGone || entry.SentAt + StoreAfter <= now))
            {
                lane.Sent.Dequeue();
                if (!entry.IsGone)
                    BecomeLate(entry, now, effects);
            }
            if (lane.ResendAt <= now)
                Resend(lane, now, utc, schedulers, effects);
            if (lane.Sent.TryPeek(out OutboxEntry? next))
                NextDeadline = Instant.Min(NextDeadline, next.SentAt + StoreAfter);
            NextDeadline = Instant.Min(NextDeadline, lane.ResendAt);
        }
        Trim(effects);
    }

    /// <summary>
    /// Sends what came: at once when nothing is on its way to that scheduler or <paramref name="all"/> must go, else together with what comes
    /// until the acknowledgement, for <see cref="GatherMax"/> at most, or <see cref="GatherSuppliedMax"/>. And forgets on disk what was acknowledged.
    /// </summary>
    /// <param name="now">The time.</param>
    /// <param name="schedulers">Who speaks for each scheduler.</param>
    /// <param name="effects">Where the messages go.</param>
    /// <param name="all">Everything must go now.</param>
    /// <param name="isSupplied">
    /// Tasks stand in line here: nothing idles while results gather, so they do for the whole time, acknowledged or not. Each message costs
    /// the scheduler a turn and a sync of its disk, which short tasks would rather have themselves.
    /// </param>
    /// <returns>Whether anything was sent.</returns>
    public bool Flush(Instant now, SchedulerTable schedulers, List<WorkerEffect> effects, bool all, bool isSupplied)
    {
        bool any = false;
        foreach (OutboxLane lane in lanes.Values)
        {
            if (lane.Fresh.Count == 0)
                continue;
            Instant until = lane.SentAt + (isSupplied ? GatherSupplied : lane.IsOnItsWay ? GatherMax : TimeSpan.Zero);
            if (!all && lane.Fresh.Count < Result.EntriesMax && now < until)
            {
                NextDeadline = Instant.Min(NextDeadline, isSupplied ? lane.SentAt + GatherSuppliedMax : until);
                continue;
            }
            any = true;
            lane.SentAt = now;
            foreach (OutboxEntry entry in lane.Fresh)
                if (!entry.IsGone && entry.Result.Result.Wall >= StoreFirstFrom)
                    Store(entry, effects);
            Send(lane, lane.Fresh, schedulers, effects);
            foreach (OutboxEntry entry in lane.Fresh)
            {
                entry.SentAt = now;
                lane.Sent.Enqueue(entry);
            }
            lane.Fresh.Clear();
            NextDeadline = Instant.Min(NextDeadline, now + StoreAfter);
        }
        Trim(effects);
        if (toDrop.Count > 0)
            effects.Add(new WorkerEffect.DropOutbox([.. toDrop]));
        toDrop.Clear();
        RemoveEmptyLanes();
        return any;
    }

    /// <summary>Counts and sums agree.</summary>
    public void CheckInvariants()
    {
        long sum = 0;
        int count = 0;
        foreach (OutboxLane lane in lanes.Values)
        {
            int inLane = 0;
            for (OutboxEntry? entry = lane.First; entry is not null; entry = entry.Next)
            {
                sum += entry.Bytes;
                inLane++;
                Invariant.Check(!entry.IsGone && ReferenceEquals(entries[entry.Result.Result.Attempt], entry));
                Invariant.Check(!entry.IsLate || entry.IsStored);
                Invariant.Check(!entry.IsLate || lane.ResendAt != Instant.Never);
            }
            Invariant.Check(inLane == lane.Count);
            count += inLane;
        }
        Invariant.Check(sum == bytes && count == entries.Count);
    }

    private OutboxEntry? TryAppend(StoredResult result, bool isStored)
    {
        if (entries.ContainsKey(result.Result.Attempt))
            return null;
        if (!lanes.TryGetValue(result.Scheduler, out OutboxLane? lane))
            lanes.Add(result.Scheduler, lane = new OutboxLane(result.Scheduler));
        PrincipalUse use = principals.Of(result.Principal);
        var entry = new OutboxEntry(result, lane, use) { IsStored = isStored };
        use.ResultBytes += entry.Bytes;
        entries.Add(result.Result.Attempt, entry);
        lane.Append(entry);
        bytes += entry.Bytes;
        return entry;
    }

    private void Remove(OutboxEntry entry)
    {
        entries.Remove(entry.Result.Result.Attempt);
        entry.Lane.Remove(entry);
        bytes -= entry.Bytes;
        entry.Use.ResultBytes -= entry.Bytes;
        if (entry.IsStored)
            toDrop.Add(entry.Result.Result.Attempt);
        if (entry.Lane.Count == 0)
        {
            entry.Lane.ResendAt = Instant.Never;
            entry.Lane.Backoff = ResendFirst;
        }
    }

    private void BecomeLate(OutboxEntry entry, Instant now, List<WorkerEffect> effects)
    {
        Store(entry, effects);
        entry.IsLate = true;
        if (entry.Lane.ResendAt == Instant.Never)
            ResendAt(entry.Lane, now + entry.Lane.Backoff);
    }

    private static void Store(OutboxEntry entry, List<WorkerEffect> effects)
    {
        if (entry.IsStored)
            return;
        entry.IsStored = true;
        effects.Add(new WorkerEffect.StoreOutbox(entry.Result));
    }

    private void ResendAt(OutboxLane lane, Instant at)
    {
        lane.ResendAt = at;
        NextDeadline = Instant.Min(NextDeadline, at);
    }

    private void Resend(OutboxLane lane, Instant now, UtcTime utc, SchedulerTable schedulers, List<WorkerEffect> effects)
    {
        DropOld(lane, utc, effects);
        lane.ResendAt = Instant.Never;
        var again = new List<OutboxEntry>();
        for (OutboxEntry? entry = lane.First; entry is not null && again.Count < ResendMessagesMax * Result.EntriesMax; entry = entry.Next)
            if (entry.IsLate)
                again.Add(entry);
        if (again.Count == 0)
            return;
        Send(lane, again, schedulers, effects);
        lane.ResendAt = now + lane.Backoff;
        lane.Backoff = new TimeSpan(Math.Min(lane.Backoff.Ticks * 2, ResendLongest.Ticks));
    }

    private static void Send(OutboxLane lane, List<OutboxEntry> sent, SchedulerTable schedulers, List<WorkerEffect> effects)
    {
        PeerId to = schedulers.TryGet(lane.Scheduler, out KnownScheduler? scheduler) ? scheduler.Speaker : lane.Scheduler;
        var results = ImmutableArray.CreateBuilder<AttemptResult>(Math.Min(sent.Count, Result.EntriesMax));
        int bytes = 0;
        foreach (OutboxEntry entry in sent)
        {
            if (entry.IsGone)
                continue;
            results.Add(entry.Result.Result);
            bytes += entry.Result.Result.WireBytes;
            if (results.Count == Result.EntriesMax || bytes >= MessageBytesMax)
                SendCollected();
        }
        SendCollected();

        void SendCollected()
        {
            if (results.Count > 0)
                effects.Add(new WorkerEffect.Send(to, new Result(lane.Scheduler, results.ToImmutable())));
            results.Clear();
            bytes = 0;
        }
    }

    private void DropOld(OutboxLane lane, UtcTime utc, List<WorkerEffect> effects)
    {
        int dropped = 0;
        while (lane.First is { IsLate: true } oldest && utc - oldest.Result.Ended > AgeMax)
        {
            Remove(oldest);
            dropped++;
        }
        if (dropped > 0)
            effects.Add(new WorkerEffect.Observe(new WorkerObservation.ResultsDropped(lane.Scheduler, dropped)));
    }

    /// <summary>At the limits the principal with the most bytes loses its oldest, of its lanes the one with the most: who fetches nothing pays for it.</summary>
    private void Trim(List<WorkerEffect> effects)
    {
        while (entries.Count > EntriesMax || (bytes > BytesMax && entries.Count > 1))
        {
            PrincipalUse greediest = lanes.Values.Where(lane => lane.Count > 0).Select(lane => lane.First!.Use).MaxBy(use => use.ResultBytes)!;
            OutboxLane[] its = [.. lanes.Values.Where(lane => lane.First?.Use == greediest).OrderByDescending(lane => lane.Count)];
            int dropped = 0;
            // Its last one stays, however large it is.
            for (int left = its.Sum(lane => lane.Count); its[0].Count > 0 && left > 1 && (entries.Count > EntriesMax || bytes > BytesMax); left--)
            {
                Remove(its[0].First!);
                dropped++;
            }
            if (dropped == 0)
                return;
            effects.Add(new WorkerEffect.Observe(new WorkerObservation.ResultsDropped(its[0].Scheduler, dropped)));
        }
    }

    private void RemoveEmptyLanes()
    {
        List<PeerId>? empty = null;
        foreach (OutboxLane lane in lanes.Values)
            if (lane.Count == 0 && lane.Fresh.Count == 0 && lane.Sent.Count == 0)
                (empty ??= []).Add(lane.Scheduler);
        foreach (PeerId scheduler in empty ?? [])
            lanes.Remove(scheduler);
    }
}

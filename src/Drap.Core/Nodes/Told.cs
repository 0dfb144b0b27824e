using System.Collections.Immutable;
using Drap.Core.Execution;
using Drap.Core.Leases;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// What a worker tells of its own accord. That an attempt began is told only of those that are not over soon: a short one is told by its
/// result. Since a notice may be lost, the next two replies to heartbeats tell it again.
/// </summary>
internal sealed class Told
{
    /// <summary>An attempt that still runs after this is told of.</summary>
    public static readonly TimeSpan StartedAfter = TimeSpan.FromMilliseconds(100);

    /// <summary>Attempts in one notice or reply: 40 B each, so 40 KiB.</summary>
    public const int AttemptsMax = 1024;

    private const int Repeats = 2;

    private readonly Queue<(Attempt Attempt, Instant At)> starts = [];
    private readonly List<Attempt> ripe = [];

    public Instant NextDeadline => starts.TryPeek(out (Attempt, Instant At) first) ? first.At : Instant.Never;

    public void Started(Attempt attempt, Instant now) => starts.Enqueue((attempt, now + StartedAfter));

    /// <summary>Collects the starts whose time has come.</summary>
    public void RunDue(Instant now)
    {
        while (starts.TryPeek(out (Attempt Attempt, Instant At) first) && (first.At <= now || first.Attempt.Phase == AttemptPhase.Over))
        {
            starts.Dequeue();
            if (first.Attempt.Phase is AttemptPhase.Running or AttemptPhase.Ending)
                ripe.Add(first.Attempt);
        }
    }

    /// <summary>Sends what was collected, one notice a scheduler.</summary>
    public void Flush(List<WorkerEffect> effects)
    {
        if (ripe.Count > 0)
            Send(NoticeKind.Started, ripe, TimeSpan.Zero, effects);
        ripe.Clear();
    }

    /// <summary>The attempts of a scheduler that began and of which not enough replies have told.</summary>
    public static ImmutableArray<AttemptId> StartedOf(KnownScheduler scheduler, LeaseTable leases)
    {
        var started = ImmutableArray.CreateBuilder<AttemptId>();
        for (Lease? lease = leases.First; lease is not null && started.Count < AttemptsMax; lease = LeaseTable.After(lease))
        {
            if (!ReferenceEquals(lease.Scheduler, scheduler) || lease is not Attempt { StartedAt: not null, StartTold: < Repeats } attempt)
                continue;
            attempt.StartTold++;
            started.Add(attempt.Id);
        }
        return started.ToImmutable();
    }

    /// <summary>Tells each scheduler that has attempts here, and names them.</summary>
    public static void Everyone(NoticeKind kind, TimeSpan within, LeaseTable leases, List<WorkerEffect> effects)
    {
        var all = new List<Attempt>();
        for (Lease? lease = leases.First; lease is not null; lease = LeaseTable.After(lease))
            all.Add((Attempt)lease);
        Send(kind, all, within, effects);
    }

    /// <summary>Tells the schedulers of these attempts that they are given back.</summary>
    public static void Returned(List<Attempt> attempts, List<WorkerEffect> effects) => Send(NoticeKind.Returned, attempts, TimeSpan.Zero, effects);

    private static void Send(NoticeKind kind, List<Attempt> attempts, TimeSpan within, List<WorkerEffect> effects)
    {
        foreach (IGrouping<PeerId, Attempt> bySpeaker in attempts.GroupBy(a => a.Scheduler.Speaker).OrderBy(g => g.Key))
            foreach (Attempt[] part in bySpeaker.Chunk(AttemptsMax))
                effects.Add(new WorkerEffect.Send(bySpeaker.Key, new Notice(kind, [.. part.Select(a => a.Id)], within)));
    }
}

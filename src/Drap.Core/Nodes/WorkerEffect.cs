using System.Collections.Immutable;
using Drap.Core.Execution;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// What a worker wants done. Effects are performed in their order; each <see cref="StoreEpoch"/> and <see cref="StoreOutbox"/> is durable
/// before a later <see cref="Send"/> goes out (one sync may cover all that stand before it). A store that fails is reported as
/// <see cref="WorkerInput.Degraded"/>, and the rest is performed.
/// </summary>
public abstract record WorkerEffect
{
    private WorkerEffect()
    {
    }

    /// <summary>Send a message to a peer; if it cannot be sent it is lost: whatever must arrive is sent again by the machine.</summary>
    public sealed record Send(PeerId To, Message Message) : WorkerEffect;

    /// <summary>Hear a topic of advertisements.</summary>
    public sealed record Subscribe(string Topic) : WorkerEffect;

    /// <summary>Hear it no more.</summary>
    public sealed record Unsubscribe(string Topic) : WorkerEffect;

    /// <summary>Start an attempt. Answered by exactly one <see cref="WorkerInput.AttemptEnded"/>.</summary>
    public sealed record Launch(LaunchOrder Order) : WorkerEffect;

    /// <summary>Signal an attempt that was launched, its whole family. Before its start it means that it never starts, and its end is reported.</summary>
    public sealed record Signal(AttemptId Attempt, AttemptSignal Kind) : WorkerEffect;

    /// <summary>All leases of this scheduler that stop at their end now last until then; for the guard.</summary>
    public sealed record LeasesUntil(PeerId Scheduler, Instant At) : WorkerEffect;

    /// <summary>The scheduler needs nothing more of these attempts: their logs and the pins of their outputs may go.</summary>
    public sealed record Forget(ImmutableArray<AttemptId> Attempts) : WorkerEffect;

    /// <summary>Keep a result until <see cref="DropOutbox"/>.</summary>
    public sealed record StoreOutbox(StoredResult Result) : WorkerEffect;

    /// <summary>These results are acknowledged, or too old, or too much: they need not be kept. Need not be durable.</summary>
    public sealed record DropOutbox(ImmutableArray<AttemptId> Attempts) : WorkerEffect;

    /// <summary>Keep the highest epoch of a scheduler.</summary>
    public sealed record StoreEpoch(PeerId Scheduler, Epoch Epoch) : WorkerEffect;

    /// <summary>Forget a scheduler's epoch: more are known than <see cref="WorkerOptions.SchedulersMax"/>, and this one was silent longest.</summary>
    public sealed record DropEpoch(PeerId Scheduler) : WorkerEffect;

    /// <summary>For logs, metrics and the page; may be dropped.</summary>
    public sealed record Observe(WorkerObservation What) : WorkerEffect;

    /// <summary>The drain is over: nothing runs, nothing stands in line. Results may still wait in the outbox.</summary>
    /// <param name="Cause">Why it went.</param>
    public sealed record Left(LeaveCause Cause) : WorkerEffect;
}

/// <summary>Why a worker goes.</summary>
public enum LeaveCause
{
    /// <summary>It was told to.</summary>
    Told,

    /// <summary>The node's own time is over, as a batch system's job is.</summary>
    TimeOver,

    /// <summary>Nobody had a task for it for as long as its owner waits.</summary>
    Idle,
}

/// <summary>How an attempt is told to end.</summary>
public enum AttemptSignal
{
    /// <summary>SIGTERM: it may clean up.</summary>
    Term = 1,

    /// <summary>SIGKILL, until none of its family is left.</summary>
    Kill = 2,
}

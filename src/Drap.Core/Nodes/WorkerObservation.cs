using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>What a worker tells for logs and metrics: at most one a message or a change of state, never one a task.</summary>
public abstract record WorkerObservation
{
    private WorkerObservation()
    {
    }

    /// <summary>A peer's message breaks the protocol; it was counted and changed nothing. <paramref name="What"/> says how.</summary>
    public sealed record BadMessage(PeerId From, MessageKind Kind, string What) : WorkerObservation;

    /// <summary>An ad was heard before (or is older than the window), or its epoch is over.</summary>
    public sealed record Replayed(PeerId From, AdId Ad) : WorkerObservation;

    /// <summary>An offer went out.</summary>
    public sealed record Offered(OfferId Offer, AdId Ad, int Firm, int Soft, int Backlog) : WorkerObservation;

    /// <summary>No confirmation came for an offer.</summary>
    public sealed record HoldLapsed(OfferId Offer) : WorkerObservation;

    /// <summary>An older gang took a younger gang's hold.</summary>
    public sealed record HoldTaken(OfferId Offer, AdId By) : WorkerObservation;

    /// <summary>A confirmation made leases, and refused some of its tasks with a reason.</summary>
    public sealed record Confirmed(OfferId Offer, int Leases, int Refused, NackReason? Reason) : WorkerObservation;

    /// <summary>Leases ended unrenewed: these attempts run on without one, those are being killed, others had not started.</summary>
    public sealed record LeasesEnded(PeerId Scheduler, int Orphaned, int Stopped, int Dropped) : WorkerObservation;

    /// <summary>A scheduler came back to attempts that had lost their lease.</summary>
    public sealed record Adopted(PeerId Scheduler, int Attempts) : WorkerObservation;

    /// <summary>An attempt was told to end.</summary>
    public sealed record Ending(AttemptId Attempt, Outcome Because) : WorkerObservation;

    /// <summary>Results that nobody fetched were dropped.</summary>
    public sealed record ResultsDropped(PeerId Scheduler, int Count) : WorkerObservation;

    /// <summary>The machine offers more than it has, or stopped doing so: the learnt rate of confirmations, in permille.</summary>
    public sealed record Overbooking(bool On, int WinPermille) : WorkerObservation;
}

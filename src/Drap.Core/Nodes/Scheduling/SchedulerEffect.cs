using System.Collections.Immutable;
using Drap.Core.Health;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>What a scheduler wants done, in order. What must not go out before the journal has it is kept back by the machine itself.</summary>
public abstract record SchedulerEffect
{
    private SchedulerEffect()
    {
    }

    /// <summary>Publish an ad on a topic.</summary>
    public sealed record Publish(string Topic, Ad Ad) : SchedulerEffect;

    /// <summary>Send a message; what must arrive is sent again by the machine.</summary>
    public sealed record Send(PeerId To, Message Message) : SchedulerEffect;

    /// <summary>Answer a request.</summary>
    public sealed record Done(Ticket Ticket, SchedulerReply Reply) : SchedulerEffect;

    /// <summary>
    /// Get what an attempt left from the node that has it, and keep it for its job; answered by exactly one <see cref="SchedulerInput.Fetched"/>,
    /// at once where all of it is here already.
    /// </summary>
    public sealed record Fetch(AttemptId Attempt, PeerId Holder, ImmutableArray<WantedBlob> Blobs) : SchedulerEffect;

    /// <summary>
    /// Have another node keep a copy of what an attempt left, which is here, for its job; answered by exactly one <see cref="SchedulerInput.Copied"/>.
    /// </summary>
    public sealed record Copy(AttemptId Attempt, PeerId Keeper, ImmutableArray<WantedBlob> Blobs) : SchedulerEffect;

    /// <summary>Keep a piece of an attempt's log.</summary>
    public sealed record StoreLog(LogChunk Chunk) : SchedulerEffect;

    /// <summary>A worker has room for more of an attempt's standard input.</summary>
    public sealed record StdinRoom(AttemptId Attempt, long Until) : SchedulerEffect;

    /// <summary>For the event stream: tasks of a job, or the job itself, changed.</summary>
    public sealed record Changed(JobId Job, ImmutableArray<int> Tasks) : SchedulerEffect;

    /// <summary>A job's history is dropped: its logs, and its hold on blobs, may go.</summary>
    public sealed record Forget(JobId Job) : SchedulerEffect;

    /// <summary>Something worth a line in the log.</summary>
    public sealed record Observe(SchedulerObservation What) : SchedulerEffect;
}

/// <summary>A blob that is wanted here.</summary>
/// <param name="Content">What it holds; of a folder, all below it too.</param>
/// <param name="Durable">Whether it must outlive a power cut: what is delivered to a person must, what only feeds other tasks can be made again.</param>
/// <param name="IsPublic">Whether everybody may read it here from then on.</param>
public readonly record struct WantedBlob(Cid Content, bool Durable, bool IsPublic = false);

/// <summary>What a scheduler tells for logs and metrics.</summary>
public abstract record SchedulerObservation
{
    private SchedulerObservation()
    {
    }

    /// <summary>A peer's message breaks the protocol; it was counted and changed nothing.</summary>
    public sealed record BadMessage(PeerId From, MessageKind Kind, string What) : SchedulerObservation;

    /// <summary>A worker is silent.</summary>
    public sealed record Suspected(PeerId Worker, TimeSpan Silent, int Attempts) : SchedulerObservation;

    /// <summary>Attempts are lost.</summary>
    public sealed record Lost(PeerId Worker, int Attempts, string Why) : SchedulerObservation;

    /// <summary>Outputs of these tasks, which <paramref name="Consumer"/> needs, are nowhere to be had; their tasks run again.</summary>
    public sealed record OutputsLost(JobId Job, ImmutableArray<int> Tasks, int Consumer) : SchedulerObservation;

    /// <summary>An attempt used more than its job's budget bears: the rest is not paid.</summary>
    public sealed record Uncovered(AttemptId Attempt, Credits Paid, Credits Unpaid) : SchedulerObservation;

    /// <summary>A worker's bills are not what our own account says: how many were refused, how many are of attempts of which none is awaited, and what the others say.</summary>
    public sealed record Billed(PeerId Worker, int Count, int Refused, int Unknown, Credits Claimed, Credits Owed) : SchedulerObservation;

    /// <summary>The two sides disagreed about leases, and were reconciled.</summary>
    public sealed record Reconciled(PeerId Worker, int HeldCount, int LostCount) : SchedulerObservation;
}

/// <summary>The answer to a request.</summary>
public abstract record SchedulerReply
{
    private SchedulerReply()
    {
    }

    /// <summary>The job is taken, and durable.</summary>
    public sealed record Submitted(JobId Job, int Number, int Tasks, bool Created) : SchedulerReply;

    /// <summary>It was done, and is durable.</summary>
    public sealed record Acted(JobId Job, int Changed) : SchedulerReply;

    /// <summary>It cannot be done.</summary>
    public sealed record Refused(RefusedBecause Because, string Message) : SchedulerReply;

    /// <summary>What the market says to a job: a list for each segment.</summary>
    public sealed record Quotes(ImmutableArray<SegmentQuotes> Segments) : SchedulerReply;

    /// <summary>What the workers show of themselves.</summary>
    /// <param name="Nodes">Those that answered, by name.</param>
    /// <param name="Silent">Those that did not in time, by name.</param>
    public sealed record Surveyed(ImmutableArray<SurveyedNode> Nodes, ImmutableArray<SilentNode> Silent) : SchedulerReply;
}

/// <summary>Why a request cannot be done.</summary>
public enum RefusedBecause
{
    /// <summary>There is no such job, or no such task.</summary>
    NotFound = 1,

    /// <summary>The job's state does not allow it.</summary>
    Conflict = 2,

    /// <summary>A bound is reached.</summary>
    Busy = 3,

    /// <summary>The journal cannot take more now.</summary>
    NoRoom = 4,
}

/// <summary>Non-binding quotes for one segment.</summary>
/// <param name="Segment">Its place in the job.</param>
/// <param name="Bid">What would be bid.</param>
/// <param name="Answers">What each worker says.</param>
/// <param name="Silent">Workers that did not answer in time.</param>
public sealed record SegmentQuotes(int Segment, Price Bid, ImmutableArray<Market.Allocation.GroupAnswer> Answers, int Silent);

/// <summary>A worker that did not answer.</summary>
/// <param name="Peer">Who.</param>
/// <param name="Name">What it is called.</param>
/// <param name="For">How long it was waited for.</param>
public sealed record SilentNode(PeerId Peer, string Name, TimeSpan For);

/// <summary>One worker, as it shows itself.</summary>
/// <param name="Peer">Who.</param>
/// <param name="State">How.</param>
/// <param name="KeptAway">Why nothing is given to it now; empty if it may get work.</param>
/// <param name="Complaint">What it said that was refused here; null if nothing.</param>
public sealed record SurveyedNode(PeerId Peer, NodeState State, string KeptAway, Complaint? Complaint = null);

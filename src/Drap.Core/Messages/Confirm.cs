using System.Collections.Immutable;

namespace Drap.Core.Messages;

/// <summary>The scheduler's acceptance of an offer; with the acknowledgement it makes a lease for each task named.</summary>
public sealed record Confirm : Message
{
    /// <summary>The most tasks in one confirmation: with 64 B each it fills a quarter of a 1 MiB frame.</summary>
    public const int TasksMax = 4096;

    /// <summary>The offer that is accepted, wholly or in part; what it does not take is released by it.</summary>
    public required OfferId Offer { get; init; }

    /// <summary>The scheduler as a role.</summary>
    public required PeerId Scheduler { get; init; }

    /// <summary>Whose work it is.</summary>
    public required Principal Principal { get; init; }

    /// <summary>The scheduler's epoch.</summary>
    public required Epoch Epoch { get; init; }

    /// <summary>How long each lease lasts, from receipt, until it is renewed.</summary>
    public required TimeSpan Lease { get; init; }

    /// <summary>Members of a gang: nothing starts before <see cref="Go"/>.</summary>
    public bool AwaitGo { get; init; }

    /// <summary>What the tasks run: one entry a group (a segment, or an alternative of it).</summary>
    public required ImmutableArray<Work> Works { get; init; }

    /// <summary>The tasks, at most <see cref="TasksMax"/>, in the order in which they should start.</summary>
    public required ImmutableArray<Assignment> Tasks { get; init; }
}

/// <summary>What the tasks of one segment run.</summary>
/// <param name="Job">The job.</param>
/// <param name="Group">The group under which they were advertised.</param>
/// <param name="Ask">The price agreed, discount taken off.</param>
/// <param name="Template">A <see cref="Jobs.TaskSpec"/> as UTF-8 JSON: what the segment's tasks have in common, its inputs without their parts.</param>
/// <param name="Secrets">Variables that its tasks get beside the template's, in clear: the connection is encrypted, and nobody writes them down.</param>
public sealed record Work(JobId Job, int Group, Price Ask, ImmutableArray<byte> Template, ImmutableArray<SecretVariable> Secrets);

/// <summary>A variable whose value nobody may see but the task.</summary>
/// <param name="Name">The variable.</param>
/// <param name="Value">Its value.</param>
public sealed record SecretVariable(string Name, string Value)
{
    /// <summary>The name alone: this is what ends up in logs.</summary>
    public override string ToString() => $"{Name}=…";
}

/// <summary>One task given to a worker.</summary>
public sealed record Assignment
{
    /// <summary>Which of <see cref="Confirm.Works"/>.</summary>
    public required int Work { get; init; }

    /// <summary>The task's number within its job.</summary>
    public required int Number { get; init; }

    /// <summary>The attempt's number within the task.</summary>
    public required int Attempt { get; init; }

    /// <summary>The task's index within its segment, from 0.</summary>
    public required int Index { get; init; }

    /// <summary>What <c>DRAP_INDEX</c> says: the array's number, else the index.</summary>
    public long ArrayNumber { get; init; }

    /// <summary>The item that the task stands for, as JSON; empty without one.</summary>
    public string Item { get; init; } = "";

    /// <summary>Everything that is laid into its work folder.</summary>
    public ImmutableArray<AssignedInput> Inputs { get; init; } = [];

    /// <summary>The gang's host list by rank; empty for plain tasks.</summary>
    public ImmutableArray<string> Hosts { get; init; } = [];
}

/// <summary>One blob that a task finds in its work folder.</summary>
/// <param name="Path">Where, relative to the work folder, with <c>/</c>.</param>
/// <param name="Content">Its content; a folder's is a UnixFS directory.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Executable">Whether the file may be executed.</param>
public sealed record AssignedInput(string Path, Cid Content, long Bytes, bool Executable);

/// <summary>The worker's yes to a confirmation: the leases stand.</summary>
/// <param name="Offer">The offer that was confirmed.</param>
public sealed record Ack(OfferId Offer) : Message;

/// <summary>The worker's no to a confirmation, or to some tasks of it.</summary>
/// <param name="Offer">The offer.</param>
/// <param name="Reason">Why.</param>
/// <param name="Refused">The attempts that got no lease; empty for all.</param>
public sealed record Nack(OfferId Offer, NackReason Reason, ImmutableArray<AttemptId> Refused) : Message;

/// <summary>Why a confirmation made no lease.</summary>
public enum NackReason
{
    /// <summary>The offer is over or was never made here.</summary>
    UnknownOffer = 1,

    /// <summary>The offer was soft, and what it named is gone.</summary>
    Gone = 2,

    /// <summary>The scheduler's epoch is below the highest that this worker has seen.</summary>
    OldEpoch = 3,

    /// <summary>It asks for more than was offered, or for what cannot be read.</summary>
    Invalid = 4,

    /// <summary>The node cannot start tasks any more; it will not offer until it can.</summary>
    Degraded = 5,
}

/// <summary>All members of a gang have acknowledged and the journal says so: start.</summary>
/// <param name="Attempts">The members on this worker.</param>
public sealed record Go(ImmutableArray<AttemptId> Attempts) : Message;

/// <summary>What was confirmed is not wanted any more and has not started; a started attempt is ended as by <see cref="Cancel"/>.</summary>
/// <param name="Attempts">The attempts.</param>
public sealed record Release(ImmutableArray<AttemptId> Attempts) : Message;

/// <summary>Give back what stands in line and has not started; the worker answers with a <see cref="Notice"/> of what it gave.</summary>
/// <param name="Attempts">The attempts, best candidates first.</param>
public sealed record Steal(ImmutableArray<AttemptId> Attempts) : Message;

/// <summary>End these attempts: TERM, then KILL after the grace.</summary>
/// <param name="Attempts">The attempts.</param>
/// <param name="Reason">Why, for the worker's log and for the task's result.</param>
/// <param name="Grace">Time between the two signals.</param>
public sealed record Cancel(ImmutableArray<AttemptId> Attempts, CancelReason Reason, TimeSpan Grace) : Message;

/// <summary>Why an attempt is ended from outside.</summary>
public enum CancelReason
{
    /// <summary>A person cancelled the task or its job.</summary>
    User = 1,

    /// <summary>Another attempt's result was accepted.</summary>
    Settled = 2,

    /// <summary>The scheduler had given this attempt up, and it came back.</summary>
    Superseded = 3,

    /// <summary>The scheduler knows nothing of it (a phantom).</summary>
    Unknown = 4,

    /// <summary>The job's budget is used up.</summary>
    Budget = 5,
}

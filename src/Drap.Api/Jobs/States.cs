namespace Drap.Api;

/// <summary>Where a job is. A job ends once, in one of the last four.</summary>
public enum JobState
{
    /// <summary>Nothing of it has run yet: it waits for its needs or for the market.</summary>
    Waiting,

    /// <summary>At least one task has begun.</summary>
    Running,

    /// <summary>Held by its user: what runs goes on, nothing new is placed.</summary>
    Held,

    /// <summary>Every task finished.</summary>
    Finished,

    /// <summary>A task failed for good, or more of them than <c>max_fails</c> allows.</summary>
    Failed,

    /// <summary>Ended by its user.</summary>
    Cancelled,

    /// <summary>Not placed or not finished by its deadline, or a task ran past its timeout; <see cref="JobSummary.Reason"/> says which.</summary>
    Expired,
}

/// <summary>Where a task is. A task ends once, in one of the last four.</summary>
public enum TaskState
{
    /// <summary>It waits for tasks that it needs, or for its turn.</summary>
    Waiting,

    /// <summary>It is advertised and takes offers.</summary>
    Placing,

    /// <summary>An attempt of it is confirmed and runs, or is about to.</summary>
    Running,

    /// <summary>Held by its user.</summary>
    Held,

    /// <summary>A result was accepted.</summary>
    Finished,

    /// <summary>It failed for good.</summary>
    Failed,

    /// <summary>Ended by its user, or because what it needs did not finish.</summary>
    Cancelled,

    /// <summary>It was not placed by its deadline, or ran past its timeout; <see cref="TaskSummary.Reason"/> says which.</summary>
    Expired,
}

/// <summary>How one attempt stands or ended.</summary>
public enum AttemptState
{
    /// <summary>Confirmed to a worker, not begun.</summary>
    Starting,

    /// <summary>Running there.</summary>
    Running,

    /// <summary>Its result was accepted.</summary>
    Accepted,

    /// <summary>It ended well, but another attempt's result counts.</summary>
    Superseded,

    /// <summary>The task's own failure: exit code, signal, missing output, failed check.</summary>
    Failed,

    /// <summary>Not the task's fault: the machine, the network or the lease went away; does not count against its retries.</summary>
    Lost,

    /// <summary>Ended on purpose.</summary>
    Cancelled,

    /// <summary>It ran past its timeout.</summary>
    TimedOut,
}

/// <summary>Why something is as it is, for programs and for people.</summary>
/// <param name="Code">A stable word; see <see cref="ReasonCodes"/>. A reader takes words that it does not know.</param>
/// <param name="Message">One sentence.</param>
public sealed record Reason(string Code, string Message);

/// <summary>The stable words of <see cref="Reason.Code"/> and <see cref="Refusal.Code"/>.</summary>
public static class ReasonCodes
{
    /// <summary>Needed tasks have not finished.</summary>
    public const string Needs = "needs";

    /// <summary>A needed task failed or was cancelled.</summary>
    public const string NeedFailed = "need_failed";

    /// <summary>Held by its user.</summary>
    public const string Held = "held";

    /// <summary>It fits on a machine, but there is no room now.</summary>
    public const string NoRoom = "no_room";

    /// <summary>It fits on no machine of the swarm at all.</summary>
    public const string FitsNowhere = "fits_nowhere";

    /// <summary>A resource is short on this node; the dimension is named.</summary>
    public const string Resource = "resource";

    /// <summary>A constraint (label, region, zone, architecture, driver) is not met.</summary>
    public const string Constraint = "constraint";

    /// <summary>The price asked is above what the job pays.</summary>
    public const string Price = "price";

    /// <summary>The budget is spent.</summary>
    public const string Budget = "budget";

    /// <summary>The principal's credit line with this owner is at its end.</summary>
    public const string Credit = "credit";

    /// <summary>The principal has as much on this node as its owner lets it have at one time; the dimension says of what.</summary>
    public const string Quota = "quota";

    /// <summary>Messages of the node were refused here; that by itself keeps nothing from it.</summary>
    public const string Complaint = "complaint";

    /// <summary>The node's owner does not let this principal's tasks run there.</summary>
    public const string Principal = "principal";

    /// <summary>It would not end before its deadline.</summary>
    public const string Deadline = "deadline";

    /// <summary>The worker is avoided for a while, since attempts failed there.</summary>
    public const string BackOff = "back_off";

    /// <summary>The job's own limit on how much of it runs at once.</summary>
    public const string Throttle = "throttle";

    /// <summary>The scheduler's journal cannot take records, since its disk is full or its store does not answer: nothing is placed until it can.</summary>
    public const string Journal = "journal";

    /// <summary>Fewer nodes keep outputs than the job asks for.</summary>
    public const string Durability = "durability";

    /// <summary>A gang waits until all of its members have a place.</summary>
    public const string Gang = "gang";

    /// <summary>The command ended with another exit code than 0.</summary>
    public const string ExitCode = "exit_code";

    /// <summary>The command ended by a signal.</summary>
    public const string Signal = "signal";

    /// <summary>The command could not be started.</summary>
    public const string CommandNotFound = "command_not_found";

    /// <summary>The command is there and may not be executed.</summary>
    public const string CommandNotExecutable = "command_not_executable";

    /// <summary>It ran longer than its timeout.</summary>
    public const string Timeout = "timeout";

    /// <summary>It was not placed by its deadline.</summary>
    public const string NotPlaced = "not_placed";

    /// <summary>It used more of a resource than it had asked for and was ended for it.</summary>
    public const string LimitExceeded = "limit_exceeded";

    /// <summary>A declared output is not there.</summary>
    public const string MissingOutput = "missing_output";

    /// <summary>A blob that it takes as an input is nowhere to be had.</summary>
    public const string InputMissing = "input_missing";

    /// <summary>What it left is nowhere to be had any more, though something needs it.</summary>
    public const string OutputLost = "output_lost";

    /// <summary>The job's own check said no.</summary>
    public const string CheckFailed = "check_failed";

    /// <summary>The worker, the network or the lease went away.</summary>
    public const string WorkerLost = "worker_lost";

    /// <summary>Ended by its user.</summary>
    public const string Cancelled = "cancelled";

    /// <summary>More tasks failed than <c>max_fails</c> allows.</summary>
    public const string MaxFails = "max_fails";

    /// <summary>A fault of the worker's own: disk full, no work folder.</summary>
    public const string WorkerFault = "worker_fault";
}

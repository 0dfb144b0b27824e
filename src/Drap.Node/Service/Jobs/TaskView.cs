using System.Collections.Immutable;
using Drap.Api;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Leases;
using Drap.Core.Messages;
using CoreState = Drap.Core.Jobs.TaskState;
using TaskState = Drap.Api.TaskState;

namespace Drap.Node.Service;

/// <summary>One task of a job as people see it.</summary>
internal static class TaskView
{
    public static TaskSummary Of(Moment at, JobRun job, int number, bool history = false)
    {
        TaskTable tasks = job.Tasks;
        SegmentRun segment = job.SegmentOf(number);
        IReadOnlyList<LeasedAttempt> live = tasks.State(number) == CoreState.Placed ? at.Attempts(job, number) : [];
        UtcTime endedAt = tasks.EndedAt(number);
        bool hasEnded = endedAt.Milliseconds > 0;
        bool isOver = IsOver(tasks.State(number));
        return new TaskSummary
        {
            Number = number,
            Segment = segment.Spec.Name,
            Index = number - segment.First,
            State = StateOf(job, number),
            Reason = ReasonOf(job, number),
            Node = at.NameOf(tasks.Node(number)),
            Attempts = tasks.Tries(number),
            Price = tasks.Tries(number) > 0 ? tasks.Price(number) : null,
            Cost = tasks.Cost(number),
            ExitCode = isOver && hasEnded ? tasks.ExitCode(number) : null,
            // One that was closed without an attempt has an end and no beginning.
            StartedAt = live.Count > 0 ? at.PlacedAt(live[^1]) : hasEnded && tasks.Tries(number) > 0 ? endedAt + -tasks.Wall(number) : null,
            EndedAt = isOver && hasEnded ? endedAt : null,
            History = history ? HistoryOf(at, job, number) : [],
        };
    }

    public static TaskState StateOf(JobRun job, int number) => job.Tasks.State(number) switch
    {
        CoreState.Blocked => TaskState.Waiting,
        CoreState.Ready => job.IsHeld ? TaskState.Held : TaskState.Placing,
        CoreState.Placed => TaskState.Running,
        CoreState.Held => TaskState.Held,
        CoreState.Succeeded => TaskState.Finished,
        CoreState.Failed => TimedOut(job, number) ? TaskState.Expired : TaskState.Failed,
        CoreState.NotPlaced => TaskState.Expired,
        _ => TaskState.Cancelled,
    };

    public static bool IsOver(CoreState state) => state is not (CoreState.Blocked or CoreState.Ready or CoreState.Placed or CoreState.Held);

    public static bool TimedOut(JobRun job, int number) => job.Tasks.History(number) is [.., { Outcome: Outcome.TimedOut }];

    /// <summary>Why a task waits or how it ended; null where that needs no words.</summary>
    public static Reason? ReasonOf(JobRun job, int number)
    {
        TaskTable tasks = job.Tasks;
        string detail = tasks.Detail(number);
        PastAttempt? last = tasks.History(number) is [.., { } past] ? past : null;
        switch (tasks.State(number))
        {
            case CoreState.Blocked:
                return new Reason(ReasonCodes.Needs, "it waits for what it needs");
            case CoreState.Held:
                return new Reason(ReasonCodes.Held, "held by its user");
            case CoreState.Ready when job.IsHeld:
                return new Reason(ReasonCodes.Held, "its job is held");
            case CoreState.Ready or CoreState.Placed when tasks.Losses(number) > 0:
                return new Reason(ReasonCodes.OutputLost, "its outputs were lost: it runs again");
            case CoreState.Ready when last is not null:
                return new Reason(CodeOf(last.Outcome, last.ExitCode), $"attempt {last.Number} {WordsOf(last)}; it is tried again");
            case CoreState.Failed when tasks.Losses(number) > 0 && last is { Outcome: Outcome.Succeeded }:
                return new Reason(ReasonCodes.OutputLost, detail);
            case CoreState.Failed when last is not null && (detail.Length == 0 || detail == last.Detail):
                return new Reason(CodeOf(last.Outcome, last.ExitCode), detail.Length > 0 ? detail : WordsOf(last));
            case CoreState.Failed:
                return new Reason(CodeOfClosed(job, number), detail);
            case CoreState.Cancelled:
                return detail.Length > 0 && last is null ? new Reason(ReasonCodes.MaxFails, detail) : new Reason(ReasonCodes.Cancelled, "cancelled by its user");
            case CoreState.Skipped:
                return new Reason(ReasonCodes.NeedFailed, detail);
            case CoreState.NotPlaced:
                return new Reason(ReasonCodes.NotPlaced, detail);
            default:
                return null;
        }
    }

    /// <summary>The attempt whose log people want: the accepted one, else the last; 0 if there is none.</summary>
    public static int TellingAttempt(TaskTable tasks, int number) =>
        tasks.State(number) == CoreState.Succeeded ? tasks.AcceptedAttempt(number) : tasks.Attempts(number);

    public static string CodeOf(Outcome outcome, int exitCode) => outcome switch
    {
        Outcome.Failed => ReasonCodes.ExitCode,
        Outcome.Signalled => ReasonCodes.Signal,
        Outcome.TimedOut => ReasonCodes.Timeout,
        Outcome.OverLimit => ReasonCodes.LimitExceeded,
        Outcome.OutputMissing => ReasonCodes.MissingOutput,
        Outcome.CheckFailed => ReasonCodes.CheckFailed,
        Outcome.NotStarted => exitCode == 126 ? ReasonCodes.CommandNotExecutable : ReasonCodes.CommandNotFound,
        Outcome.LeaseLost => ReasonCodes.WorkerLost,
        Outcome.NodeFault => ReasonCodes.WorkerFault,
        Outcome.InputMissing => ReasonCodes.InputMissing,
        _ => ReasonCodes.Cancelled,
    };

    /// <summary>Why a task failed without an attempt that did: its gang, its input, its budget, or what it needs.</summary>
    private static string CodeOfClosed(JobRun job, int number) => job.SegmentOf(number).Spec switch
    {
        { Nodes: not null } => ReasonCodes.Gang,
        { Stdin: true } => ReasonCodes.WorkerLost,
        _ => job.Budget.Budget < Credits.LimitMax ? ReasonCodes.Budget : ReasonCodes.MissingOutput,
    };

    private static string WordsOf(PastAttempt past) => past.Detail.Length > 0 ? $"failed: {past.Detail}" : $"ended as {past.Outcome} with exit code {past.ExitCode}";

    private static ImmutableArray<AttemptSummary> HistoryOf(Moment at, JobRun job, int number)
    {
        TaskTable tasks = job.Tasks;
        var list = new List<AttemptSummary>();
        foreach (PastAttempt past in tasks.History(number))
            list.Add(new AttemptSummary
            {
                Number = past.Number,
                State = StateOf(past),
                Node = at.NameOf(past.Node) ?? "",
                Price = past.Price,
                Cost = past.Cost,
                ExitCode = past.ExitCode,
                Reason = past.Outcome == Outcome.Succeeded ? null : new Reason(
                    CodeOf(past.Outcome, past.ExitCode), past.Detail.Length > 0 ? past.Detail : $"exit code {past.ExitCode}"),
                StartedAt = past.EndedAt + -past.Wall,
                EndedAt = past.EndedAt,
            });
        int telling = TellingAttempt(tasks, number);
        if (tasks.State(number) == CoreState.Succeeded && list.All(a => a.Number != telling))
            list.Add(new AttemptSummary
            {
                Number = telling,
                State = AttemptState.Accepted,
                Node = at.NameOf(tasks.Node(number)) ?? "",
                Price = tasks.Price(number),
                Cost = tasks.Cost(number) - new Credits(tasks.History(number).Sum(p => p.Cost.Micro)),
                ExitCode = tasks.ExitCode(number),
                StartedAt = tasks.EndedAt(number) + -tasks.Wall(number),
                EndedAt = tasks.EndedAt(number),
            });
        foreach (LeasedAttempt attempt in at.Attempts(job, number))
            list.Add(new AttemptSummary
            {
                Number = attempt.Id.Fence.Attempt,
                State = attempt.Phase is LeasePhase.Running or LeasePhase.Suspected or LeasePhase.Delivering ? AttemptState.Running : AttemptState.Starting,
                Node = at.Node.NameOf(attempt.Worker),
                Price = attempt.Ask,
                StartedAt = at.PlacedAt(attempt),
            });
        return [.. list.OrderBy(a => a.Number)];
    }

    private static AttemptState StateOf(PastAttempt past) => past.Verdict switch
    {
        Verdict.Accepted or Verdict.Voted => AttemptState.Accepted,
        _ when past.Outcome == Outcome.Succeeded => AttemptState.Superseded,
        _ => past.Outcome switch
        {
            Outcome.TimedOut => AttemptState.TimedOut,
            Outcome.Cancelled => AttemptState.Cancelled,
            Outcome.NodeFault or Outcome.LeaseLost => AttemptState.Lost,
            _ => AttemptState.Failed,
        },
    };
}

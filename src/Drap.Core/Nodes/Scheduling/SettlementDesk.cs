using Drap.Core.Jobs;
using Drap.Core.Leases;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// Says which result counts: the first valid one of any attempt that this scheduler issued. Exactly one end of each task is accepted;
/// what comes after it, or twice, is acknowledged and changes nothing.
/// </summary>
internal sealed class SettlementDesk(SchedulerContext context, PlacementDesk placement, LossDesk losses, MoneyDesk money, SafetyDesk safety)
{
    /// <summary>Attempts that a task may lose to faults of nodes before it is given up: a task that kills each node it meets must not go round for ever.</summary>
    public const int LostMax = 64;

    /// <summary>Before the second try; each further failure doubles it.</summary>
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan RetryDelayMax = TimeSpan.FromSeconds(30);

    private readonly SortedDictionary<PeerId, List<AttemptId>> acks = [];

    /// <summary>Ends of attempts came in.</summary>
    public void OnResult(PeerId from, Result message)
    {
        if (message.Scheduler != context.Options.Scheduler)
        {
            context.Complain(from, MessageKind.Result, "results for another scheduler");
            return;
        }
        List<AttemptId> list = AcksOf(from);
        foreach (AttemptResult result in message.Entries)
            if (OnEntry(from, result, isSafe: false))
                list.Add(result.Attempt);
    }

    /// <summary>Outputs came, or will not come: the result that waited for them counts now, or is a fault of its node.</summary>
    public void OnFetched(SchedulerInput.Fetched fetched)
    {
        if (safety.Take(fetched) is var (from, result) && OnEntry(from, result, isSafe: true))
            AcksOf(from).Add(result.Attempt);
    }

    /// <summary>A copy lies elsewhere now, or does not: the result may count now.</summary>
    public void OnCopied(SchedulerInput.Copied copied)
    {
        if (safety.Take(copied) is var (from, result) && OnEntry(from, result, isSafe: true))
            AcksOf(from).Add(result.Attempt);
    }

    private List<AttemptId> AcksOf(PeerId worker)
    {
        if (!acks.TryGetValue(worker, out List<AttemptId>? list))
            acks[worker] = list = [];
        return list;
    }

    /// <summary>Acknowledges what was taken, once it is durable.</summary>
    public void SendAcks()
    {
        foreach ((PeerId worker, List<AttemptId> attempts) in acks)
            foreach (AttemptId[] chunk in attempts.Chunk(Result.EntriesMax))
                context.EmitDurable(new SchedulerEffect.Send(worker, new ResultAck([.. chunk])));
        acks.Clear();
    }

    /// <summary>Attempts whose end nobody will tell any more: not the task's fault, and placed again.</summary>
    public void Lose(JobRun job, LeasedAttempt attempt, string why)
    {
        var result = new AttemptResult { Attempt = attempt.Id, Outcome = Outcome.NodeFault, Detail = why };
        Settle(job, attempt.Worker, attempt, result);
    }

    /// <summary>False for what must not be acknowledged: it was never ours to give, or its outputs are not safe yet.</summary>
    private bool OnEntry(PeerId from, AttemptResult result, bool isSafe)
    {
        TaskId task = result.Attempt.Task;
        if (!context.State.TryGet(task.Job, out JobRun? job))
            return true; // Forgotten: nobody wants it any more.
        Fence fence = result.Attempt.Fence;
        if (task.Number > job.Tasks.Count || fence.Attempt > job.Tasks.Attempts(task.Number) || fence.Epoch.CompareTo(context.Epoch) > 0)
        {
            context.Complain(from, MessageKind.Result, $"attempt {result.Attempt} was never placed");
            return false;
        }
        if (context.Leases.TryGet(result.Attempt, out LeasedAttempt? lease))
        {
            if (lease.Worker != from)
            {
                context.Complain(from, MessageKind.Result, $"attempt {result.Attempt} is another worker's");
                return false;
            }
            if (!isSafe && MayCount(job, result) && !safety.IsSafe(job, from, result))
            {
                context.Leases.Deliver(lease);
                return false;
            }
            Settle(job, from, lease, result);
        }
        else if (IsWelcomeLate(job, result))
        {
            if (!isSafe && !safety.IsSafe(job, from, result))
                return false;
            Settle(job, from, null, result);
        }
        return true;
    }

    /// <summary>A good result of an attempt that was given up counts, if the task has no end yet and may run twice.</summary>
    private static bool IsWelcomeLate(JobRun job, AttemptResult result)
    {
        int number = result.Attempt.Task.Number;
        return result.Outcome == Outcome.Succeeded
            && IsWanted(job, number)
            && result.Attempt.Fence.Attempt > job.Tasks.Discarded(number)
            && job.SegmentOf(number).Spec is { Exclusive: false, Nodes: null }
            && !job.Votes(number).Any(v => v.Attempt == result.Attempt);
    }

    /// <summary>
    /// Whether an end of the task may still count. One that waits for what it needs to run again had it, perhaps, when it was placed; an
    /// exclusive one that waits was taken back.
    /// </summary>
    private static bool IsWanted(JobRun job, int number) => job.Tasks.State(number) is TaskState.Placed or TaskState.Ready
        || (job.Tasks.State(number) == TaskState.Blocked && !job.SegmentOf(number).Spec.Exclusive);

    private static bool MayCount(JobRun job, AttemptResult result) =>
        IsWanted(job, result.Attempt.Task.Number) && result.Attempt.Fence.Attempt > job.Tasks.Discarded(result.Attempt.Task.Number);

    private void Settle(JobRun job, PeerId worker, LeasedAttempt? lease, AttemptResult result)
    {
        int number = result.Attempt.Task.Number;
        SegmentRun segment = job.SegmentOf(number);
        Verdict verdict = Judge(job, segment, worker, result);
        Credits cost = money.Settle(job, lease, result);
        if (verdict == Verdict.Lost && lease is { Cancelled: CancelReason.Budget })
            (verdict, result) = (Verdict.FailedForGood, result with
            {
                Detail = $"the budget of {job.Budget.Budget} does not bear it: {job.Budget.Spent} are spent, {cost} of them on its last run of {result.Wall.TotalSeconds:0} s",
            });
        TimeSpan waited = TimeSpan.Zero;
        if (lease is not null)
        {
            context.Leases.Remove(lease);
            placement.Left(job, lease, result.Outcome == Outcome.Succeeded ? result.Wall : waited);
        }
        if (verdict is Verdict.FailedForGood && job.Tasks.Faults(number) >= LostMax)
            result = result with { Detail = $"given up: {LostMax + 1} attempts were lost by no fault of its own; of the last: {result.Detail}" };
        else if (verdict is Verdict.FailedForGood && result.Detail.Length == 0)
            result = result with { Detail = $"exit code {result.ExitCode}" };
        TaskState before = job.Tasks.State(number);
        context.RecordEnd(job, new EndedAttempt(result, verdict, worker, cost));
        NoteWorker(worker, result);
        switch (verdict)
        {
            case Verdict.Accepted or Verdict.FailedForGood:
                if (before is TaskState.Ready || segment.Queue.ChoosyOf(number) > 0)
                {
                    segment.Queue.Withdraw(number);
                    placement.LookAgain(segment);
                }
                placement.CancelAttempts(job, [number], CancelReason.Settled, JobDesk.Grace);
                if (verdict == Verdict.Accepted)
                    job.OnSucceeded(number, placement.Ready);
                break;
            case Verdict.Failed or Verdict.Lost:
                if (result.Outcome == Outcome.InputMissing)
                    losses.Reopen(job, number, result.Missing);
                placement.Again(job, number, worker, Delay(job, number, verdict));
                break;
        }
    }

    private static Verdict Judge(JobRun job, SegmentRun segment, PeerId worker, AttemptResult result)
    {
        int number = result.Attempt.Task.Number;
        if (!MayCount(job, result))
            return Verdict.Superseded;
        switch (result.Outcome)
        {
            case Outcome.Succeeded when segment.Spec.Accept.Of == 1:
                return Verdict.Accepted;
            case Outcome.Succeeded:
                var vote = new Vote(result.Attempt, worker, result.Outputs);
                int agreeing = 1 + job.Votes(number).Count(vote.AgreesWith);
                if (agreeing >= segment.Spec.Accept.Agree)
                    return Verdict.Accepted;
                return job.Votes(number).Count + 1 < segment.Spec.Accept.Of ? Verdict.Voted : Verdict.FailedForGood;
            case Outcome.NodeFault or Outcome.LeaseLost or Outcome.Cancelled:
            case Outcome.InputMissing when !LossDesk.IsBrought(job, number, result.Missing):
                return job.Tasks.Faults(number) >= LostMax ? Verdict.FailedForGood : Verdict.Lost;
            default:
                return job.Tasks.Failures(number) >= segment.Spec.Retries ? Verdict.FailedForGood : Verdict.Failed;
        }
    }

    private void NoteWorker(PeerId worker, AttemptResult result)
    {
        if (result.Outcome == Outcome.Succeeded)
            context.Allocator.Success(worker);
        else if (result.Outcome is Outcome.NodeFault or Outcome.LeaseLost)
            context.Allocator.Fault(worker, context.Now, result.Detail);
    }

    private static TimeSpan Delay(JobRun job, int number, Verdict verdict)
    {
        // A fault of the node goes elsewhere at once; a failure of the task itself waits a little longer each time.
        if (verdict == Verdict.Lost)
            return TimeSpan.Zero;
        int failures = Math.Min(job.Tasks.Failures(number), 16);
        return TimeSpan.FromTicks(Math.Min(RetryDelay.Ticks << (failures - 1), RetryDelayMax.Ticks));
    }
}

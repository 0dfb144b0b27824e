using Drap.Core.Jobs;
using Drap.Core.Leases;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// What attempts cost: sets money of the job's budget aside as long as they run, pays what they used by the scheduler's own account, and
/// holds the workers' bills against it.
/// </summary>
internal sealed class MoneyDesk(SchedulerContext context, PlacementDesk placement)
{
    /// <summary>Settled attempts whose bill is awaited, 64 B each: four seconds of the fastest tasks. Beyond it the oldest bill is not looked at.</summary>
    public const int BillsMax = 131_072;

    /// <summary>Money is set aside for at least so long at a time: ten heartbeats, so that few need to ask.</summary>
    private static readonly TimeSpan PeriodMin = TimeSpan.FromSeconds(10);

    /// <summary>A task of which nobody knows how long it runs is thought to take a minute.</summary>
    private static readonly TimeSpan PeriodUnknown = TimeSpan.FromMinutes(1);

    /// <summary>
    /// A bill may say so much more than our account, and a round trip: both sides measure the round trip for themselves, and at other times.
    /// </summary>
    private static readonly TimeSpan BillGrain = TimeSpan.FromMilliseconds(10);

    private readonly Dictionary<AttemptId, Account> awaited = [];
    private readonly Queue<AttemptId> order = new();

    /// <summary>How long the first reservation of an attempt of this group lasts.</summary>
    public static TimeSpan FirstPeriod(TimeSpan estimate) => estimate > TimeSpan.Zero ? estimate : PeriodUnknown;

    /// <summary>
    /// Before the leases of a worker are renewed: attempts whose money will be used up get more of it set aside, all that is left if a whole
    /// period cannot be had; those for which there is none are ended.
    /// </summary>
    public void Extend(WorkerLeases leases)
    {
        List<LeasedAttempt>? due = null;
        foreach (LeasedAttempt attempt in leases.Attempts.Values)
            if (attempt is { Phase: LeasePhase.Running, Cancelled: null } && attempt.PaidUntil <= context.Now + LeaseBook.HeartbeatInterval)
                (due ??= []).Add(attempt);
        if (due is null)
            return;
        due.Sort((a, b) => a.Id.CompareTo(b.Id));
        foreach (LeasedAttempt attempt in due)
            if (context.State.TryGet(attempt.Id.Task.Job, out JobRun? job))
                Extend(job, attempt);
    }

    private void Extend(JobRun job, LeasedAttempt attempt)
    {
        TimeSpan period = FirstPeriod(context.Allocator.Estimate(attempt.Group));
        period = period > PeriodMin ? period : PeriodMin;
        Credits left = job.Budget.Available;
        if (!job.Budget.TryExtend(attempt.Id, Billing.Amount(attempt.Ask, period)))
        {
            period = new TimeSpan((long)((Int128)left.Micro * TimeSpan.TicksPerHour / attempt.Ask.MicroPerHour));
            if (period < LeaseBook.HeartbeatInterval || !job.Budget.TryExtend(attempt.Id, left))
                period = TimeSpan.Zero;
        }
        if (period > TimeSpan.Zero)
            attempt.PaidUntil = Instant.Max(attempt.PaidUntil, context.Now) + period;
        else if (context.Now >= attempt.PaidUntil)
            placement.CancelAttempts(job, [attempt.Id.Task.Number], CancelReason.Budget, JobDesk.Grace);
    }

    /// <summary>
    /// An attempt ended: pays for the lesser of both clocks and a round trip, as far as the budget reaches; nothing for what the node failed or
    /// never started. What was paid.
    /// </summary>
    public Credits Settle(JobRun job, LeasedAttempt? lease, AttemptResult result)
    {
        if (lease is null || result.Wall <= TimeSpan.Zero
            || result.Outcome is Outcome.NodeFault or Outcome.LeaseLost or Outcome.NotStarted or Outcome.InputMissing)
        {
            job.Budget.Settle(result.Attempt, Credits.Zero);
            return Credits.Zero;
        }
        TimeSpan roundTrip = context.Leases.TryOf(lease.Worker)?.RoundTrip ?? TimeSpan.Zero;
        TimeSpan billed = Billing.BilledTime(result.Wall, context.Now - lease.PlacedAt, roundTrip);
        Credits owed = Billing.Amount(lease.Ask, billed);
        Await(result.Attempt, new Account(lease.Worker, lease.Ask, owed, Billing.Amount(lease.Ask, billed + roundTrip + BillGrain)));
        Settlement settled = job.Budget.Settle(result.Attempt, owed) ?? default;
        if (settled.Uncovered > Credits.Zero)
            context.Emit(new SchedulerEffect.Observe(new SchedulerObservation.Uncovered(result.Attempt, settled.Paid, settled.Uncovered)));
        return settled.Paid;
    }

    /// <summary>
    /// A worker's bills. Our own account stands, whatever they say: a bill above it is refused, one of a price that was not agreed too; that
    /// the two differ is told.
    /// </summary>
    public void OnReceipt(PeerId from, Receipt receipt)
    {
        int refused = 0, unknown = 0;
        Credits billed = Credits.Zero, owed = Credits.Zero;
        string? worst = null;
        foreach (ReceiptEntry entry in receipt.Entries)
        {
            if (!awaited.TryGetValue(entry.Attempt, out Account account) || account.Worker != from)
            {
                unknown++;
                continue;
            }
            awaited.Remove(entry.Attempt);
            if (entry.Price != account.Price || entry.Amount > account.Most)
            {
                refused++;
                worst ??= entry.Price != account.Price
                    ? $"bills attempt {entry.Attempt} at {entry.Price}; {account.Price} were agreed"
                    : $"bills {entry.Amount} for attempt {entry.Attempt}; by our own account it is {account.Owed}";
            }
            else
            {
                billed += entry.Amount;
                owed += account.Owed;
            }
        }
        if (worst is not null)
            context.Complain(from, MessageKind.Receipt, refused == 1 ? worst : $"{worst}, and {refused - 1} more like it");
        if (refused > 0 || unknown > 0 || billed != owed)
            context.Emit(new SchedulerEffect.Observe(new SchedulerObservation.Billed(from, receipt.Entries.Length, refused, unknown, billed, owed)));
    }

    private void Await(AttemptId attempt, Account account)
    {
        awaited[attempt] = account;
        order.Enqueue(attempt);
        while (order.Count > BillsMax)
            awaited.Remove(order.Dequeue());
    }

    /// <summary>What an attempt cost.</summary>
    /// <param name="Worker">Where it ran.</param>
    /// <param name="Price">The price agreed.</param>
    /// <param name="Owed">By our own account.</param>
    /// <param name="Most">The highest bill that is believed.</param>
    private readonly record struct Account(PeerId Worker, Price Price, Credits Owed, Credits Most);
}

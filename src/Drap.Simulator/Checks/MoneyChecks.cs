using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Simulator.Worlds;

namespace Drap.Simulator.Checks;

/// <summary>Credits are conserved: each bill is its price times its time, rounded up; a job has spent what its attempts cost; a budget is kept.</summary>
internal static class MoneyChecks
{
    private const long TicksPerHour = TimeSpan.TicksPerHour;

    /// <summary>A worker bills.</summary>
    public static void Billed(WorldWorker worker, Receipt receipt, BindingChecks bindings)
    {
        foreach (ReceiptEntry entry in receipt.Entries)
        {
            if (bindings.AskOf(entry.Attempt) is { } ask && ask != entry.Price)
                throw new ViolationException("credits", $"{worker.Options.Name} bills {entry.Attempt} at {entry.Price}; {ask} were agreed");
            if (entry.Amount.Micro != Owed(entry.Price, entry.Billed))
                throw new ViolationException("credits", $"{worker.Options.Name} bills {entry.Amount} for {entry.Billed} of {entry.Attempt} at {entry.Price}; that is {Owed(entry.Price, entry.Billed)} millionths");
        }
    }

    /// <summary>How a job's account stands at the end.</summary>
    /// <param name="scheduler">Whose job it is.</param>
    /// <param name="job">The job.</param>
    /// <param name="durable">What its journal says.</param>
    /// <param name="knowsTime">Whether wall clocks were never set, which are all that tells a scheduler that came again how long something had run.</param>
    public static void CheckAccount(WorldScheduler scheduler, JobRun job, DurableState durable, bool knowsTime)
    {
        if (job.Spec.Budget is { } budget && job.Spent > budget)
            throw new ViolationException("credits", $"job {job.Number} of {scheduler.Name} spent {job.Spent} of {budget}");
        if (job.Spent != durable.CostOf(job.Id))
            throw new ViolationException("credits", $"job {job.Number} of {scheduler.Name} spent {job.Spent}; by its journal its attempts cost {durable.CostOf(job.Id)}");
        if (job.Spec.Budget is not null || !knowsTime)
            return;
        for (int number = 1; number <= job.Tasks.Count; number++)
            foreach (PastAttempt past in job.Tasks.History(number))
                if (past.Verdict == Verdict.Accepted && past.Price > Price.Zero && past.Cost.Micro < Owed(past.Price, past.Wall))
                    throw new ViolationException("credits", $"attempt {past.Number} of task {number} of job {job.Number} cost {past.Cost} for {past.Wall} at {past.Price}");
    }

    /// <summary>The price of a time, in millionths, rounded up and at least one: reckoned here once more.</summary>
    private static long Owed(Price price, TimeSpan time)
    {
        if (price == Price.Zero)
            return 0;
        Int128 product = (Int128)price.MicroPerHour * time.Ticks;
        return (long)Int128.Max((product + TicksPerHour - 1) / TicksPerHour, 1);
    }
}

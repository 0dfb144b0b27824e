using System.Collections.Immutable;
using Drap.Api;
using Drap.Core;
using Drap.Core.Jobs;
using CoreState = Drap.Core.Jobs.TaskState;

namespace Drap.Node.Service;

/// <summary>What jobs cost and used, out of the kept states of their tasks.</summary>
internal static class Accounts
{
    /// <summary>A job's receipts, the youngest first, at most <paramref name="limit"/> and none that ended before <paramref name="since"/>.</summary>
    public static List<LedgerEntry> Entries(Moment at, JobRun job, int limit, UtcTime since)
    {
        // The youngest so far with the oldest of them on top, to be dropped first.
        var youngest = new PriorityQueue<LedgerEntry, (long At, int Task, int Attempt)>();
        for (int number = 1; number <= job.Tasks.Count; number++)
        {
            if (job.Tasks.Attempts(number) == 0 || job.Tasks.EndedAt(number).Milliseconds == 0)
                continue;
            IReadOnlyList<PastAttempt> past = job.Tasks.History(number);
            foreach (PastAttempt attempt in past)
                Keep(number, attempt.Number, attempt.Node, attempt.Price, attempt.Wall, attempt.Cost, attempt.EndedAt);
            // What else the task cost is the accepted attempt's, or that of attempts too old to be kept one by one.
            var rest = new Credits(job.Tasks.Cost(number).Micro - past.Sum(p => p.Cost.Micro));
            int telling = TaskView.TellingAttempt(job.Tasks, number);
            if (job.Tasks.State(number) == CoreState.Succeeded && past.All(p => p.Number != telling))
                Keep(number, telling, job.Tasks.Node(number), job.Tasks.Price(number), job.Tasks.Wall(number), rest, job.Tasks.EndedAt(number));
            else if (past.Count > 0)
                Keep(number, 0, -1, Price.Zero, TimeSpan.Zero, rest, past[0].EndedAt);
        }
        var entries = new List<LedgerEntry>(youngest.Count);
        while (youngest.TryDequeue(out LedgerEntry? entry, out _))
            entries.Add(entry);
        entries.Reverse();
        return entries;

        void Keep(int number, int attempt, int node, Price price, TimeSpan wall, Credits cost, UtcTime end)
        {
            if (cost == Credits.Zero || end.CompareTo(since) < 0)
                return;
            youngest.Enqueue(new LedgerEntry
            {
                At = end,
                Job = job.Id,
                Task = number,
                Attempt = attempt,
                Node = at.NameOf(node) ?? "",
                Price = price > Price.Zero ? price : Rate(cost, wall),
                BilledSeconds = wall,
                Amount = cost,
            }, (end.Milliseconds, number, attempt));
            if (youngest.Count > limit)
                youngest.Dequeue();
        }
    }

    public static LedgerAccount Account(IEnumerable<JobRun> jobs, Principal principal)
    {
        long spent = 0, held = 0;
        foreach (JobRun job in jobs)
        {
            spent += job.Spent.Micro;
            held += job.Budget.Reserved.Micro;
        }
        return new LedgerAccount(principal.Name, principal.Name, null, new Credits(spent), new Credits(held));
    }

    public static ImmutableArray<UsageRow> Usage(JobRun job) => [.. job.Segments.Select(s => Usage(job, s))];

    private static UsageRow Usage(JobRun job, SegmentRun segment)
    {
        TaskTable tasks = job.Tasks;
        int measured = 0;
        long cost = 0, peak = 0;
        double wall = 0, cpu = 0;
        for (int number = segment.First; number < segment.First + segment.Count; number++)
        {
            cost += tasks.Cost(number).Micro;
            if (tasks.Wall(number) <= TimeSpan.Zero)
                continue;
            measured++;
            wall += tasks.Wall(number).TotalSeconds;
            cpu += tasks.Cpu(number).TotalSeconds;
            peak = Math.Max(peak, tasks.PeakMemoryBytes(number));
        }
        return new UsageRow
        {
            Job = job.Id,
            Name = job.Spec.Name,
            Segment = segment.Spec.Name,
            Attempts = measured,
            AskedMilliCpus = segment.Spec.Resources.Cpu.Milli,
            UsedMilliCpus = wall > 0 ? (long)Math.Round(1000 * cpu / wall) : 0,
            AskedMemoryBytes = segment.Spec.Resources.Memory.Bytes,
            PeakMemoryBytes = peak,
            EstimateSeconds = segment.Spec.Estimate,
            RunSeconds = measured > 0 ? TimeSpan.FromSeconds(wall / measured) : TimeSpan.Zero,
            Cost = new Credits(cost),
        };
    }

    private static Price Rate(Credits cost, TimeSpan wall) =>
        wall > TimeSpan.Zero ? new Price((long)Int128.Min((Int128)cost.Micro * TimeSpan.TicksPerHour / wall.Ticks, Price.LimitMax.MicroPerHour)) : Price.Zero;
}

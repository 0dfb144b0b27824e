using System.Collections.Immutable;
using Drap.Core.Jobs;
using Drap.Core.Leases;
using Drap.Core.Messages;

namespace Drap.Core.Execution;

/// <summary>Like tasks of one confirmed group: what they have in common, and those that stand in line for resources.</summary>
public sealed class Line
{
    private readonly Queue<Attempt> queue = [];

    internal Line(LineTerms terms, GroupRecord here, PrincipalUse use, long order)
    {
        Terms = terms;
        Here = here;
        Use = use;
        Order = order;
    }

    /// <summary>What the tasks have in common.</summary>
    public LineTerms Terms { get; }

    /// <summary>What is known of their group here.</summary>
    public GroupRecord Here { get; }

    /// <summary>What their principal has here.</summary>
    internal PrincipalUse Use { get; }

    /// <summary>Lines are numbered as they come: the last tie-breaker.</summary>
    public long Order { get; }

    /// <summary>Attempts that stand in line.</summary>
    public int Waiting { get; private set; }

    /// <summary>Whether nothing is in it any more, not even what was taken out of its middle.</summary>
    internal bool IsEmpty => queue.Count == 0;

    internal void Enqueue(Attempt attempt)
    {
        attempt.Phase = AttemptPhase.Waiting;
        queue.Enqueue(attempt);
        Waiting++;
        Here.Waiting++;
    }

    /// <summary>The first that still waits; null, and the line is empty, if none does.</summary>
    internal Attempt? Peek()
    {
        while (queue.TryPeek(out Attempt? attempt))
        {
            if (attempt.Phase == AttemptPhase.Waiting)
                return attempt;
            queue.Dequeue();
        }
        return null;
    }

    /// <summary>Takes out what <see cref="Peek"/> showed.</summary>
    internal void Dequeue()
    {
        queue.Dequeue();
        Waiting--;
        Here.Waiting--;
    }

    /// <summary>One of its attempts is over before it started; its place is skipped when its turn comes.</summary>
    internal void Skip(Attempt attempt)
    {
        Invariant.Check(attempt.Phase == AttemptPhase.Waiting);
        attempt.Phase = AttemptPhase.Over;
        Waiting--;
        Here.Waiting--;
        if (Waiting == 0)
            queue.Clear();
    }
}

/// <summary>What the tasks of a line have in common.</summary>
/// <param name="Scheduler">Whose leases they are.</param>
/// <param name="Group">The group, with the epoch in which it was advertised.</param>
/// <param name="Principal">Whose work it is.</param>
/// <param name="Template">What they run.</param>
/// <param name="Request">The bundle of each.</param>
/// <param name="Ask">The price agreed.</param>
/// <param name="Priority">Orders lines of one principal.</param>
/// <param name="Deadline">Their end must come before this.</param>
/// <param name="Estimate">How long one is thought to take, if none was measured; zero if nobody knows.</param>
public sealed record LineTerms(
    KnownScheduler Scheduler, GroupKey Group, Principal Principal, TaskSpec Template, ResourceRequest Request, Price Ask, int Priority,
    Instant Deadline, TimeSpan Estimate)
{
    /// <summary>Variables that its tasks get beside the template's.</summary>
    public ImmutableArray<SecretVariable> Secrets { get; init; } = [];

    /// <summary>Whether attempts of it must not outlive their lease. The scheduler says <c>stop</c> for each exclusive task.</summary>
    public bool StopsAtLeaseEnd => Template.OnSchedulerLost == OnSchedulerLost.Stop;
}

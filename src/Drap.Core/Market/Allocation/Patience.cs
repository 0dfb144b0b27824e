using Drap.Core.Market.Arbitration;

namespace Drap.Core.Market.Allocation;

/// <summary>
/// When a group has waited so long that workers may reserve for it (design 5, large tasks). To be patient goes before everything at a worker, so it
/// is not for what its own user ranks below something else that waits: patience would turn priorities round.
/// </summary>
internal sealed class Patience
{
    /// <summary>A group is called patient when it waited this many times its class's usual wait.</summary>
    private const int Factor = 10;

    /// <summary>And never sooner than this: below it nobody calls a wait starvation.</summary>
    private static readonly TimeSpan Min = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, long> usualWaits = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> longestRunning = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> highest = new(StringComparer.Ordinal);
    private bool isLongestKnown;

    /// <summary>A group of this topic got something after this long.</summary>
    public void Waited(string topic, TimeSpan time)
    {
        long usual = usualWaits.GetValueOrDefault(topic, time.Ticks);
        usualWaits[topic] = usual + (time.Ticks - usual) / 8;
    }

    /// <summary>What runs has changed.</summary>
    public void RunningChanged() => isLongestKnown = false;

    /// <summary>Notes who of those that wait ranks highest on each topic. One that no machine ever takes stands in nobody's way.</summary>
    public void Rank(List<AllocationGroup> hungry)
    {
        highest.Clear();
        // As a rule all are of one priority, and nothing more is looked at.
        if (hungry.TrueForAll(g => g.Terms.Priority == hungry[0].Terms.Priority))
            return;
        foreach (AllocationGroup group in hungry)
            if (group.Answers.Values.Any(a => a.Refusal is not { } no || !Eligibility.IsFinal(no.Reason)))
                highest[group.Topic] = Math.Max(highest.GetValueOrDefault(group.Topic, int.MinValue), group.Terms.Priority);
    }

    /// <summary>When a group that waits becomes patient, if nothing changes; never if it is so, or may not be.</summary>
    /// <param name="group">The group.</param>
    /// <param name="all">All groups, to see what runs.</param>
    public Instant Begins(AllocationGroup group, IEnumerable<AllocationGroup> all) =>
        group.Patient || group.HungrySince == Instant.Never || IsOutranked(group) ? Instant.Never : group.HungrySince + After(group, all);

    /// <summary>Whether the group is to be patient now.</summary>
    public bool Holds(AllocationGroup group, IEnumerable<AllocationGroup> all, Instant now) =>
        group.Patient ? !IsOutranked(group) : Begins(group, all) <= now;

    private bool IsOutranked(AllocationGroup group) => highest.TryGetValue(group.Topic, out int priority) && group.Terms.Priority < priority;

    /// <summary>Ten times the usual wait of its class, or the longest task now running in it if that is shorter.</summary>
    private TimeSpan After(AllocationGroup group, IEnumerable<AllocationGroup> all)
    {
        long ticks = usualWaits.GetValueOrDefault(group.Topic, Min.Ticks) * Factor;
        FindLongest(all);
        if (longestRunning.GetValueOrDefault(group.Topic) is > 0 and long longest)
            ticks = Math.Min(ticks, longest);
        return TimeSpan.FromTicks(Math.Max(ticks, Min.Ticks));
    }

    /// <summary>Looks through all groups once a batch, not once for each that is hungry.</summary>
    private void FindLongest(IEnumerable<AllocationGroup> all)
    {
        if (isLongestKnown)
            return;
        isLongestKnown = true;
        longestRunning.Clear();
        foreach (AllocationGroup group in all)
            if (group.ActiveWorkers > 0)
                longestRunning[group.Topic] = Math.Max(longestRunning.GetValueOrDefault(group.Topic), group.Estimate.Ticks);
    }
}

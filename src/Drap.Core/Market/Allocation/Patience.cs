namespace Drap.Core.Market.Allocation;

/// <summary>
/// When the groups of a topic have waited so long that workers may reserve for them (design 5, large tasks). To be patient goes before everything
/// at a worker, so it is not for what its own user ranks below something else that waits: patience would turn priorities round. All of a priority
/// become patient after the same time, so who waits longest is the only one to look at. Not thread-safe.
/// </summary>
internal sealed class Patience
{
    /// <summary>A group is called patient when it waited this many times its class's usual wait.</summary>
    private const int Factor = 10;

    /// <summary>And never sooner than this: below it nobody calls a wait starvation.</summary>
    private static readonly TimeSpan Min = TimeSpan.FromSeconds(1);

    private readonly SortedDictionary<int, PriorityRank> ranks = new(Comparer<int>.Create((a, b) => b.CompareTo(a)));
    private readonly SortedSet<(long Ticks, int Id)> running = [];
    private readonly List<AllocationGroup> stale = [];
    private long usualWait = -1;

    /// <summary>A group got something after this long.</summary>
    public void Waited(TimeSpan time) => usualWait = usualWait < 0 ? time.Ticks : usualWait + (time.Ticks - usualWait) / 8;

    /// <summary>What runs of the group, or for how long, has changed.</summary>
    public void RunningChanged(AllocationGroup group)
    {
        if (group.Running.IsStale)
            return;
        group.Running = group.Running with { IsStale = true };
        stale.Add(group);
    }

    /// <summary>The group begins to wait.</summary>
    public void Enter(AllocationGroup group)
    {
        if (!ranks.TryGetValue(group.Terms.Priority, out PriorityRank? rank))
            ranks[group.Terms.Priority] = rank = new PriorityRank();
        rank.Add(group);
        group.Rank = rank;
    }

    /// <summary>The group waits no more, or is about to wait differently; before anything of it changes.</summary>
    public void Leave(AllocationGroup group)
    {
        if (group.Rank is not { } rank)
            return;
        rank.Remove(group);
        group.Rank = null;
        if (rank.IsEmpty)
            ranks.Remove(group.Terms.Priority);
    }

    /// <summary>When the next group becomes patient, if nothing changes.</summary>
    public Instant Next
    {
        get
        {
            Instant since = Instant.Never;
            foreach (PriorityRank rank in ranks.Values)
            {
                if (rank.First is { } first)
                    since = Instant.Min(since, first.HungrySince);
                // One that no machine ever takes stands in nobody's way.
                if (rank.Hopeful > 0)
                    break;
            }
            return since == Instant.Never ? Instant.Never : since + After();
        }
    }

    /// <summary>Makes those patient that have waited long enough, and those not that are outranked now: these are put into <paramref name="changed"/>.</summary>
    public void Turn(Instant now, List<AllocationGroup> changed)
    {
        bool isOutranked = false;
        foreach (PriorityRank rank in ranks.Values)
        {
            if (isOutranked)
            {
                foreach (AllocationGroup group in rank.Patient.ToArray())
                    Turn(rank, group, isPatient: false, changed);
            }
            else if (rank.First is not null)
            {
                for (TimeSpan after = After(); rank.First is { } first && first.HungrySince + after <= now;)
                    Turn(rank, first, isPatient: true, changed);
            }
            isOutranked |= rank.Hopeful > 0;
        }
    }

    /// <summary>Each group that waits stands once, and what runs is known.</summary>
    public void CheckInvariants(IEnumerable<AllocationGroup> groups)
    {
        var hopeful = new Dictionary<PriorityRank, int>();
        foreach (AllocationGroup group in groups)
        {
            Invariant.Check(group.Rank is null == (group.HungrySince == Instant.Never));
            Invariant.Check(group.Running.Ticks == 0 || running.Contains((group.Running.Ticks, group.Id)));
            if (group.Rank is { } rank)
                hopeful[rank] = hopeful.GetValueOrDefault(rank) + (group.IsHopeful ? 1 : 0);
        }
        foreach (PriorityRank rank in ranks.Values)
            Invariant.Check(!rank.IsEmpty && rank.Hopeful == hopeful[rank]);
    }

    private static void Turn(PriorityRank rank, AllocationGroup group, bool isPatient, List<AllocationGroup> changed)
    {
        rank.Remove(group);
        group.Patient = isPatient;
        rank.Add(group);
        changed.Add(group);
    }

    /// <summary>Ten times the usual wait of its class, or the longest task now running in it if that is shorter.</summary>
    private TimeSpan After()
    {
        foreach (AllocationGroup group in stale)
        {
            running.Remove((group.Running.Ticks, group.Id));
            group.Running = (false, group.ActiveWorkers > 0 ? group.Estimate.Ticks : 0);
            if (group.Running.Ticks > 0)
                running.Add((group.Running.Ticks, group.Id));
        }
        stale.Clear();
        long ticks = (usualWait < 0 ? Min.Ticks : usualWait) * Factor;
        if (running.Count > 0)
            ticks = Math.Min(ticks, running.Max.Ticks);
        return TimeSpan.FromTicks(Math.Max(ticks, Min.Ticks));
    }
}

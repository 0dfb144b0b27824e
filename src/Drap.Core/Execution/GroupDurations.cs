namespace Drap.Core.Execution;

/// <summary>How long a group's tasks took on this worker: the last sixteen, so that a change shows soon.</summary>
public sealed class GroupDurations
{
    private const int Kept = 16;

    private readonly long[] ticks = new long[Kept];
    private int count;
    private long sum;

    /// <summary>Whether any task of the group ended here.</summary>
    public bool IsMeasured => count > 0;

    /// <summary>The mean; zero if none ended.</summary>
    public TimeSpan Mean => count == 0 ? TimeSpan.Zero : new TimeSpan(sum / Math.Min(count, Kept));

    /// <summary>The median; zero if none ended.</summary>
    public TimeSpan Median
    {
        get
        {
            if (count == 0)
                return TimeSpan.Zero;
            Span<long> sorted = stackalloc long[Kept];
            sorted = sorted[..Math.Min(count, Kept)];
            ticks.AsSpan(0, sorted.Length).CopyTo(sorted);
            sorted.Sort();
            return new TimeSpan(sorted[sorted.Length / 2]);
        }
    }

    /// <summary>A task of the group ended by itself after this time.</summary>
    public void Observe(TimeSpan wall)
    {
        long taken = Math.Clamp(wall.Ticks, 0, TimeSpan.TicksPerDay * 3650);
        int slot = count % Kept;
        sum += taken - ticks[slot];
        ticks[slot] = taken;
        // Counts on past the ring's size only as far as the next slot needs it.
        count = count + 1 == 2 * Kept ? Kept : count + 1;
    }
}

/// <summary>A group in one epoch of one scheduler: what durations are learnt for.</summary>
/// <param name="Scheduler">The scheduler.</param>
/// <param name="Epoch">The epoch, within which groups keep their numbers.</param>
/// <param name="Group">The group.</param>
public readonly record struct GroupKey(PeerId Scheduler, Epoch Epoch, int Group);

/// <summary>The durations of the groups that ran here last.</summary>
public sealed class DurationBook
{
    /// <summary>Groups remembered: as many as may stand. At the limit the older half is forgotten, at about 200 B each.</summary>
    public const int GroupsMax = 2048;

    private readonly Dictionary<GroupKey, GroupDurations> groups = [];
    private readonly Queue<GroupKey> order = [];

    /// <summary>The durations of a group; made on first use.</summary>
    public GroupDurations Of(GroupKey key)
    {
        if (groups.TryGetValue(key, out GroupDurations? durations))
            return durations;
        if (groups.Count >= GroupsMax)
            while (order.Count > GroupsMax / 2)
                groups.Remove(order.Dequeue());
        groups[key] = durations = new GroupDurations();
        order.Enqueue(key);
        return durations;
    }

    /// <summary>The durations of a group if any were asked for.</summary>
    public GroupDurations? Find(GroupKey key) => groups.GetValueOrDefault(key);
}

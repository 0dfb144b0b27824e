namespace Drap.Core.Execution;

/// <summary>What a worker knows of a group's tasks here: how many there are, and how long the last sixteen took, so that a change shows soon.</summary>
public sealed class GroupRecord
{
    private const int Kept = 16;

    private readonly long[] ticks = new long[Kept];
    private int count;
    private long sum;

    /// <summary>Its attempts here that have resources.</summary>
    public int Placed { get; internal set; }

    /// <summary>Its attempts that stand in line.</summary>
    public int Waiting { get; internal set; }

    /// <summary>The price last agreed for it here: what those in line behind the running ones pay too, since they take nothing more.</summary>
    public Price Ask { get; internal set; }

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

/// <summary>A group in one epoch of one scheduler: what is learnt for.</summary>
/// <param name="Scheduler">The scheduler.</param>
/// <param name="Epoch">The epoch, within which groups keep their numbers.</param>
/// <param name="Group">The group.</param>
public readonly record struct GroupKey(PeerId Scheduler, Epoch Epoch, int Group);

/// <summary>The groups that ran here last.</summary>
public sealed class GroupBook
{
    /// <summary>Groups remembered: as many as may stand. At the limit the older half is forgotten, but for those with attempts here; about 200 B each.</summary>
    public const int GroupsMax = 2048;

    private readonly Dictionary<GroupKey, GroupRecord> groups = [];
    private readonly Queue<GroupKey> order = [];

    /// <summary>What is known of a group; made on first use.</summary>
    public GroupRecord Of(GroupKey key)
    {
        if (groups.TryGetValue(key, out GroupRecord? record))
            return record;
        if (groups.Count >= GroupsMax)
            ForgetOldest();
        groups[key] = record = new GroupRecord();
        order.Enqueue(key);
        return record;
    }

    /// <summary>What is known of a group, if anything.</summary>
    public GroupRecord? Find(GroupKey key) => groups.GetValueOrDefault(key);

    private void ForgetOldest()
    {
        for (int i = order.Count / 2; i > 0; i--)
        {
            GroupKey oldest = order.Dequeue();
            if (groups[oldest] is { Placed: 0, Waiting: 0 })
                groups.Remove(oldest);
            else
                order.Enqueue(oldest);
        }
    }
}

using Drap.Core.Messages;

namespace Drap.Core.Market.Allocation;

/// <summary>
/// Says what waits, where and when: keeps the line of each topic, looks at the groups of which something changed, and writes the ads. Not
/// thread-safe.
/// </summary>
internal sealed class Advertiser(AdBook ads, Reach reach, IDemand demand, Prng prng)
{
    /// <summary>Times that the part of a crowd which answers is doubled: 2^20 is more than any audience.</summary>
    private const int WidenedMax = 20;

    /// <summary>Groups that are passed over for one ad since they go elsewhere: what a step costs stays within bounds.</summary>
    private const int OthersMax = 64;

    private readonly SortedDictionary<string, TopicLine> lines = new(StringComparer.Ordinal);
    private readonly List<AllocationGroup> touched = [];

    /// <summary>How often a group was looked at.</summary>
    public long Looks { get; private set; }

    /// <summary>The lines, by topic.</summary>
    public IReadOnlyCollection<TopicLine> Lines => lines.Values;

    /// <summary>When <see cref="Run"/> has something to do even if nothing comes in.</summary>
    public Instant NextDeadline
    {
        get
        {
            Instant next = Instant.Never;
            foreach (TopicLine line in lines.Values)
                next = Instant.Min(next, line.NextDeadline);
            return next;
        }
    }

    /// <summary>The line of a topic; made on first use.</summary>
    public TopicLine Line(string topic)
    {
        if (!lines.TryGetValue(topic, out TopicLine? line))
            lines[topic] = line = new TopicLine(topic);
        return line;
    }

    /// <summary>Something of the group changed: it is looked at when the next ads are written.</summary>
    public void Touch(AllocationGroup group)
    {
        if (group.IsTouched)
            return;
        group.IsTouched = true;
        touched.Add(group);
    }

    /// <summary>What the group's ad said does not hold any more: it is named anew at once.</summary>
    public void Renew(AllocationGroup group)
    {
        group.Advertised = 0;
        group.NextPublish = Instant.Zero;
        Touch(group);
    }

    /// <summary>The group wants no place, and stands in no line.</summary>
    public static void Leave(AllocationGroup group)
    {
        group.Line.Drop(group);
        group.Line.Patience.Leave(group);
        group.HungrySince = Instant.Never;
        group.Patient = false;
    }

    /// <summary>Publishes what is due.</summary>
    /// <param name="window">How long answers are gathered.</param>
    /// <param name="now">The time.</param>
    /// <param name="effects">Where the ads go.</param>
    public void Run(TimeSpan window, Instant now, List<AllocatorEffect> effects)
    {
        foreach (TopicLine line in lines.Values)
            Welcome(line, now);
        Review(now);
        foreach (TopicLine line in lines.Values)
            TurnPatience(line, now);
        Review(now);
        foreach (TopicLine line in lines.Values)
            if (line.Gathering is null && TakeDue(line, now) is { } batch)
                Publish(line, batch, window, now, effects);
    }

    /// <summary>When something that goes out now may do so again.</summary>
    public Instant NextTurn(Instant now) => now + Allocator.RepublishInterval + TimeSpan.FromTicks(prng.Between(0, Allocator.RepublishInterval.Ticks / 4));

    /// <summary>Somebody new hears a topic: all that waits there is named again.</summary>
    private void Welcome(TopicLine line, Instant now)
    {
        if (now < line.WelcomeAt)
            return;
        line.WelcomeAt = Instant.Never;
        line.NextWelcome = now + Allocator.RepublishInterval;
        foreach (AllocationGroup group in line.Waiting)
            Renew(group);
    }

    private void TurnPatience(TopicLine line, Instant now)
    {
        int first = touched.Count;
        line.Patience.Turn(now, touched);
        foreach (AllocationGroup group in touched.Skip(first))
        {
            group.IsTouched = true;
            group.IsOutdated = true;
            group.NextPublish = Instant.Min(group.NextPublish, now);
        }
    }

    /// <summary>Looks at each group of which something changed: whether it wants places, and when it is to be named.</summary>
    private void Review(Instant now)
    {
        foreach (AllocationGroup group in touched)
        {
            group.IsTouched = false;
            if (group.IsRetired)
                continue;
            Looks++;
            int pending = demand.Pending(group.Id);
            if (pending == 0)
            {
                Leave(group);
                continue;
            }
            if (group.HungrySince == Instant.Never)
            {
                group.HungrySince = now;
                group.Line.Patience.Enter(group);
            }
            Schedule(group, pending);
        }
        touched.Clear();
    }

    private static void Schedule(AllocationGroup group, int pending) => group.Line.Schedule(group, DueAt(group, pending), pending <= group.Advertised);

    /// <summary>What an ad that still stands has named already reaches the workers without another one.</summary>
    private static Instant DueAt(AllocationGroup group, int pending) =>
        pending > group.Advertised || group.IsOutdated ? group.NextPublish : group.RenewedAt;

    /// <summary>Takes those that are due out of the line, as many as one ad names; null if there are none.</summary>
    private List<(AllocationGroup Group, int Pending)>? TakeDue(TopicLine line, Instant now)
    {
        List<(AllocationGroup, int)>? batch = null;
        List<(AllocationGroup Group, int Pending)>? others = null;
        int steps = 0;
        while (batch is not { Count: >= Ad.GroupsMax } && line.Take(batch?.Count ?? 0, now) is { } group)
        {
            Looks++;
            int pending = demand.Pending(group.Id);
            if (pending == 0)
            {
                Leave(group);
            }
            else if (now < DueAt(group, pending))
            {
                Schedule(group, pending);
            }
            else
            {
                int widened = pending > group.Advertised || group.IsOutdated ? group.Widened : Math.Min(group.Widened + 1, WidenedMax);
                int own = reach.StepsOf(line, widened);
                if (batch is null)
                    steps = own;
                if (own != steps)
                {
                    // Who has climbed further goes to others: the next ad is theirs.
                    (others ??= []).Add((group, pending));
                    if (others.Count >= OthersMax)
                        break;
                    continue;
                }
                group.Widened = widened;
                (batch ??= []).Add((group, pending));
            }
        }
        foreach ((AllocationGroup group, int pending) in others ?? [])
            Schedule(group, pending);
        return batch;
    }

    private void Publish(TopicLine line, List<(AllocationGroup Group, int Pending)> batch, TimeSpan window, Instant now, List<AllocatorEffect> effects)
    {
        StandingAd standing = ads.Publish(reach.For(line, batch.Sum(b => (long)b.Pending), reach.StepsOf(line, batch[0].Group.Widened)), window, 
            Math.Min(batch.Sum(b => reach.CallsOf(line, b.Pending, b.Group.Widened)), int.MaxValue),
            [.. batch.Select(b => AdBook.Describe(b.Group.Id, b.Group.Terms, b.Group.Ladder.Bid, b.Group.Estimate, b.Pending, b.Group.Patient, now))], now);
        line.Gathering = standing;
        foreach ((AllocationGroup group, int pending) in batch)
        {
            group.Ad = standing;
            group.Advertised = pending;
            group.IsOutdated = false;
            group.NextPublish = NextTurn(now);
            Schedule(group, pending);
        }
        line.Named(now, NextTurn(now));
        effects.Add(new AllocatorEffect.Publish(standing.Audience.Topic, standing.Ad));
    }
}

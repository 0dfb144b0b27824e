using System.Collections.Immutable;
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

    /// <summary>
    /// Workers of a job that are asked by themselves for each place: the one where it has just become free, and another in case that one is taken.
    /// Most are free then, and each that offers in vain holds a place for nothing.
    /// </summary>
    private const int AskedForPlace = 2;

    private readonly SortedDictionary<string, TopicLine> lines = new(StringComparer.Ordinal);
    private readonly List<AllocationGroup> touched = [];
    private readonly List<AllocationGroup> hasty = [];
    private readonly SortedSet<StandingAd> told = new(Comparer<StandingAd>.Create((a, b) =>
        a.WindowEnd != b.WindowEnd ? a.WindowEnd.CompareTo(b.WindowEnd) : a.Ad.Sequence.CompareTo(b.Ad.Sequence)));
    private readonly Queue<StandingAd> answered = [];

    /// <summary>How often a group was looked at.</summary>
    public long Looks { get; private set; }

    /// <summary>The lines, by topic.</summary>
    public IReadOnlyCollection<TopicLine> Lines => lines.Values;

    /// <summary>When <see cref="Run"/> has something to do even if nothing comes in.</summary>
    public Instant NextDeadline
    {
        get
        {
            Instant next = answered.Count > 0 ? Instant.Zero : told.Min is { } first ? first.WindowEnd : Instant.Never;
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
        group.SoughtInVain = group.HasClimbed = false;
    }

    /// <summary>Publishes what is due, and tells those who serve a job what of it is not.</summary>
    /// <param name="mayWork">Whether a worker gets work at all now.</param>
    /// <param name="window">How long answers are gathered.</param>
    /// <param name="now">The time.</param>
    /// <param name="effects">Where the ads go.</param>
    public void Run(Func<PeerId, bool> mayWork, TimeSpan window, Instant now, List<AllocatorEffect> effects)
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
        TellServers(mayWork, window, now, effects);
    }

    /// <summary>All who were asked by an ad of their own have answered it.</summary>
    public void Answered(StandingAd ad) => answered.Enqueue(ad);

    /// <summary>Takes out an ad to which all who were asked have answered, or whose window is over; null if there is none.</summary>
    public StandingAd? TakeTold(Instant now)
    {
        if (!answered.TryDequeue(out StandingAd? ad))
            ad = told.Min is { } first && first.MayClose(now) ? first : null;
        if (ad is null)
            return null;
        Invariant.Check(told.Remove(ad));
        ads.Close(ad);
        return ad;
    }

    /// <summary>
    /// Those who serve the group's job have answered. If none took anything of it they are busy, and it stands with them: the next word goes to them
    /// a while later, each time twice as long, so that who is asked does not depend on how many tasks become ready meanwhile.
    /// </summary>
    public void OnToldClosed(AllocationGroup group, bool wasInVain, Instant now)
    {
        if (wasInVain)
            group.NextTell = now + TimeSpan.FromTicks(Math.Min(Allocator.RefusedInterval.Ticks << Math.Min(group.ToldInVain++, 4), Allocator.RepublishInterval.Ticks));
        Touch(group);
    }

    /// <summary>
    /// The window of an ad to a part of a crowd has closed and places are left: they are not to be had there, and more are asked at once. Where that
    /// is mostly in vain, the class waits for its turn: a full market is not shouted at.
    /// </summary>
    public void SeekMore(StandingAd ad, IReadOnlyList<(AllocationGroup Group, int Named, int Left)> groups, TopicLine line, Instant now)
    {
        if (ad.IsSeeking)
            line.Sought(groups.Sum(g => (long)g.Named), groups.Sum(g => (long)Math.Min(g.Left, g.Named)), NextTurn(now));
        foreach ((AllocationGroup group, int named, int left) in groups)
        {
            if (ad.IsSeeking && left >= named && !group.SoughtInVain)
            {
                // The turn that comes is as wide as this was: who asks at once climbs no sooner.
                group.SoughtInVain = group.HasClimbed = true;
            }
            if (left == 0 || group.SoughtInVain || now < line.NextSeek || (left >= named && group.HeardBusy(ad)))
                continue;
            group.SeeksMore = true;
            group.NextPublish = now;
            Touch(group);
        }
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

    private void Schedule(AllocationGroup group, int pending)
    {
        group.Line.Schedule(group, DueAt(group, pending), pending <= group.Advertised && group.Ad == group.HeardAd && !group.SeeksMore);
        if (pending <= group.Advertised || group.IsHasty || group.Servers.IsEmpty)
            return;
        group.IsHasty = true;
        hasty.Add(group);
    }

    /// <summary>What an ad that still stands has named already reaches the workers without another one.</summary>
    private static Instant DueAt(AllocationGroup group, int pending)
    {
        // Who was asked by himself goes first: until he has answered, or his time is over, the others do not hear of it.
        if (group.Ad is { IsDirect: true, IsGathering: true } told)
            return Instant.Max(group.NextPublish, told.WindowEnd);
        return pending > group.Advertised || group.IsOutdated || group.SeeksMore || group.Ad != group.HeardAd ? group.NextPublish : group.RenewedAt;
    }

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
                int widened = group.SeeksMore ? Math.Min(group.Widened + 1, WidenedMax) : group.HasClimbed || pending > group.Advertised || group.IsOutdated || group.Ad != group.HeardAd ? group.Widened : Math.Min(group.Widened + 1, WidenedMax);
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
        Audible audience = reach.For(line, batch.Sum(b => (long)b.Pending), reach.StepsOf(line, batch[0].Group.Widened));
        StandingAd? standing = Told(line, batch, now);
        if (standing is not null)
            ads.Spread(standing, audience, now, now + window);
        else
            standing = ads.Publish(audience, window, Math.Min(batch.Sum(b => reach.CallsOf(line, b.Pending, b.Group.Widened)), int.MaxValue), Describe(batch, now), now);
        standing.IsSeeking = batch.Exists(b => b.Group.SeeksMore);
        line.Gathering = standing;
        foreach ((AllocationGroup group, int pending) in batch)
        {
            group.Ad = group.HeardAd = standing;
            group.Advertised = pending;
            group.IsOutdated = false;
            group.SeeksMore = group.HasClimbed = false;
            group.NextPublish = NextTurn(now);
            Schedule(group, pending);
        }
        line.Named(now, NextTurn(now));
        effects.Add(new AllocatorEffect.Publish(standing.Audience.Topic, standing.Ad));
    }

    private static ImmutableArray<TaskGroup> Describe(List<(AllocationGroup Group, int Pending)> batch, Instant now) =>
        [.. batch.Select(b => AdBook.Describe(b.Group.Id, b.Group.Terms, b.Group.Ladder.Bid, b.Group.Estimate, b.Pending, b.Group.Patient, now))];

    /// <summary>The ad that those who serve the job have got already, if it says just what all are to hear: it comes to them twice and counts once.</summary>
    private StandingAd? Told(TopicLine line, List<(AllocationGroup Group, int Pending)> batch, Instant now)
    {
        if (batch[0].Group.Ad is not { IsDirect: true } told || reach.Knows(line.Region) || told.Ad.Audience != line.Members.Length || told.Ad.Groups.Length != batch.Count || now >= told.StandsUntil)
            return null;
        foreach ((AllocationGroup group, int pending) in batch)
            if (group.Ad != told || group.IsOutdated || pending != group.Advertised || told.Ad.Groups.First(g => g.Id == group.Id).Count != pending)
                return null;
        return told;
    }

    /// <summary>
    /// What became ready and has to wait, for its class's turn or for the answers to another ad: those who serve the job hear of it at once. The
    /// others follow in its turn, if something is left.
    /// </summary>
    private void TellServers(Func<PeerId, bool> mayWork, TimeSpan window, Instant now, List<AllocatorEffect> effects)
    {
        var batches = new List<(TopicLine Line, JobServers Servers, List<(AllocationGroup Group, int Pending)> Groups)>();
        foreach (AllocationGroup group in hasty)
        {
            group.IsHasty = false;
            if (group.IsRetired || now < group.NextTell)
                continue;
            Looks++;
            int pending = demand.Pending(group.Id);
            // Named meanwhile; or new in a full market, where it would take the place of those that have waited for longer.
            if (pending <= group.Advertised || (group.HeardAd is null && group.Line.IsFull))
                continue;
            group.AwaitsAnswers = group.Ad is { IsGathering: true };
            if (group.AwaitsAnswers)
                continue;
            int index = batches.FindIndex(b => b.Line == group.Line && b.Servers == group.Servers && b.Groups.Count < Ad.GroupsMax);
            if (index < 0)
                batches.Add((group.Line, group.Servers, [(group, pending)]));
            else
                batches[index].Groups.Add((group, pending));
        }
        hasty.Clear();
        foreach ((TopicLine line, JobServers servers, List<(AllocationGroup Group, int Pending)> batch) in batches)
        {
            int asked = (int)Math.Clamp(batch.Sum(b => (long)b.Pending) * AskedForPlace, AskedForPlace, Allocator.ExplicitAudienceMax);
            PeerId[] workers = servers.Choose(asked, worker => (line.IsHeardBy(worker) || reach.Knows(line.Region)) && mayWork(worker));
            if (workers.Length > 0)
                Tell(line, batch, [.. workers], window, now, effects);
        }
    }

    private void Tell(
        TopicLine line, List<(AllocationGroup Group, int Pending)> batch, ImmutableArray<PeerId> workers, TimeSpan window, Instant now, List<AllocatorEffect> effects)
    {
        int hearers = reach.Knows(line.Region) ? 0 : line.Members.Length;
        StandingAd standing = ads.Send(new Audible(line.Topic, workers.Length, workers, IsWidest: false), hearers, window, Describe(batch, now), now);
        told.Add(standing);
        foreach ((AllocationGroup group, int pending) in batch)
        {
            group.Ad = standing;
            group.Advertised = pending;
            Schedule(group, pending);
        }
        foreach (PeerId worker in workers)
            effects.Add(new AllocatorEffect.Tell(worker, standing.Ad));
    }
}

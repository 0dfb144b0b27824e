using System.Collections.Immutable;

namespace Drap.Core.Market.Allocation;

/// <summary>
/// The groups of one topic that want places, by when each is to be named in an ad and by which goes first. Who looks for those that are due pays
/// for these, not for all that wait. Not thread-safe.
/// </summary>
internal sealed class TopicLine(string topic)
{
    /// <summary>
    /// Groups that stand with the workers at a time. These keep 1 024, and drop the oldest: with all named that wait, the first would be the
    /// first to be forgotten. The next are named when a quarter of them has found its places.
    /// </summary>
    public const int NamedMax = 512;

    /// <summary>
    /// Groups that are named beyond that once a second, in the line's order, so that what nobody can take now does not keep the others from the
    /// market: as many as a worker looks at closely in a round.
    /// </summary>
    public const int BeyondMax = 64;

    // About a second of a busy class: long enough that a few unlucky ones do not end it, short enough that a full market is noticed.
    private const int SeeksRemembered = 8;

    private const int RefillBelow = NamedMax * 3 / 4;

    private static readonly Comparer<AllocationGroup> Soonest = Comparer<AllocationGroup>.Create((a, b) =>
        a.LookAt != b.LookAt ? a.LookAt.CompareTo(b.LookAt) : a.Id.CompareTo(b.Id));

    private static readonly Comparer<AllocationGroup> Foremost = Comparer<AllocationGroup>.Create((a, b) =>
    {
        int by = b.Terms.Priority.CompareTo(a.Terms.Priority);
        if (by == 0)
            by = a.Terms.Submitted.CompareTo(b.Terms.Submitted);
        return by != 0 ? by : a.Id.CompareTo(b.Id);
    });

    private readonly SortedSet<AllocationGroup> later = new(Soonest);
    private readonly SortedSet<AllocationGroup> urgent = new(Foremost);
    private readonly SortedSet<AllocationGroup> again = new(Foremost);
    private readonly SortedSet<AllocationGroup> unnamed = new(Foremost);
    private Instant nextAgain = Instant.Zero, nextBeyond = Instant.Zero;
    private int named;
    private bool isFull;
    private int foundPermille = 1000;
    private HashSet<PeerId> hearers = [];

    /// <summary>Its name.</summary>
    public string Topic { get; } = topic;

    /// <summary>The class of what is advertised there.</summary>
    public string Class { get; } = Topics.PartOf(topic, 0);

    /// <summary>The region whose workers hear it.</summary>
    public string Region { get; } = Topics.PartOf(topic, 1);

    /// <summary>Who hears it, as far as each is known.</summary>
    public ImmutableArray<PeerId> Members
    {
        get;
        set
        {
            field = value;
            hearers = [.. value];
        }
    } = [];

    /// <summary>Whether a group that does not stand with the workers yet waits until others have found their places.</summary>
    public bool IsFull => isFull;

    /// <summary>The ad whose answers are gathered now; nothing else is advertised meanwhile.</summary>
    public StandingAd? Gathering { get; set; }

    /// <summary>No group that found too few places is named to more before its turn until then.</summary>
    public Instant NextSeek { get; private set; } = Instant.Zero;

    /// <summary>When its groups become patient.</summary>
    public Patience Patience { get; } = new();

    /// <summary>When all that waits is named again, since somebody new hears the topic; never if nobody is.</summary>
    public Instant WelcomeAt { get; set; } = Instant.Never;

    /// <summary>No such welcome before.</summary>
    public Instant NextWelcome { get; set; } = Instant.Zero;

    /// <summary>All groups that wait, in no order.</summary>
    public IEnumerable<AllocationGroup> Waiting => later.Concat(urgent).Concat(again).Concat(unnamed);

    /// <summary>When something is to be looked at.</summary>
    public Instant NextDeadline
    {
        get
        {
            Instant next = Instant.Min(Patience.Next, WelcomeAt);
            if (Gathering is { } ad)
                return Instant.Min(next, ad.WindowEnd);
            if (urgent.Count > 0 || (unnamed.Count > 0 && (!isFull || named < RefillBelow)))
                return Instant.Zero;
            if (unnamed.Count > 0)
                next = Instant.Min(next, nextBeyond);
            if (again.Count > 0)
                next = Instant.Min(next, nextAgain);
            return later.Min is { } first ? Instant.Min(next, first.LookAt) : next;
        }
    }

    /// <summary>Whether a worker hears it.</summary>
    public bool IsHeardBy(PeerId worker) => hearers.Contains(worker);

    /// <summary>The group is to be looked at then, and not before.</summary>
    /// <param name="group">The group.</param>
    /// <param name="at">When.</param>
    /// <param name="again">Whether the workers know its places already, so that it waits for another's ad, or for the class's turn.</param>
    public void Schedule(AllocationGroup group, Instant at, bool again)
    {
        TakeOut(group);
        (group.LookAt, group.IsAgain) = (at, again);
        later.Add(group);
        Count(group);
    }

    /// <summary>The group wants nothing, or its place in the line changes.</summary>
    public void Drop(AllocationGroup group)
    {
        TakeOut(group);
        group.LookAt = Instant.Never;
        Count(group);
    }

    /// <summary>The group's ad or its answers changed.</summary>
    public void Count(AllocationGroup group)
    {
        bool isNamed = group.LookAt != Instant.Never && group.HeardAd is not null && !group.IsHopeless;
        if (isNamed != group.IsNamed)
            named += isNamed ? 1 : -1;
        group.IsNamed = isNamed;
    }

    /// <summary>
    /// Takes the first group that is due out of the line, if it may be named beside <paramref name="taken"/> others that were taken; null if there
    /// is none. What would only be named again goes along with others; by itself at most once a second (design 5).
    /// </summary>
    public AllocationGroup? Take(int taken, Instant now)
    {
        while (later.Min is { } first && first.LookAt <= now)
        {
            later.Remove(first);
            (first.HeardAd is null ? unnamed : first.IsAgain ? again : urgent).Add(first);
        }
        AllocationGroup? next = urgent.Min;
        Fill(taken);
        if (!isFull || (now >= nextBeyond && taken < BeyondMax))
            next = Former(next, unnamed.Min);
        if (next is not null || taken > 0 || now >= nextAgain)
            next = Former(next, again.Min);
        if (next is not null)
            Drop(next);
        return next;
    }

    /// <summary>An ad went out: who is named again by himself, or beyond those that may stand, waits until then.</summary>
    public void Named(Instant now, Instant nextTurn)
    {
        nextAgain = nextTurn;
        Fill(0);
        if (isFull && now >= nextBeyond)
            nextBeyond = nextTurn;
    }

    /// <summary>
    /// What came of an ad that asked more at once. Where less than half of that finds a place of late, the market is full: the next one waits for
    /// its turn, and shows then whether it still is.
    /// </summary>
    /// <param name="named">Places that it named; one at least.</param>
    /// <param name="left">Of these still wanted.</param>
    /// <param name="nextTurn">When the class's turn is.</param>
    public void Sought(long named, long left, Instant nextTurn)
    {
        int found = (int)((named - left) * 1000 / named);
        foundPermille += (found - foundPermille) / SeeksRemembered;
        if (foundPermille < 500)
            NextSeek = nextTurn;
    }

    /// <summary>Each group stands in one place, and the count is right.</summary>
    public void CheckInvariants(IReadOnlyCollection<AllocationGroup> groups)
    {
        Invariant.Check(later.Count + urgent.Count + again.Count + unnamed.Count == groups.Count(g => g.LookAt != Instant.Never));
        Invariant.Check(named == groups.Count(g => g.IsNamed));
        foreach (AllocationGroup group in groups)
            Invariant.Check(group.LookAt == Instant.Never == (group.HungrySince == Instant.Never));
        Patience.CheckInvariants(groups);
    }

    private void TakeOut(AllocationGroup group)
    {
        if (group.LookAt != Instant.Never && !later.Remove(group) && !urgent.Remove(group) && !again.Remove(group))
            Invariant.Check(unnamed.Remove(group));
    }

    private void Fill(int taken) => isFull = named + taken >= NamedMax || (isFull && named + taken >= RefillBelow);

    private static AllocationGroup? Former(AllocationGroup? a, AllocationGroup? b) =>
        a is null ? b : b is null || Foremost.Compare(a, b) < 0 ? a : b;
}

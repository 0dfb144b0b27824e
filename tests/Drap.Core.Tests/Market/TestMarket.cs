using System.Collections.Immutable;
using Drap.Core.Market.Allocation;
using Drap.Core.Messages;
using Xunit;

namespace Drap.Core.Tests.Market;

/// <summary>An allocator with time, hearers of its ads, and a demand that is only numbers.</summary>
internal sealed class TestMarket : IDemand
{
    public const string Topic = "/drap/1.0.0/tasks/cpu/local/all";

    /// <summary>The one that is meant where none is named.</summary>
    public static readonly PeerId Worker = Peer(1);

    private static readonly PeerId Scheduler = Peer(99);

    private readonly List<AllocatorEffect> effects = [];
    private readonly List<(Instant At, Ad Ad)> ads = [];
    private readonly Prng prng;
    private int nextJob = 1;

    public TestMarket(ulong seed, ImmutableArray<PeerId> members)
    {
        prng = new Prng(seed);
        Allocator = new Allocator(new AllocatorIdentity(Scheduler, Principal.Local, new Epoch(1)), prng, this);
        Allocator.SetAudience(Topic, members, Now);
    }

    public Allocator Allocator { get; }

    /// <summary>They walk everything that waits.</summary>
    public bool ChecksInvariants { get; init; } = true;

    public Instant Now { get; private set; } = new(1_000_000_000);

    /// <summary>Places that each group wants; −1 for one that is retired.</summary>
    public Dictionary<int, int> Wanted { get; } = [];

    /// <summary>With how many places each group was named last since <see cref="Clear"/>.</summary>
    public Dictionary<int, int> LastNamed { get; } = [];

    /// <summary>What went straight to workers, in order.</summary>
    public List<(PeerId Worker, Ad Ad)> Told { get; } = [];

    /// <summary>The newest ad.</summary>
    public Ad LastAd => ads[^1].Ad;

    public static GroupTerms Terms(int priority, Instant submitted) => new()
    {
        Resources = new ResourceRequest { MilliCpus = 1000 }, Driver = "process", Bid = new Price(100), Limit = new Price(200),
        Priority = priority, Submitted = submitted,
    };

    public static PeerId Peer(byte number) => PeerId.FromEd25519([.. Enumerable.Repeat(number, 32)]);

    public int Open(int wanted, int priority = 0, int? job = null)
    {
        int group = Allocator.Open(Terms(priority, Now), Topic, job ?? nextJob++)!.Value;
        Wanted[group] = wanted;
        Allocator.Wake(group);
        return group;
    }

    public void Wake(int group, int wanted)
    {
        Wanted[group] = wanted;
        Allocator.Wake(group);
    }

    public void Retire(int group)
    {
        Wanted[group] = -1;
        Allocator.Retire(group);
    }

    /// <summary>The worker offers on the group's newest ad, and its offer wins.</summary>
    public void Take(int group, int count, PeerId? worker = null, int backlog = 0)
    {
        if (ads.FindLast(a => a.Ad.Groups.Any(g => g.Id == group)).Ad is not { } ad)
            return;
        Allocator.OnOffer(worker ?? Worker, new Offer
        {
            Id = new OfferId(prng.NextUuid()), Ad = ad.Id, Valid = TimeSpan.FromSeconds(1),
            Entries = [new OfferEntry { Group = group, Count = count, Backlog = backlog, Ask = new Price(50), Firm = count > 0 }],
        }, Now);
    }

    /// <summary>A worker refuses all that an ad names.</summary>
    public void Refuse(PeerId worker, Ad ad, RefusalReason reason) =>
        Allocator.OnRefusal(worker, new Refusal(ad.Id, [.. ad.Groups.Select(g => new RefusalEntry(g.Id, reason, [], Price.Zero, ""))]), Now);

    /// <summary>Goes on to each deadline, at which workers may refuse what is new.</summary>
    public void Run(TimeSpan time, RefusalReason? refuse = null)
    {
        Instant until = Now + time;
        for (int turns = 0; ; turns++)
        {
            Flush(refuse);
            Instant next = Allocator.NextDeadline;
            if (next > until)
                break;
            Assert.True(turns < 20_000, "it does not come to rest");
            Now = Instant.Max(Now, next);
        }
        Now = until;
        Flush(refuse);
    }

    /// <summary>Groups that were named since <see cref="Clear"/> and want places still, by number.</summary>
    public IReadOnlyList<int> Named() => [.. LastNamed.Keys.Where(g => Wanted[g] > 0).Order()];

    public int AdsWithin(TimeSpan time) => ads.Count(a => a.At + time > Now);

    public void Clear() => LastNamed.Clear();

    public int Pending(int group) => Math.Max(0, Wanted[group]);

    public int PendingFor(int group, PeerId worker) => Pending(group);

    private void Flush(RefusalReason? refuse)
    {
        Allocator.Decide(Now, effects);
        Perform(refuse);
        Allocator.Advertise(Now, effects);
        Perform(refuse);
        if (ChecksInvariants)
            Allocator.CheckInvariants();
    }

    private void Perform(RefusalReason? refuse)
    {
        foreach (AllocatorEffect effect in effects)
        {
            if (effect is AllocatorEffect.Publish publish)
            {
                ads.Add((Now, publish.Ad));
                foreach (TaskGroup group in publish.Ad.Groups)
                    LastNamed[group.Id] = group.Count;
                if (refuse is { } reason)
                    Refuse(Worker, publish.Ad, reason);
            }
            else if (effect is AllocatorEffect.Tell tell)
            {
                Told.Add((tell.Worker, tell.Ad));
                if (ads.Count == 0 || ads[^1].Ad != tell.Ad)
                    ads.Add((Now, tell.Ad));
            }
            else if (effect is AllocatorEffect.Award award)
            {
                foreach (AwardEntry entry in award.Entries)
                    Wanted[entry.Group] -= entry.Count;
            }
        }
        effects.Clear();
    }
}

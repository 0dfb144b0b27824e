using System.Collections.Immutable;
using Drap.Core.Execution;
using Drap.Core.Health;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Core.Tests.Messages;
using Xunit;

namespace Drap.Core.Tests.Nodes;

/// <summary>
/// A principal whose schedulers wish a worker ill, with one peer id or a hundred, against one that is honest: the first has no more than its quota, holds no more than its part, and what it does
/// beyond is counted; the second gets its tasks run meanwhile.
/// </summary>
public sealed class HostileSchedulerTests
{
    private const int Honest = 1000;
    private static readonly Principal Bad = new("bad"), Good = new("good"), Owner = new("owner");
    private static readonly JobId Job = new(new Guid(7, 0, 0, new byte[8]));

    private readonly List<WorkerEffect> effects = [];
    private readonly List<(PeerId To, Offer Offer)> offers = [];
    private readonly List<AttemptId> running = [];
    private readonly List<(PeerId To, Message Message)> said = [];
    private readonly Dictionary<AttemptId, Principal> whose = [];
    private readonly Dictionary<AdId, Ad> ads = [];
    private WorkerNode node = null!;
    private Instant now = new(1_000_000_000_000);
    private int numbers, signals;

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    public void With_one_peer_id_or_a_hundred_a_principal_has_its_quota_and_the_honest_one_its_place(int peers)
    {
        Start(cpus: 8, new QuotaTerms { TasksMax = 4, SharePermille = 500 });
        int done = 0;
        for (int round = 0; round < 300; round++)
        {
            for (int i = 0; i < 3; i++)
                Ad(round * 3 % peers + i, Bad, count: 50);
            if (round % 10 == 0)
                Ad(Honest, Good, count: 1);
            Flush();
            // All is confirmed, at once and as far as it was offered.
            foreach ((PeerId to, Offer offer) in offers.ToArray())
                Confirm(to, offer, Math.Min(offer.Entries[0].Count + offer.Entries[0].Backlog, 50));
            offers.Clear();
            Flush();
            Assert.True(Of(Bad) <= 4, $"round {round}: {Of(Bad)} run");
            now += TimeSpan.FromMilliseconds(20);
            foreach (AttemptId attempt in running.Where(a => whose[a] == Good || round % 7 == 0).ToArray())
            {
                done += whose[attempt] == Good ? 1 : 0;
                End(attempt);
            }
            Flush();
        }
        // The last may still run.
        Assert.InRange(done, 29, 30);
    }

    [Fact]
    public void A_hundred_who_ask_and_never_confirm_hold_a_part_and_at_last_nothing()
    {
        Start(cpus: 8, new QuotaTerms());
        int firmLate = 0, honest = 0;
        for (int round = 0; round < 400; round++)
        {
            Ad(round % 100, Bad, count: 8);
            if (round % 20 == 0)
                Ad(Honest, Good, count: 1);
            Flush();
            foreach ((PeerId to, Offer offer) in offers.ToArray())
            {
                if (ads[offer.Ad].Principal == Good)
                {
                    Assert.True(offer.Entries[0].Firm);
                    Confirm(to, offer, 1);
                    honest++;
                }
                else if (round >= 200 && offer.Entries[0].Firm)
                    firmLate++;
            }
            offers.Clear();
            Flush();
            foreach (AttemptId attempt in running.ToArray())
                End(attempt);
            now += TimeSpan.FromMilliseconds(700);
        }
        Assert.Equal(20, honest);
        // Nothing is held any more for who confirms nothing, whichever of its peer ids asks.
        Assert.Equal(0, firmLate);
    }

    [Fact]
    public void A_flood_of_ads_is_looked_at_up_to_its_rate_and_takes_no_others_ad_away()
    {
        Start(cpus: 1, new QuotaTerms());
        // The worker is full, so that ads stand.
        Ad(Honest, Owner, count: 1);
        Flush();
        Confirm(offers[0].To, offers[0].Offer, 1);
        Flush();
        Ad(Honest + 1, Good, count: 1);
        Flush();
        offers.Clear();
        for (int i = 0; i < 20_000; i++)
            Ad(i % 100, Bad, count: 1, groups: 3);
        Flush();
        Complaint[] complaints = [.. node.Describe(now).Complaints];
        Assert.Equal(ComplaintBook.ShownMax, complaints.Length);
        Assert.All(complaints, c => Assert.Contains("ads at once of the principal bad", c.Last, StringComparison.Ordinal));
        // 4 096 of 20 000 are looked at; a hundred peers have done the same.
        Assert.All(complaints, c => Assert.InRange(c.Count, 155, 165));
        // The honest one's ad stands still, though the table was filled three times over: it is offered to when the place is free.
        foreach (AttemptId attempt in running.ToArray())
            End(attempt);
        for (int i = 0; i < 50 && !offers.Exists(o => ads[o.Offer.Ad].Principal == Good); i++)
        {
            now += TimeSpan.FromMilliseconds(200);
            Flush();
        }
        Assert.Contains(offers, o => ads[o.Offer.Ad].Principal == Good);
    }

    [Fact]
    public void What_another_says_of_offers_and_attempts_changes_nothing_and_is_counted()
    {
        Start(cpus: 4, new QuotaTerms());
        Ad(Honest, Good, count: 2);
        Flush();
        (PeerId to, Offer offer) = Assert.Single(offers);
        PeerId thief = Peer(1);
        // Another's offer, confirmed by who has guessed its name; in that of the scheduler itself the shell lets nobody speak (ImpostureTests).
        Step(thief, ConfirmOf(thief, offer, 1, Bad));
        Step(thief, ConfirmOf(thief, offer, 1, Good));
        Flush();
        Assert.Empty(running);
        Assert.All(said.Where(s => s.To == thief), s => Assert.IsType<Nack>(s.Message));
        Confirm(to, offer, 2);
        Flush();
        Assert.Equal(2, running.Count);
        ImmutableArray<AttemptId> attempts = [.. running];
        said.Clear();
        foreach (Message message in (Message[])[
            new Cancel(attempts, CancelReason.User, TimeSpan.Zero), new Release(attempts), new Steal(attempts), new Go(attempts), new ResultAck(attempts),
            new Closed(offer.Ad, []), new Extend(offer.Id, TimeSpan.FromSeconds(1)), new Reconcile(thief, new Epoch(5), TimeSpan.FromSeconds(30), attempts, true)])
            Step(thief, message);
        Flush();
        Assert.Equal(2, node.Attempts);
        Assert.Equal(0, signals);
        Assert.Equal("names attempts of another scheduler", node.Describe(now).Complaints.Single(c => c.Peer == thief).Last);
        foreach (AttemptId attempt in attempts)
            End(attempt);
        Flush();
        Step(thief, new ResultAck(attempts));
        Flush();
        Assert.Equal(2, node.Results);
    }

    [Fact]
    public void What_was_heard_before_is_not_heard_again()
    {
        Start(cpus: 4, new QuotaTerms());
        Ad ad = AdOf(Honest, Good, 1, 1);
        Step(ad.Scheduler, ad);
        Flush();
        (PeerId to, Offer offer) = Assert.Single(offers);
        offers.Clear();
        Step(to, ad);
        now += TimeSpan.FromSeconds(5);
        Step(to, ad);
        Step(Peer(1), ad);
        Flush();
        Assert.Empty(offers);
        // After a new epoch has begun nothing of the old one counts, in whatever order it comes.
        Step(to, AdOf(Honest, Good, 1, 1) with { Epoch = new Epoch(2) });
        Flush();
        Assert.Single(offers);
        offers.Clear();
        Step(to, AdOf(Honest, Good, 1, 1));
        Step(to, ConfirmOf(to, offer, 1, Good));
        Flush();
        Assert.Empty(offers);
        Assert.Contains(said, s => s.Message is Nack { Reason: NackReason.OldEpoch });
        Assert.Empty(running);
    }

    [Fact]
    public void What_is_too_large_or_negative_is_no_message()
    {
        Ad ad = AdOf(Honest, Good, 1, groups: 1);
        Assert.False(MessageCodec.TryEncode(AdOf(Honest, Good, 1, Core.Messages.Ad.GroupsMax + 1), new System.Buffers.ArrayBufferWriter<byte>(), out _));
        Assert.False(MessageCodec.TryEncode(ad with { Groups = [ad.Groups[0] with { Bid = new Price(-1) }] }, new System.Buffers.ArrayBufferWriter<byte>(), out _));
        // Made by who does not keep to that: the bid and the count of a group, and too many groups.
        foreach ((long key, object value) in new (long, object)[] { (8, -1L), (2, -1L), (2, 1UL << 40), (8, 1UL << 60) })
        {
            var tree = (List<object?>)CborTree.Read(MessageCodec.Encode(ad))!;
            var body = (SortedDictionary<long, object?>)tree[2]!;
            ((SortedDictionary<long, object?>)((List<object?>)body[11]!)[0]!)[key] = value;
            Assert.False(MessageCodec.TryDecode(CborTree.Write(tree), out _, out _), $"field {key}: {value}");
            var groups = (List<object?>)body[11]!;
            ((SortedDictionary<long, object?>)groups[0]!)[key] = key == 8 ? 1UL : 1UL;
            while (groups.Count <= Core.Messages.Ad.GroupsMax)
                groups.Add(groups[0]);
            Assert.False(MessageCodec.TryDecode(CborTree.Write(tree), out _, out _));
        }
        Assert.False(MessageCodec.TryDecode(new byte[MessageCodec.FrameBytesMax + 1], out _, out _));
    }

    private void Start(long cpus, QuotaTerms quota) => node = new WorkerNode(Peer(2000), new WorkerOptions
    {
        Resources = new NodeResources { MilliCpus = cpus * 1000, MemoryBytes = 16L << 30 }, Traits = new NodeTraits { Drivers = ["process"] },
        Sandbox = new SandboxRules { Owner = Owner }, Quota = quota,
    }, new Prng(1));

    private int Of(Principal principal) => running.Count(a => whose[a] == principal);

    private void Ad(int peer, Principal principal, int count, int groups = 1)
    {
        Ad ad = AdOf(peer, principal, count, groups);
        Step(ad.Scheduler, ad);
    }

    private Ad AdOf(int peer, Principal principal, int count, int groups)
    {
        int number = ++numbers;
        var ad = new Ad
        {
            Id = new AdId(new Guid(number, 0, 0, new byte[8])), Scheduler = Peer(peer), Principal = principal, Epoch = new Epoch(1), Sequence = number, Audience = 4,
            Stands = TimeSpan.FromSeconds(30), Window = TimeSpan.FromMilliseconds(20),
            Groups = [.. Enumerable.Range(number * 300, groups).Select(id => new TaskGroup
            {
                Id = id, Count = count, Resources = new ResourceRequest { MilliCpus = 1000 }, Driver = "process", Bid = new Price(10_000_000),
            })],
        };
        return ads[ad.Id] = ad;
    }

    private void Confirm(PeerId to, Offer offer, int tasks)
    {
        Confirm confirm = ConfirmOf(to, offer, tasks, ads[offer.Ad].Principal);
        foreach (Assignment task in confirm.Tasks)
            whose[new AttemptId(new TaskId(Job, task.Number), new Fence(confirm.Epoch, 1))] = confirm.Principal;
        Step(to, confirm);
    }

    private Confirm ConfirmOf(PeerId scheduler, Offer offer, int tasks, Principal principal) => new()
    {
        Offer = offer.Id, Scheduler = scheduler, Principal = principal, Epoch = new Epoch(1), Lease = TimeSpan.FromSeconds(30),
        Works = [new Work(Job, offer.Entries[0].Group, offer.Entries[0].Ask, [.. JobJson.Write(new TaskSpec())], [])],
        Tasks = [.. Enumerable.Range(0, tasks).Select(_ => new Assignment { Work = 0, Number = ++numbers, Attempt = 1, Index = 0 })],
    };

    private void Step(PeerId from, Message message) => node.Step(new WorkerInput.Received(from, message), now, effects);

    private void End(AttemptId attempt)
    {
        running.Remove(attempt);
        node.Step(new WorkerInput.AttemptEnded(attempt, new AttemptEnd(EndKind.Exited, 0, ""), [], new AttemptUsage(TimeSpan.FromMilliseconds(10), TimeSpan.Zero, 0, 0)), now, effects);
    }

    private void Flush()
    {
        // Answers to rivals wait for a window.
        now += TimeSpan.FromMilliseconds(60);
        node.Step(WorkerInput.Tick.Instance, now, effects);
        node.Flush(now, effects);
        node.CheckInvariants();
        foreach (WorkerEffect effect in effects)
        {
            signals += effect is WorkerEffect.Signal ? 1 : 0;
            if (effect is WorkerEffect.Launch launch)
                running.Add(launch.Order.Attempt);
            if (effect is WorkerEffect.Send send)
                said.Add((send.To, send.Message));
            if (effect is WorkerEffect.Send { Message: Offer offer } offered)
                offers.Add((offered.To, offer));
        }
        effects.Clear();
    }

    private static PeerId Peer(int number)
    {
        byte[] key = new byte[32];
        BitConverter.TryWriteBytes(key, number + 1);
        return PeerId.FromEd25519(key);
    }
}

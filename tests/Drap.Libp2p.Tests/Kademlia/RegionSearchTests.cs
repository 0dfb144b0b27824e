using System.Buffers.Binary;
using Drap.Libp2p.Kademlia;
using Drap.Libp2p.Kademlia.Queries;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Tests.Kademlia;

/// <summary>A search for the members of a region among peers that lie, are silent, or are without number: it ends, says so, and keeps its bounds.</summary>
public sealed class RegionSearchTests
{
    private static readonly Instant Start = Instant.Zero + TimeSpan.FromHours(1);
    private static readonly Multiaddr Address = Multiaddr.Parse("/ip4/10.0.0.1/tcp/1");
    private static readonly KeyPrefix All = new(0, 0);

    private readonly List<KadEffect> effects = [];
    private readonly Prng random = new(3);

    private KadPeer Somebody()
    {
        byte[] key = new byte[32];
        for (int i = 0; i < 32; i += 8)
            BinaryPrimitives.WriteUInt64LittleEndian(key.AsSpan(i), random.NextUInt64());
        return new KadPeer(PeerId.FromEd25519(key), [Address]);
    }

    // A peer said to stand next to a key: whoever has enough machines finds such names.
    private KadPeer NextTo(KadKey key) => Somebody() with { Key = key ^ new KadKey(0, 0, random.NextUInt64(), random.NextUInt64()) };

    private KadMachine Knowing(int peers, KadOptions? options = null)
    {
        var node = new KadMachine(Somebody().Id, options ?? KadOptions.Ipfs, isServer: true, new Prng(1), Start, default) { Addresses = [Address] };
        for (int i = 0; i < peers; i++)
            node.Identified(Somebody(), speaks: true, Start, effects);
        node.Advance(Start, effects);
        Answer(node, Start, _ => []);
        effects.Clear();
        Assert.Equal(0, node.QueryCount);
        return node;
    }

    // Answers whatever is asked, until nothing more is; returns how many requests there were, and the most at a time.
    private (int All, int AtOnce) Answer(KadMachine node, Instant now, Func<KadKey, IEnumerable<KadPeer>> closer)
    {
        (int all, int most) = (0, 0);
        var asked = new Queue<KadEffect.Send>();
        while (true)
        {
            foreach (KadEffect.Send send in effects.OfType<KadEffect.Send>())
                asked.Enqueue(send);
            effects.RemoveAll(effect => effect is KadEffect.Send);
            most = Math.Max(most, node.RequestCount);
            if (!asked.TryDequeue(out KadEffect.Send? next))
                return (all, most);
            all++;
            KadKey key = KadKey.Of(next.Message.Key);
            node.Answered(next.Request, new KadMessage(next.Message.Type, next.Message.Key) { Closer = [.. closer(key)] }, now, effects);
            node.CheckInvariants();
        }
    }

    private KadOutcome.Members Outcome(long search) =>
        Assert.IsType<KadOutcome.Members>(effects.OfType<KadEffect.Done>().Single(done => done.Query == search).Outcome);

    [Fact]
    public void Of_who_knows_nobody_it_is_over_at_once()
    {
        KadMachine node = Knowing(0);
        KadOutcome.Members none = Outcome(node.FindMembers(All, 5, Start, effects));
        Assert.Equal((0, false), (none.Found.Length, none.IsWhole));
        Assert.Equal(0, node.FindMembers(All, 0, Start, effects));
    }

    [Fact]
    public void Where_nobody_answers_it_is_over_when_each_has_had_its_time()
    {
        KadMachine node = Knowing(60);
        long search = node.FindMembers(All, 5, Start, effects);
        Instant now = Start;
        while (!effects.OfType<KadEffect.Done>().Any(done => done.Query == search))
        {
            now = Instant.Max(now, node.NextDeadline);
            Assert.True(now <= Start + KadOptions.Ipfs.QueryTimeout, "the search went on");
            node.Advance(now, effects);
        }
        Assert.Equal((0, false), (Outcome(search).Found.Length, Outcome(search).IsWhole));
        node.CheckInvariants();
    }

    [Fact]
    public void Each_member_is_told_once_and_all_of_them_at_the_end()
    {
        KadMachine node = Knowing(19);
        long search = node.FindMembers(All, 100, Start, effects);
        Answer(node, Start, _ => []);
        KadOutcome.Members all = Outcome(search);
        Assert.Equal((19, true), (all.Found.Length, all.IsWhole));
        Assert.Equal(all.Found, effects.OfType<KadEffect.Found>().Where(found => found.Query == search).SelectMany(found => found.Peers));
        Assert.Equal(19, all.Found.Distinct().Count());
    }

    [Fact]
    public void Enough_members_are_not_said_to_be_all()
    {
        KadMachine node = Knowing(19);
        long search = node.FindMembers(All, 7, Start, effects);
        Answer(node, Start, _ => []);
        Assert.Equal((7, false), (Outcome(search).Found.Length, Outcome(search).IsWhole));
    }

    [Fact]
    public void The_dead_are_asked_twice_and_no_more_however_many_walks_hear_of_them()
    {
        KadMachine node = Knowing(0);
        // More than k stand in every part down to the eighth, so that there is a walk to each; a quarter is dead, and everybody tells of them.
        KadPeer[] all = [.. Enumerable.Range(0, 400).Select(_ => Somebody())];
        HashSet<PeerId> dead = [.. all.Take(100).Select(peer => peer.Id)];
        var asked = new Dictionary<PeerId, int>();
        node.Identified(all[^1], speaks: true, Start, effects);
        long search = node.FindMembers(All, 1000, Start, effects);
        // One request after the other, so that its end is known before the next walk comes to the same peer.
        for (var waiting = new Stack<KadEffect.Send>(); ;)
        {
            foreach (KadEffect.Send send in effects.OfType<KadEffect.Send>())
                waiting.Push(send);
            effects.RemoveAll(effect => effect is KadEffect.Send);
            if (!waiting.TryPop(out KadEffect.Send? next))
                break;
            asked[next.To.Id] = asked.GetValueOrDefault(next.To.Id) + 1;
            KadKey key = KadKey.Of(next.Message.Key);
            if (dead.Contains(next.To.Id))
                node.Failed(next.Request, Start, effects);
            else
                node.Answered(next.Request, new KadMessage(next.Message.Type, next.Message.Key) { Closer = [.. all.OrderBy(peer => peer.Key ^ key).Take(20)] }, Start, effects);
            node.CheckInvariants();
        }
        KadOutcome.Members found = Outcome(search);
        Assert.Equal(all.Select(peer => peer.Id).Where(id => !dead.Contains(id)).ToHashSet(), [.. found.Found.Select(peer => peer.Id)]);
        Assert.Contains(dead, id => asked.GetValueOrDefault(id) == RegionQuery.FailuresMax);
        Assert.Equal(RegionQuery.FailuresMax, asked.Where(peer => dead.Contains(peer.Key)).Max(peer => peer.Value));
    }

    [Fact]
    public void Half_of_the_requests_are_left_to_other_questions()
    {
        KadMachine node = Knowing(20);
        node.FindMembers(All, 2_000, Start, effects);
        (_, int atOnce) = Answer(node, Start, _ => Enumerable.Range(0, 20).Select(_ => Somebody()));
        Assert.InRange(atOnce, 30, RegionQuery.AwaitedMax);
    }

    [Fact]
    public void Searches_have_a_bound_besides_that_of_questions()
    {
        KadMachine node = Knowing(20);
        Assert.All(Enumerable.Range(0, KadMachine.SearchesMax), _ => Assert.NotEqual(0, node.FindMembers(All, 5, Start, effects)));
        Assert.Equal(0, node.FindMembers(All, 5, Start, effects));
        Assert.NotEqual(0, node.FindClosest([1], Start, effects));
        node.CheckInvariants();
        Answer(node, Start, _ => []);
        Assert.NotEqual(0, node.FindMembers(All, 5, Start, effects));
    }

    [Fact]
    public void It_gives_up_in_time_and_says_so_with_what_it_has()
    {
        KadOptions options = KadOptions.Ipfs with { SearchTimeout = TimeSpan.FromSeconds(30) };
        KadMachine node = Knowing(20, options);
        Instant now = Start;
        long search = node.FindMembers(All, 100_000, now, effects);
        var answered = new HashSet<PeerId>();
        // A network without end, in which every answer takes a second.
        while (!effects.OfType<KadEffect.Done>().Any(done => done.Query == search))
        {
            Assert.True(now <= Start + options.SearchTimeout, "the search went on");
            Instant next = now + TimeSpan.FromSeconds(1);
            KadEffect.Send[] sends = [.. effects.OfType<KadEffect.Send>()];
            effects.RemoveAll(effect => effect is KadEffect.Send);
            while (node.NextDeadline <= next)
            {
                now = Instant.Max(now, node.NextDeadline);
                node.Advance(now, effects);
            }
            now = next;
            foreach (KadEffect.Send send in sends)
            {
                if (effects.OfType<KadEffect.Done>().Any(done => done.Query == search))
                    break;
                answered.Add(send.To.Id);
                var answer = new KadMessage(send.Message.Type, send.Message.Key) { Closer = [.. Enumerable.Range(0, 20).Select(_ => Somebody())] };
                node.Answered(send.Request, answer, now, effects);
            }
        }
        Assert.Equal(Start + options.SearchTimeout, now);
        KadOutcome.Members some = Outcome(search);
        Assert.False(some.IsWhole);
        Assert.InRange(some.Found.Length, 500, 100_000);
        Assert.Subset(answered, some.Found.Select(peer => peer.Id).ToHashSet());
    }

    [Fact]
    public void Made_up_neighbours_do_not_lead_it_on_without_end()
    {
        KadMachine node = Knowing(20);
        // Whatever is looked for, twenty others stand right beside it: no part is ever searched through.
        long search = node.FindMembers(All, 1_000, Start, effects);
        (int requests, _) = Answer(node, Start, key => Enumerable.Range(0, 20).Select(_ => NextTo(key)));
        Assert.Equal((1_000, false), (Outcome(search).Found.Length, Outcome(search).IsWhole));
        Assert.InRange(requests, 1_000, 1_000 + RegionQuery.AwaitedMax * 20);
    }
}

using Drap.Libp2p.Kademlia;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Tests.Kademlia;

/// <summary>One node, step by step: what it sends, what it answers, what it bears.</summary>
public sealed class KadMachineTests
{
    private static readonly Instant Start = Instant.Zero + TimeSpan.FromHours(1);
    private static readonly Multiaddr Address = Multiaddr.Parse("/ip4/10.0.0.1/tcp/1");
    private static readonly byte[] Content = new KeyPrefix(0, 0).MembersKey("/test");

    private readonly List<KadEffect> effects = [];

    private static KadPeer Peer(int number)
    {
        byte[] key = new byte[32];
        BitConverter.TryWriteBytes(key, number);
        return new KadPeer(PeerId.FromEd25519(key), [Address]);
    }

    private static KadMachine Node(KadOptions? options = null) =>
        new(Peer(0).Id, options ?? KadOptions.Ipfs, isServer: true, new Prng(1), Start, new UtcTime(1_700_000_000_000)) { Addresses = [Address] };

    private T[] Take<T>()
        where T : KadEffect
    {
        T[] taken = [.. effects.OfType<T>()];
        effects.RemoveAll(effect => effect is T);
        return taken;
    }

    // A node whose own questions about its first peers are done with.
    private KadMachine Knowing(int peers, KadOptions? options = null)
    {
        KadMachine node = Node(options);
        for (int i = 1; i <= peers; i++)
            node.Identified(Peer(i), speaks: true, Start, effects);
        node.Advance(Start, effects);
        while (Take<KadEffect.Send>() is { Length: > 0 } sends)
            foreach (KadEffect.Send send in sends)
                node.Answered(send.Request, new KadMessage(send.Message.Type, send.Message.Key), Start, effects);
        effects.Clear();
        Assert.Equal(0, node.QueryCount);
        return node;
    }

    [Fact]
    public void A_node_that_knows_nobody_is_asked_in_vain_and_at_once()
    {
        KadMachine node = Node();
        Assert.NotEqual(0, node.FindClosest([1], Start, effects));
        Assert.Empty(Assert.IsType<KadOutcome.Peers>(Take<KadEffect.Done>().Single().Outcome).Found);
        Assert.NotEqual(0, node.FindProviders(Content, 5, Start, effects));
        Assert.NotEqual(0, node.Provide(Content, Start, effects));
        Assert.Empty(Take<KadEffect.Send>());

        // Nothing is due while there is nobody to tell; with the first peer it is told, and the neighbourhood looked at.
        Assert.Equal(Instant.Never, node.NextDeadline);
        effects.Clear();
        node.Identified(Peer(1), speaks: true, Start + TimeSpan.FromDays(2), effects);
        node.Advance(Start + TimeSpan.FromDays(2), effects);
        Assert.Contains(Take<KadEffect.Send>(), send => send.Message.Key.SequenceEqual(Peer(0).Id.Bytes.ToArray()));
    }

    [Fact]
    public void What_nobody_keeps_is_said_to_the_first_peer_that_comes_and_soon_again()
    {
        KadMachine node = Node();
        node.Provide(Content, Start, effects);
        Assert.Equal(0, Assert.IsType<KadOutcome.Kept>(Take<KadEffect.Done>().Single().Outcome).By);
        Instant now = Start + TimeSpan.FromSeconds(30);
        node.Identified(Peer(1), speaks: true, now, effects);
        Assert.Single(SaidWith(true));
        // Nobody took it: it is said again within a minute; then, as somebody did, not for hours.
        now += TimeSpan.FromSeconds(59);
        Assert.Empty(SaidWith(true));
        now += TimeSpan.FromSeconds(2);
        Assert.Single(SaidWith(false));
        now += TimeSpan.FromHours(19);
        Assert.Empty(SaidWith(false));
        now += TimeSpan.FromHours(3);
        Assert.Single(SaidWith(false));

        KadEffect.Send[] SaidWith(bool fails)
        {
            var said = new List<KadEffect.Send>();
            node.Advance(now, effects);
            while (Take<KadEffect.Send>() is { Length: > 0 } sends)
            {
                foreach (KadEffect.Send send in sends)
                {
                    if (send.Message.Type != KadMessageType.AddProvider)
                        node.Answered(send.Request, new KadMessage(send.Message.Type, send.Message.Key), now, effects);
                    else if (fails)
                        node.Failed(send.Request, now, effects);
                    else
                        node.Answered(send.Request, null, now, effects);
                }
                said.AddRange(sends.Where(send => send.Message.Type == KadMessageType.AddProvider));
            }
            return [.. said];
        }
    }

    [Fact]
    public void While_nobody_has_answered_who_is_slow_is_waited_for()
    {
        KadMachine node = Knowing(1);
        long query = node.FindClosest([1], Start, effects);
        KadEffect.Send send = Take<KadEffect.Send>().Single();
        for (int second = 1; second < 10; second++)
            node.Advance(Start + TimeSpan.FromSeconds(second), effects);
        Assert.Empty(Take<KadEffect.Done>());
        node.Answered(send.Request, new KadMessage(KadMessageType.FindNode, [1]), Start + TimeSpan.FromSeconds(9.5), effects);
        KadEffect.Done done = Take<KadEffect.Done>().Single(done => done.Query == query);
        Assert.Equal(Peer(1).Id, Assert.IsType<KadOutcome.Peers>(done.Outcome).Found.Single().Id);
    }

    [Fact]
    public void A_connected_server_that_has_lost_its_place_is_asked_all_the_same()
    {
        KadMachine node = Knowing(2);
        Instant now = Start;
        for (int i = 0; i < RoutingTable.FailuresMax; i++)
        {
            now += TimeSpan.FromSeconds(1);
            node.FindClosest([1], now, effects);
            foreach (KadEffect.Send send in Take<KadEffect.Send>().OrderBy(send => send.To.Id == Peer(1).Id))
            {
                if (send.To.Id == Peer(1).Id)
                    node.Failed(send.Request, now, effects);
                else
                    node.Answered(send.Request, new KadMessage(KadMessageType.FindNode, [1]), now, effects);
            }
        }
        Assert.Equal(1, node.Table.Count);
        node.FindClosest([1], now, effects);
        Assert.Equal(new[] { Peer(1).Id, Peer(2).Id }.Order(), Take<KadEffect.Send>().Select(send => send.To.Id).Order());
        // Who has gone is not, nor who speaks it no more.
        node.Identified(Peer(1), speaks: false, now, effects);
        node.Disconnected(Peer(2).Id);
        node.FindClosest([2], now, effects);
        Assert.Equal([Peer(2).Id], Take<KadEffect.Send>().Select(send => send.To.Id));
    }

    [Fact]
    public void A_value_is_asked_for_until_the_quorum_and_those_without_it_are_told()
    {
        KadOptions keeping = KadOptions.Ipfs with { KeepsUnknownNamespaces = true, Alpha = 3 };
        KadMachine node = Knowing(6, keeping);
        byte[] key = "/x/y"u8.ToArray();
        long query = node.GetValue(key, 2, Start, effects);
        KadEffect.Send[] sends = Take<KadEffect.Send>();
        Assert.Equal(3, sends.Length);
        Assert.All(sends, send => Assert.Equal(KadMessageType.GetValue, send.Message.Type));
        var answer = new KadMessage(KadMessageType.GetValue, key);
        node.Answered(sends[0].Request, answer, Start, effects);
        node.Answered(sends[1].Request, answer with { Record = new KadRecord(key, [7], null) }, Start, effects);
        // A record of another key is none.
        node.Answered(sends[2].Request, answer with { Record = new KadRecord([1], [9], null) }, Start, effects);
        KadEffect.Send[] more = Take<KadEffect.Send>();
        Assert.Equal(3, more.Length);
        Assert.Empty(Take<KadEffect.Done>());
        node.Answered(more[0].Request, answer with { Record = new KadRecord(key, [7], null) }, Start, effects);

        KadEffect.Done done = Take<KadEffect.Done>().Single();
        Assert.Equal((query, (byte)7), (done.Query, Assert.IsType<KadOutcome.Value>(done.Outcome).Best!.Single()));
        Assert.Equal([more[1].Request, more[2].Request], Take<KadEffect.Abandon>().Select(abandon => abandon.Request));
        KadEffect.Send[] corrections = Take<KadEffect.Send>();
        Assert.Equal(new[] { sends[0].To.Id, sends[2].To.Id }.Order(), corrections.Select(send => send.To.Id).Order());
        Assert.All(corrections, send => Assert.Equal((KadMessageType.PutValue, (byte)7), (send.Message.Type, send.Message.Record!.Value[0])));
    }

    [Fact]
    public void With_a_quorum_of_nobody_everybody_is_asked()
    {
        KadMachine node = Knowing(6, KadOptions.Ipfs with { KeepsUnknownNamespaces = true });
        byte[] key = "/x/y"u8.ToArray();
        node.GetValue(key, 0, Start, effects);
        KadEffect.Send[] sends = Take<KadEffect.Send>();
        Assert.Equal(6, sends.Length);
        for (int i = 0; i < 6; i++)
        {
            Assert.Empty(Take<KadEffect.Done>());
            var answer = new KadMessage(KadMessageType.GetValue, key) { Record = new KadRecord(key, [(byte)i], null) };
            node.Answered(sends[i].Request, answer, Start, effects);
        }
        Assert.Equal(5, Assert.IsType<KadOutcome.Value>(Take<KadEffect.Done>().Single().Outcome).Best!.Single());
    }

    [Fact]
    public void A_better_value_that_is_put_here_stands_before_our_own()
    {
        var validators = KadOptions.Ipfs.Validators.Add("long", new KadStoresTests.Longest());
        KadMachine node = Knowing(1, KadOptions.Ipfs with { Validators = validators });
        byte[] key = "/long/y"u8.ToArray();
        Assert.NotEqual(0, node.PutValue(key, [1, 1], Start, effects));
        Assert.Equal([2], PutLengths(Start));
        Assert.Equal(2, Told().Length);
        KadMessage Put(params byte[] value) => new(KadMessageType.PutValue, key) { Record = new KadRecord(key, value, null) };
        node.Handle(Peer(1).Id, Put(1), Start);
        Assert.Equal(2, Told().Length);
        Assert.IsType<KadReply.Answer>(node.Handle(Peer(1).Id, Put(1, 1, 1), Start));
        Assert.Equal(3, Told().Length);
        // Nor do we put what we know to be worse, or say our own again.
        Assert.Equal(0, node.PutValue(key, [1, 1], Start, effects));
        Instant later = Start + TimeSpan.FromHours(22);
        node.Advance(later, effects);
        Assert.Equal([3], PutLengths(later));
        Assert.NotEqual(0, node.PutValue(key, [1, 1, 1, 1], later, effects));
        Assert.Equal(4, Told().Length);

        int[] PutLengths(Instant now)
        {
            var put = new List<int>();
            while (Take<KadEffect.Send>() is { Length: > 0 } sends)
            {
                put.AddRange(sends.Where(send => send.Message.Type == KadMessageType.PutValue).Select(send => send.Message.Record!.Value.Length));
                foreach (KadEffect.Send send in sends)
                    node.Answered(send.Request, new KadMessage(send.Message.Type, send.Message.Key), now, effects);
            }
            return [.. put];
        }

        byte[] Told() => Assert.IsType<KadReply.Answer>(node.Handle(Peer(1).Id, new KadMessage(KadMessageType.GetValue, key), Start)).Message.Record!.Value;
    }

    [Fact]
    public void Where_the_last_value_stands_it_may_be_ours_or_another_s()
    {
        KadMachine node = Knowing(1, KadOptions.Ipfs with { KeepsUnknownNamespaces = true });
        byte[] key = "/x/y"u8.ToArray();
        for (byte i = 0; i < 3; i++)
        {
            node.Handle(Peer(1).Id, new KadMessage(KadMessageType.PutValue, key) { Record = new KadRecord(key, [i], null) }, Start);
            Assert.Equal([i], Told());
            node.PutValue(key, [(byte)(100 + i)], Start, effects);
            Assert.Equal([(byte)(100 + i)], Told());
        }
        node.CheckInvariants();

        byte[] Told() => Assert.IsType<KadReply.Answer>(node.Handle(Peer(1).Id, new KadMessage(KadMessageType.GetValue, key), Start)).Message.Record!.Value;
    }

    [Fact]
    public void Who_has_no_address_tells_nobody_that_it_provides_until_it_has_one()
    {
        KadMachine node = Knowing(1);
        node.Addresses = [];
        Assert.NotEqual(0, node.Provide(Content, Start, effects));
        Assert.Equal(0, Assert.IsType<KadOutcome.Kept>(Take<KadEffect.Done>().Single().Outcome).By);
        Assert.Empty(effects);
        Instant now = Start;
        for (int minute = 1; minute < 4; minute++)
        {
            now = Instant.Max(now, node.NextDeadline);
            Assert.True(now <= Start + TimeSpan.FromMinutes(minute));
            node.Advance(now, effects);
            Assert.DoesNotContain(Take<KadEffect.Send>(), send => send.Message.Key.SequenceEqual(Content));
        }
        node.Addresses = [Address];
        node.Advance(now + TimeSpan.FromMinutes(1), effects);
        Assert.Contains(Take<KadEffect.Send>(), send => send.Message.Key.SequenceEqual(Content));
    }

    [Fact]
    public void Keys_that_no_peer_takes_are_not_asked_for()
    {
        KadMachine node = Knowing(1, KadOptions.Ipfs with { KeepsUnknownNamespaces = true });
        foreach (byte[] key in new byte[][] { [], new byte[KadCodec.KeyBytesMax + 1], new byte[300_000] })
        {
            Assert.Equal(0, node.FindClosest(key, Start, effects));
            Assert.Equal(0, node.GetValue(key, 1, Start, effects));
            Assert.Equal(0, node.PutValue(key, [1], Start, effects));
            Assert.Equal(0, node.Provide(key, Start, effects));
            Assert.Equal(0, node.FindProviders(key, 1, Start, effects));
        }
        Assert.Empty(effects);
        Assert.NotEqual(0, node.FindClosest(new byte[KadCodec.KeyBytesMax], Start, effects));
    }

    [Fact]
    public void Answers_to_another_question_late_ones_and_unknown_ones_do_no_harm()
    {
        KadMachine node = Knowing(1);
        long query = node.FindClosest([1], Start, effects);
        KadEffect.Send send = Take<KadEffect.Send>().Single();
        node.Answered(send.Request, new KadMessage(KadMessageType.GetValue, [1]), Start, effects);
        Assert.Empty(Assert.IsType<KadOutcome.Peers>(Take<KadEffect.Done>().Single(done => done.Query == query).Outcome).Found);
        node.Answered(send.Request, new KadMessage(KadMessageType.FindNode, [1]), Start, effects);
        node.Failed(send.Request, Start, effects);
        node.Answered(999, null, Start, effects);
        node.Cancel(999, Start, effects);
        Assert.Empty(effects);
        node.CheckInvariants();
    }

    [Fact]
    public void A_silent_peer_is_given_up_in_time()
    {
        KadMachine node = Knowing(2);
        Instant asked = Start + TimeSpan.FromSeconds(1);
        long query = node.FindClosest([1], asked, effects);
        KadEffect.Send[] sends = Take<KadEffect.Send>();
        node.Answered(sends[0].Request, new KadMessage(KadMessageType.FindNode, [1]), asked + TimeSpan.FromSeconds(1), effects);
        Assert.Empty(Take<KadEffect.Done>());
        Instant now = asked;
        while (Take<KadEffect.Done>() is not [{ Outcome: KadOutcome.Peers { Found: [var only] } }])
        {
            Assert.True(node.NextDeadline <= asked + KadOptions.Ipfs.HopelessAfter);
            now = Instant.Max(now, node.NextDeadline);
            node.Advance(now, effects);
        }
        Assert.Equal(asked + KadOptions.Ipfs.HopelessAfter, now);
        // Its request goes on, so that the table learns that it is dead.
        Assert.Equal(1, node.RequestCount);
        node.Advance(asked + KadOptions.Ipfs.RequestTimeout, effects);
        Assert.Equal(sends[1].Request, Take<KadEffect.Abandon>().Single().Request);
        Assert.Equal(1, node.Table.CountGood);
        Assert.NotEqual(0, query);
    }

    [Fact]
    public void Questions_and_requests_have_bounds()
    {
        KadMachine node = Knowing(30);
        int started = 0;
        for (byte i = 0; node.FindClosest([1, i], Start, effects) != 0; i++)
            started++;
        Assert.Equal(KadMachine.QueriesMax, started);
        Assert.Equal(KadMachine.RequestsMax, node.RequestCount);
        KadEffect.Send[] sends = Take<KadEffect.Send>();
        Assert.All(sends.GroupBy(send => send.To.Id), group => Assert.InRange(group.Count(), 1, KadMachine.RequestsToPeerMax));
        node.CheckInvariants();
        int ended = 0;
        while (sends.Length > 0)
        {
            foreach (KadEffect.Send send in sends)
            {
                node.Answered(send.Request, new KadMessage(KadMessageType.FindNode, send.Message.Key), Start, effects);
                node.CheckInvariants();
            }
            ended += Take<KadEffect.Done>().Length;
            sends = Take<KadEffect.Send>();
        }
        Assert.Equal(started, ended);

        // One peer alone gets no more streams than it takes.
        node = Knowing(1);
        for (byte i = 0; i < 100; i++)
            node.FindClosest([1, i], Start, effects);
        Assert.Equal(KadMachine.RequestsToPeerMax, Take<KadEffect.Send>().Length);
    }

    [Fact]
    public void A_hostile_peer_cannot_lead_a_walk_on_without_end()
    {
        KadMachine node = Knowing(3);
        var random = new Prng(9);
        byte[] key = [1];
        long query = node.FindClosest(key, Start, effects);
        int asked = 0;
        while (Take<KadEffect.Send>() is { Length: > 0 } sends)
        {
            foreach (KadEffect.Send send in sends)
            {
                asked++;
                var closer = Enumerable.Range(0, 20).Select(_ => Peer((int)random.NextUInt64()));
                node.Answered(send.Request, new KadMessage(KadMessageType.FindNode, key) { Closer = [.. closer] }, Start, effects);
            }
            Assert.InRange(asked, 0, 256);
        }
        Assert.Contains(Take<KadEffect.Done>(), done => done.Query == query);
    }

    [Fact]
    public void A_server_answers_as_the_specification_says()
    {
        KadMachine node = Knowing(25);
        PeerId asker = Peer(1).Id;
        KadMessage Answer(KadMessage request) => Assert.IsType<KadReply.Answer>(node.Handle(asker, request, Start)).Message;

        KadMessage found = Answer(new KadMessage(KadMessageType.FindNode, [5]));
        Assert.Equal(20, found.Closer.Length);
        Assert.DoesNotContain(Peer(1), found.Closer);
        Assert.Equal(found.Closer.OrderBy(peer => peer.Key ^ KadKey.Of([5])), found.Closer);
        Assert.All(found.Closer, peer => Assert.Equal(KadConnection.Connected, peer.Connection));

        // Who asks after us gets our address; who asks after one we know gets it first.
        Assert.Equal(Peer(0), Answer(new KadMessage(KadMessageType.FindNode, Peer(0).Id.Bytes.ToArray())).Closer[0]);
        node.Identified(Peer(77), speaks: false, Start, effects);
        Assert.Equal(Peer(77), Answer(new KadMessage(KadMessageType.FindNode, Peer(77).Id.Bytes.ToArray())).Closer[0]);
        node.Disconnected(Peer(77).Id);
        Assert.DoesNotContain(Peer(77), Answer(new KadMessage(KadMessageType.FindNode, Peer(77).Id.Bytes.ToArray())).Closer);

        // Providers: only who speaks may name itself, and with an address.
        var add = new KadMessage(KadMessageType.AddProvider, Content);
        Assert.Equal(KadReply.Silent, node.Handle(asker, add with { Providers = [Peer(2)] }, Start));
        Assert.Equal(KadReply.Silent, node.Handle(asker, add with { Providers = [new KadPeer(asker, [])] }, Start));
        Assert.Empty(Answer(new KadMessage(KadMessageType.GetProviders, Content)).Providers);
        Assert.Equal(KadReply.Silent, node.Handle(asker, add with { Providers = [Peer(2), Peer(1)] }, Start));
        KadMessage providers = Answer(new KadMessage(KadMessageType.GetProviders, Content));
        Assert.Equal([Peer(1)], providers.Providers);
        Assert.Equal(20, providers.Closer.Length);
        node.Provide(Content, Start, effects);
        Assert.Equal([Peer(0), Peer(1)], Answer(new KadMessage(KadMessageType.GetProviders, Content)).Providers);

        // A put whose keys differ, a value nobody vouches for, and questions about nothing, are refused.
        KadMessage put = new(KadMessageType.PutValue, "/x/y"u8.ToArray()) { Record = new KadRecord("/x/y"u8.ToArray(), [1], null) };
        Assert.Equal(KadReply.Refused, node.Handle(asker, put, Start));
        Assert.Equal(KadReply.Refused, node.Handle(asker, put with { Record = null }, Start));
        Assert.Equal(KadReply.Refused, node.Handle(asker, put with { Key = "/x/z"u8.ToArray() }, Start));
        Assert.Equal(KadReply.Refused, node.Handle(asker, new KadMessage(KadMessageType.FindNode, []), Start));
        Assert.Equal(KadReply.Refused, node.Handle(asker, new KadMessage(KadMessageType.GetProviders, [1]), Start));
        Assert.Equal(KadMessageType.Ping, Answer(new KadMessage(KadMessageType.Ping, [])).Type);

        node = Knowing(3, KadOptions.Ipfs with { KeepsUnknownNamespaces = true });
        Assert.Equal(put.Record, Answer(put).Record);
        KadMessage got = Answer(new KadMessage(KadMessageType.GetValue, "/x/y"u8.ToArray()));
        Assert.Equal(((byte)1, new UtcTime(1_700_000_000_000)), (got.Record!.Value[0], got.Record.Received!.Value));
    }

    [Fact]
    public void Its_largest_answer_is_one_that_peers_take()
    {
        KadMachine node = Node(KadOptions.Ipfs with { KeepsUnknownNamespaces = true });
        Multiaddr[] many = [.. Enumerable.Range(1, 60).Select(i => Multiaddr.Parse($"/dns4/{new string('x', 60)}.{new string('y', 60)}.{new string('z', 60)}.example/tcp/{i}"))];
        for (int i = 1; i < 60; i++)
        {
            node.Identified(Peer(i) with { Addresses = [.. many] }, speaks: true, Start, effects);
            node.Handle(Peer(i).Id, new KadMessage(KadMessageType.AddProvider, Content) { Providers = [Peer(i) with { Addresses = [.. many.Take(16)] }] }, Start);
        }
        byte[] key = new byte[KadCodec.KeyBytesMax];
        var put = new KadMessage(KadMessageType.PutValue, key) { Record = new KadRecord(key, new byte[KadCodec.ValueBytesMax], null) };
        Assert.IsType<KadReply.Answer>(node.Handle(Peer(1).Id, put, Start));
        foreach (KadMessage request in new[] { new KadMessage(KadMessageType.GetValue, key), new KadMessage(KadMessageType.GetProviders, Content) })
        {
            KadMessage answer = Assert.IsType<KadReply.Answer>(node.Handle(Peer(1).Id, request, Start)).Message;
            Assert.True(KadCodec.TryDecode(KadCodec.Encode(answer), out _));
        }
    }
}

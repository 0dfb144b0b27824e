using Drap.Libp2p.Gossipsub;
using Xunit;

namespace Drap.Libp2p.Tests.Gossipsub;

public sealed class NetworkTests
{
    private const string Topic = "/drap/1.0.0/tasks/cpu/local/all";

    private static readonly GossipOptions NoFlood = new() { FloodPublish = false };

    [Theory]
    [InlineData(1, 50, false)]
    [InlineData(2, 100, false)]
    [InlineData(3, 200, true)]
    [InlineData(4, 50, true)]
    public void Every_message_reaches_everyone_once(ulong seed, int nodes, bool shares)
    {
        GossipNet net = Swarm(seed, nodes, dials: 5, new GossipOptions(), shares);
        PublishFromAnywhere(net, 100, TimeSpan.FromMilliseconds(20));
        net.Run(TimeSpan.FromSeconds(10));
        AssertAllOnce(net, 100);
        Assert.All(net.Nodes, n => Assert.Empty(n.Misdeeds));
        AssertMeshesAgree(net);
    }

    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    public void Without_flood_publishing_too(ulong seed)
    {
        GossipNet net = Swarm(seed, 60, dials: 5, NoFlood);
        PublishFromAnywhere(net, 60, TimeSpan.FromMilliseconds(20));
        net.Run(TimeSpan.FromSeconds(10));
        AssertAllOnce(net, 60);
    }

    [Theory]
    [InlineData(21, false)]
    [InlineData(22, true)]
    public void Who_does_not_hear_a_topic_publishes_to_it_by_a_fan_out(ulong seed, bool prepared)
    {
        GossipNet net = Swarm(seed, 40, dials: 5, NoFlood);
        GossipNode outsider = net.Add(NoFlood);
        for (int i = 0; i < 10; i++)
            net.Dial(outsider, net.Nodes[i]);
        if (prepared)
            outsider.Step((r, now, e) => r.Prepare(Topic, now, e));
        net.Run(TimeSpan.FromSeconds(1));
        Assert.Equal(prepared ? 6 : 0, outsider.Router.FanoutOf(Topic).Count);
        Assert.Equal(10, outsider.Router.PeersOf(Topic).Count);
        for (int i = 0; i < 10; i++)
            outsider.Publish(Topic);
        net.Run(TimeSpan.FromSeconds(5));
        Assert.All(net.Nodes[..40], n => Assert.Equal(10, n.Delivered.Count));
        Assert.All(outsider.Published, p => Assert.Equal(6, p.Published.Peers));
    }

    /// <summary>Queues that overflow lose frames; what was lost is heard of and asked for. Control is never lost.</summary>
    [Theory]
    [InlineData(31, 50)]
    [InlineData(32, 200)]
    [InlineData(33, 300)]
    public void What_is_lost_on_the_way_comes_by_gossip(ulong seed, int lostPermille)
    {
        GossipNet net = Swarm(seed, 60, dials: 6, NoFlood);
        net.LostPermille = lostPermille;
        PublishFromAnywhere(net, 50, TimeSpan.FromMilliseconds(50));
        net.Run(TimeSpan.FromSeconds(12));
        AssertAllOnce(net, 50);
        Assert.Equal(lostPermille > 100, net.Nodes.Sum(n => n.Router.Counters.SentOnRequest) > 0);
    }

    [Theory]
    [InlineData(41)]
    [InlineData(42)]
    [InlineData(43)]
    public void Who_stays_hears_all_while_others_come_and_go(ulong seed)
    {
        const int Nodes = 60, Staying = 30;
        GossipNet net = Swarm(seed, Nodes, dials: 6, new GossipOptions());
        for (int i = 0; i < 60; i++)
        {
            GossipNode restless = net.Nodes[Staying + net.Prng.Below(Nodes - Staying)];
            if (restless.IsUp)
            {
                net.Cut(restless);
                restless.IsUp = false;
            }
            else
            {
                restless.IsUp = true;
                for (int d = 0; d < 6; d++)
                    net.Dial(restless, net.Nodes[net.Prng.Below(Nodes)]);
            }
            net.Nodes[net.Prng.Below(Staying)].Publish(Topic);
            net.Run(TimeSpan.FromMilliseconds(300));
        }
        net.Run(TimeSpan.FromSeconds(10));
        foreach (GossipNode node in net.Nodes[..Staying])
            Assert.Equal(60 - node.Published.Count, node.Delivered.Count);
        Assert.All(net.Nodes, n => Assert.All(n.Delivered.Values, times => Assert.Equal(1, times)));
        AssertMeshesAgree(net);
    }

    [Fact]
    public void Peers_of_all_versions_hear_each_other()
    {
        var net = new GossipNet(51);
        for (int i = 0; i < 40; i++)
            net.Add(NoFlood, (GossipVersion)(i % 4));
        net.Wire(6);
        foreach (GossipNode node in net.Nodes)
            node.Subscribe(Topic);
        net.Run(TimeSpan.FromSeconds(3));
        PublishFromAnywhere(net, 40, TimeSpan.FromMilliseconds(20));
        net.Run(TimeSpan.FromSeconds(10));
        AssertAllOnce(net, 40);
    }

    [Fact]
    public void A_message_that_the_application_rejects_goes_no_further()
    {
        var net = new GossipNet(61);
        for (int i = 0; i < 30; i++)
            net.Add(new GossipOptions(), validator: m => m.Data.Length == 13 ? MessageVerdict.Reject : MessageVerdict.Accept);
        net.Wire(5);
        foreach (GossipNode node in net.Nodes)
            node.Subscribe(Topic);
        net.Run(TimeSpan.FromSeconds(3));
        net.Nodes[0].Publish(Topic, 13);
        net.Nodes[0].Publish(Topic, 14);
        net.Run(TimeSpan.FromSeconds(5));
        // Those whom the publisher told rejected it, and hold it against the publisher.
        Assert.All(net.Nodes.Skip(1), n => Assert.Single(n.Delivered));
        Assert.Equal(net.Nodes[0].Published[0].Published.Peers, net.Nodes.Sum(n => n.Router.Counters.Rejected));
        Assert.Contains(net.Nodes, n => n.Router.ScoreOf(net.Nodes[0].Id) < 0);
    }

    [Fact]
    public void Large_messages_are_spared_their_copies()
    {
        long Copies(int threshold)
        {
            GossipNet net = Swarm(71, 50, dials: 6, new GossipOptions { IDontWantBytesMin = threshold, FloodPublish = false }, bytesPerSecond: 2_000_000);
            for (int i = 0; i < 20; i++)
            {
                net.Nodes[net.Prng.Below(50)].Publish(Topic, 100_000);
                net.Run(TimeSpan.FromMilliseconds(200));
            }
            net.Run(TimeSpan.FromSeconds(5));
            AssertAllOnce(net, 20);
            return net.Nodes.Sum(n => n.Router.Counters.Duplicates);
        }
        long with = Copies(1000), without = Copies(int.MaxValue);
        Assert.True(with < without * 3 / 4, $"{with} copies with IDONTWANT, {without} without");
    }

    /// <summary>Of twelve all but one have a message from its author. Half of the copies to each other are spared, less those that cross on links of up to 50 ms.</summary>
    [Fact]
    public void Where_few_hear_a_topic_who_waits_spares_copies()
    {
        long Copies(TimeSpan delay)
        {
            var net = new GossipNet(75);
            for (int i = 0; i < 12; i++)
                net.Add(new GossipOptions { PassOnDelay = delay });
            for (int i = 0; i < 12; i++)
                for (int j = 0; j < i; j++)
                    if ((i, j) != (11, 0))
                        net.Dial(net.Nodes[i], net.Nodes[j]);
            foreach (GossipNode node in net.Nodes)
                node.Subscribe(Topic);
            net.Run(TimeSpan.FromSeconds(3));
            for (int i = 0; i < 20; i++)
            {
                net.Nodes[0].Publish(Topic, 100);
                net.Run(TimeSpan.FromMilliseconds(500));
            }
            net.Run(TimeSpan.FromSeconds(5));
            AssertAllOnce(net, 20);
            return net.Nodes.Sum(n => n.Router.Counters.Duplicates);
        }
        long late = Copies(TimeSpan.FromMilliseconds(400)), atOnce = Copies(TimeSpan.Zero);
        Assert.True(late < atOnce * 3 / 4, $"{late} copies of those who wait, {atOnce} of those who do not");
    }

    /// <summary>What a message costs, so that a change that makes it dearer is seen: a mesh of degree 5.2 sends a message 4.2 times a node, of which 3.2 are copies.</summary>
    [Fact]
    public void A_delivery_costs_so_many_copies()
    {
        GossipNet net = Swarm(81, 100, dials: 6, NoFlood);
        long before = net.Frames;
        PublishFromAnywhere(net, 100, TimeSpan.FromMilliseconds(100));
        net.Run(TimeSpan.FromSeconds(5));
        AssertAllOnce(net, 100);
        long deliveries = net.Nodes.Sum(n => (long)n.Delivered.Count);
        long copies = net.Nodes.Sum(n => n.Router.Counters.Duplicates);
        long sent = net.Nodes.Sum(n => n.Router.Counters.Sent);
        Assert.Equal(9900, deliveries);
        Assert.Equal((425, 325, 493), ((int)(sent * 100 / deliveries), (int)(copies * 100 / deliveries), (int)((net.Frames - before) * 100 / deliveries)));
    }

    [Theory]
    [InlineData(91)]
    [InlineData(92)]
    public void The_same_seed_gives_the_same_run(ulong seed)
    {
        ulong Play()
        {
            GossipNet net = Swarm(seed, 40, dials: 5, NoFlood);
            net.LostPermille = 100;
            PublishFromAnywhere(net, 40, TimeSpan.FromMilliseconds(20));
            net.Run(TimeSpan.FromSeconds(5));
            return net.Trace;
        }
        Assert.Equal(Play(), Play());
    }

    private static GossipNet Swarm(ulong seed, int nodes, int dials, GossipOptions options, bool shares = false, long bytesPerSecond = 1_000_000_000)
    {
        var net = new GossipNet(seed) { Shares = shares, BytesPerSecond = bytesPerSecond };
        for (int i = 0; i < nodes; i++)
            net.Add(options);
        net.Wire(dials);
        foreach (GossipNode node in net.Nodes)
            node.Subscribe(Topic);
        net.Run(TimeSpan.FromSeconds(3));
        return net;
    }

    private static void PublishFromAnywhere(GossipNet net, int messages, TimeSpan every)
    {
        for (int i = 0; i < messages; i++)
        {
            net.Nodes[net.Prng.Below(net.Nodes.Count)].Publish(Topic);
            net.Run(every);
        }
    }

    private static void AssertAllOnce(GossipNet net, int messages)
    {
        foreach (GossipNode node in net.Nodes)
        {
            Assert.Equal(messages - node.Published.Count, node.Delivered.Count);
            Assert.All(node.Delivered.Values, times => Assert.Equal(1, times));
        }
    }

    /// <summary>Who has another in its mesh is in that one's, and no mesh is larger than it may be.</summary>
    private static void AssertMeshesAgree(GossipNet net)
    {
        foreach (GossipNode node in net.Nodes)
        {
            IReadOnlyList<PeerId> mesh = node.Router.MeshOf(Topic);
            Assert.InRange(mesh.Count, 0, node.Router.Options.MeshHigh);
            if (node.Links.Count >= node.Router.Options.MeshLow)
                Assert.True(mesh.Count > 0, $"node {node.Number} with {node.Links.Count} links has no mesh");
            foreach (PeerId peer in mesh)
                Assert.Contains(node.Id, net.Nodes.Single(n => n.Id == peer).Router.MeshOf(Topic));
        }
    }
}

using System.Text;
using Drap.Libp2p.Kademlia;
using Xunit;
using Node = Drap.Libp2p.Tests.Kademlia.KadNetwork.Node;

namespace Drap.Libp2p.Tests.Kademlia;

/// <summary>Whole networks in virtual time: look-ups find who is truly nearest, what is put is found, also while nodes come and go.</summary>
public sealed class KadNetworkTests(ITestOutputHelper output)
{
    private static readonly int Size = Environment.GetEnvironmentVariable("DRAP_TEST_ALL") == "1" ? 1000 : 120;

    private static KadNetwork Grown(ulong seed, int size, KadOptions? options = null)
    {
        var network = new KadNetwork(seed, options);
        network.Grow(size, TimeSpan.FromMilliseconds(500));
        network.Run(TimeSpan.FromMinutes(3));
        return network;
    }

    private static byte[] Key(Prng random) => Encoding.ASCII.GetBytes($"key {random.NextUInt64():x}");

    private static Node Some(KadNetwork network) => network.Servers[network.Random.Below(network.Servers.Count)];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Whoever_looks_finds_exactly_the_nearest(ulong seed)
    {
        KadNetwork network = Grown(seed, Size);
        long before = network.Requests;
        for (int i = 0; i < 50; i++)
        {
            Node node = Some(network);
            byte[] key = Key(network.Random);
            var closest = network.Ask<KadOutcome.Peers>(node, (machine, effects) => machine.FindClosest(key, network.Now, effects));
            Assert.Equal(network.Nearest(KadKey.Of(key), node, 20), closest.Found.Select(peer => peer.Id));
        }
        foreach (Node node in network.Alive)
            node.Machine.CheckInvariants();
        output.WriteLine($"seed {seed}: {(network.Requests - before) / 50} requests a look-up, refreshing included");
    }

    [Fact]
    public void The_same_seed_gives_the_same_run()
    {
        Assert.Equal(Grown(7, 60).Trace, Grown(7, 60).Trace);
        Assert.NotEqual(Grown(7, 60).Trace, Grown(8, 60).Trace);
    }

    [Fact]
    public void Peers_are_found_by_name_clients_too()
    {
        KadNetwork network = Grown(3, 120);
        Node client = network.Add(isServer: false);
        network.Connect(client, Some(network));
        network.Run(TimeSpan.FromMinutes(1));
        // A client is in nobody's table, but whoever is connected to it tells where it is: its neighbours in the space are, by its refresh.
        Assert.All(network.Servers, server => Assert.False(server.Machine.Table.TryGet(client.Id, out _)));
        foreach (Node wanted in new[] { client, Some(network), Some(network) })
        {
            Node node = network.Servers.First(server => !server.Peers.Contains(wanted.Id) && server != wanted);
            var found = network.Ask<KadOutcome.Peers>(node, (machine, effects) => machine.FindPeer(wanted.Id, network.Now, effects));
            Assert.Equal(wanted.Id, Assert.Single(found.Found).Id);
            Assert.Equal(wanted.AsPeer.Addresses[0], found.Found[0].Addresses[0]);
        }
        // Nobody is found who is not there.
        PeerId nobody = network.Add().Id;
        var none = network.Ask<KadOutcome.Peers>(Some(network), (machine, effects) => machine.FindPeer(nobody, network.Now, effects));
        Assert.Empty(none.Found);
        // A client answers nothing.
        Assert.Equal(KadReply.Refused, client.Machine.Handle(nobody, new KadMessage(KadMessageType.Ping, []), network.Now));
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 2)]
    public void Values_and_providers_outlive_churn(ulong seed, int lossPercent)
    {
        KadNetwork network = Grown(seed, 60, KadOptions.Ipfs with
        {
            KeepsUnknownNamespaces = true,
            RecordValidity = TimeSpan.FromHours(1),
            ProviderValidity = TimeSpan.FromHours(1),
            PutInterval = TimeSpan.FromMinutes(25),
            ProvideInterval = TimeSpan.FromMinutes(25),
        });
        network.LossPercent = lossPercent;
        byte[] key = "/drap/answer"u8.ToArray(), value = "42"u8.ToArray();
        byte[] content = new KeyPrefix(0, 0).MembersKey("/test/1.0.0");
        Node putter = Some(network);
        var put = network.Ask<KadOutcome.Kept>(putter, (machine, effects) => machine.PutValue(key, value, network.Now, effects));
        var provided = network.Ask<KadOutcome.Kept>(putter, (machine, effects) =>
        {
            machine.Addresses = putter.AsPeer.Addresses;
            return machine.Provide(content, network.Now, effects);
        });
        Assert.InRange(put.By, 14, 20);
        Assert.InRange(provided.By, 14, 20);

        // A third of the nodes goes at once, with half of those that keep the value, and as many come.
        foreach (Node node in network.Servers.Where(node => node != putter).Take(20))
            network.Kill(node);
        network.Run(TimeSpan.FromSeconds(1));
        foreach (Node node in Enumerable.Range(0, 5).Select(_ => Some(network)))
        {
            var found = network.Ask<KadOutcome.Value>(node, (machine, effects) => machine.GetValue(key, 3, network.Now, effects));
            Assert.Equal(value, found.Best);
            var by = network.Ask<KadOutcome.Peers>(node, (machine, effects) => machine.FindProviders(content, 5, network.Now, effects));
            Assert.Equal(putter.Id, Assert.Single(by.Found).Id);
        }
        network.Grow(20, TimeSpan.FromSeconds(1));
        network.Run(TimeSpan.FromMinutes(25));

        int right = 0, wanted = 0;
        for (int i = 0; i < 20; i++)
        {
            Node node = Some(network);
            byte[] target = Key(network.Random);
            var closest = network.Ask<KadOutcome.Peers>(node, (machine, effects) => machine.FindClosest(target, network.Now, effects));
            List<PeerId> true20 = network.Nearest(KadKey.Of(target), node, 20);
            right += closest.Found.Count(peer => true20.Contains(peer.Id));
            wanted += true20.Count;
        }
        output.WriteLine($"seed {seed}: {right} of {wanted} nearest found after churn");
        Assert.True(right >= wanted * (lossPercent == 0 ? 99 : 95) / 100, $"seed {seed}: {right} of {wanted}");
        // The dead are forgotten, but for what nobody had reason to ask.
        int dead = network.Alive.Sum(node => node.Machine.Table.Peers.Count(peer => network.Alive.All(alive => alive.Id != peer.Id)));
        int all = network.Alive.Sum(node => node.Machine.Table.Count);
        Assert.True(dead * 10 < all, $"seed {seed}: {dead} of {all} table entries are dead");
        foreach (Node node in network.Alive)
            node.Machine.CheckInvariants();

        // Half an hour later the putter has put it again, to whoever is nearest now.
        network.Run(TimeSpan.FromMinutes(30));
        foreach (PeerId near in network.Nearest(KadKey.Of(key), putter, 5))
        {
            Node node = network.Alive.First(alive => alive.Id == near);
            Assert.NotNull(node.Machine.Records.Find(key, network.Now));
        }
        foreach (PeerId near in network.Nearest(KadKey.Of(content), putter, 5))
        {
            Node node = network.Alive.First(alive => alive.Id == near);
            Assert.NotEmpty(node.Machine.Providers.Find(KadKey.Of(content), 1, network.Now));
        }
        // When it stops, they lapse.
        putter.Machine.StopPutting(key);
        putter.Machine.StopProviding(content);
        network.Run(TimeSpan.FromMinutes(61));
        Assert.All(network.Alive, node => Assert.Null(node.Machine.Records.Find(key, network.Now)));
        Assert.All(network.Alive, node => Assert.Equal(0, node.Machine.Providers.Count + node.Machine.Records.Count));
    }

    [Fact]
    public void A_search_by_prefix_finds_every_member()
    {
        KadNetwork network = Grown(5, Size);
        foreach (int length in new[] { 0, 1, 2, 4, 7 })
        {
            Node node = Some(network);
            var region = KeyPrefix.Of(KadKey.Of(Key(network.Random)), length);
            var members = network.Servers.Where(server => server != node && region.Covers(KadKey.Of(server.Id))).Select(server => server.Id).ToHashSet();
            (long sent, Instant begun) = (node.Sent, network.Now);
            var found = network.Ask<KadOutcome.Members>(node, (machine, effects) => machine.FindMembers(region, 10_000, network.Now, effects));
            (sent, TimeSpan took) = (node.Sent - sent, network.Now - begun);
            output.WriteLine($"{region}: {found.Found.Length} of {members.Count}, {sent} requests, {took.TotalSeconds:f1} s");
            Assert.True(found.IsWhole);
            // Each member answers once at least; those whom the walks meet on their way come besides.
            Assert.InRange(sent, found.Found.Length, 100 + 3 * members.Count);
            Assert.True(took < TimeSpan.FromSeconds(20), $"{region}: {took}");
            Assert.Subset(members, found.Found.Select(peer => peer.Id).ToHashSet());
            Assert.True(found.Found.Length >= members.Count * 97 / 100, $"{region}: {found.Found.Length} of {members.Count}");

            var some = network.Ask<KadOutcome.Members>(node, (machine, effects) => machine.FindMembers(region, 3, network.Now, effects));
            Assert.Equal(Math.Min(3, members.Count), some.Found.Length);
        }
    }

    /// <summary>The dead keep a search waiting, half of them to the end of a request, and of what is sent a fiftieth is lost.</summary>
    [Fact]
    public void A_search_by_prefix_passes_the_dead_by()
    {
        KadNetwork network = Grown(17, 120);
        foreach (Node node in network.Servers.Take(40))
            network.Kill(node);
        network.LossPercent = 2;
        Node asker = Some(network);
        (long sent, Instant begun) = (asker.Sent, network.Now);
        var found = network.Ask<KadOutcome.Members>(asker, (machine, effects) => machine.FindMembers(new KeyPrefix(0, 0), 10_000, network.Now, effects));
        (sent, TimeSpan took) = (asker.Sent - sent, network.Now - begun);
        output.WriteLine($"{found.Found.Length} of 79, {sent} requests, {took.TotalSeconds:f1} s");
        Assert.True(found.IsWhole);
        Assert.InRange(found.Found.Length, 77, 79);
        Assert.All(found.Found, peer => Assert.Contains(network.Servers, server => server.Id == peer.Id));
        Assert.InRange(sent, 79, 500);
        Assert.True(took < TimeSpan.FromSeconds(40), $"{took}");

        // Nor do walks that meet fewer than k alive take those for the whole network.
        for (int i = 0; i < 16; i++)
            network.Ask<KadOutcome.Peers>(asker, (machine, effects) => machine.FindClosest(Key(network.Random), network.Now, effects));
        output.WriteLine($"{asker.Machine.EstimateSize(network.Now)} estimated");
        Assert.InRange(asker.Machine.EstimateSize(network.Now)!.Value, 79 * 3 / 4, 79 * 4 / 3);
    }

    [Fact]
    public void The_network_s_size_is_estimated_from_its_density()
    {
        foreach (int size in new[] { 5, Size })
        {
            KadNetwork network = Grown(11, size);
            foreach (Node node in network.Servers.Take(10))
            {
                for (int i = 0; i < 16; i++)
                    network.Ask<KadOutcome.Peers>(node, (machine, effects) => machine.FindClosest(Key(network.Random), network.Now, effects));
                long estimate = node.Machine.EstimateSize(network.Now)!.Value;
                Assert.InRange(estimate, size * 3 / 4 - 2, size * 4 / 3 + 2);
            }
        }
        Assert.Null(new KadNetwork(1).Add().Machine.EstimateSize(Instant.Zero));
    }

    [Fact]
    public void Who_loses_its_own_network_does_not_forget_the_others()
    {
        KadNetwork network = Grown(13, 40);
        Node cut = Some(network);
        int before = cut.Machine.Table.Count;
        network.IsCut = (a, b) => a == cut || b == cut;
        for (int i = 0; i < 20; i++)
        {
            network.Ask<KadOutcome.Peers>(cut, (machine, effects) => machine.FindClosest(Key(network.Random), network.Now, effects));
            network.Run(TimeSpan.FromMinutes(1));
        }
        Assert.Equal(before, cut.Machine.Table.Count);
        network.IsCut = (_, _) => false;
        byte[] key = Key(network.Random);
        var closest = network.Ask<KadOutcome.Peers>(cut, (machine, effects) => machine.FindClosest(key, network.Now, effects));
        Assert.Equal(network.Nearest(KadKey.Of(key), cut, 20), closest.Found.Select(peer => peer.Id));
    }
}
